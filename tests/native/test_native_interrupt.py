"""An interrupt is answered within a second of CPU time, also in the middle of a long epoch."""

import os
import signal
import threading
import time

import numpy as np
import pytest
from native_cases import REGIMES, epoch_of, initial, made_up, shape_of

from frustration.engine.native import NativeBackend
from frustration.engine.population import Interrupted
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend


@pytest.fixture(scope="module")
def long_epoch(native):
    """A population, and an epoch that would take it several seconds at least."""
    data = made_up(60_000, features=200, lit=0.5)
    shape = shape_of("[3*200]", data)
    population = native.population(shape, ("ffffff",), data, 64)
    for slot in range(6):
        population.load(slot, initial(shape))
    return population, {slot: epoch_of(shape, data, REGIMES[0]) for slot in range(6)}


def test_the_stop_event_ends_an_epoch(long_epoch):
    population, epochs = long_epoch
    stop, pressed = threading.Event(), []

    def press() -> None:
        pressed.append(time.process_time())
        stop.set()

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(Interrupted):
        population.train(epochs, stop)
    assert time.process_time() - pressed[0] < 1


def test_ctrl_c_ends_an_epoch(long_epoch):
    population, epochs = long_epoch
    pressed = []

    def press() -> None:
        pressed.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    timer = threading.Timer(0.3, press)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        population.train(epochs, threading.Event())
    assert time.process_time() - pressed[0] < 1


@pytest.fixture(scope="module")
def long_evaluation(native):
    """Wide networks, and images that they would look at for more than a second."""
    data = made_up(100, features=200, lit=0.5, held_out=40_000)
    shape = shape_of("[2*939]", data)
    population = native.population(shape, ("ffffff",), data, 64)
    for slot in range(6):
        population.load(slot, initial(shape))
    return population


def test_the_stop_event_ends_an_evaluation(long_evaluation):
    stop, pressed = threading.Event(), []

    def press() -> None:
        pressed.append(time.process_time())
        stop.set()

    threading.Timer(0.3, press).start()
    with pytest.raises(Interrupted):
        long_evaluation.evaluate("validation", stop)
    assert time.process_time() - pressed[0] < 1


def test_ctrl_c_ends_an_evaluation(long_evaluation):
    pressed = []

    def press() -> None:
        pressed.append(time.process_time())
        os.kill(os.getpid(), signal.SIGINT)

    threading.Timer(0.3, press).start()
    with pytest.raises(KeyboardInterrupt):
        long_evaluation.evaluate("validation")
    assert time.process_time() - pressed[0] < 1


@pytest.mark.parametrize("backend", [ReferenceBackend, TorchBackend, NativeBackend])
def test_no_backend_evaluates_once_it_is_stopped(backend, digits):
    shape = shape_of("[2*12]", digits)
    population = backend().population(shape, ("f",), digits, 64)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        population.evaluate("validation", stop)


def test_a_population_that_was_interrupted_can_be_used_again(digits, native):
    shape = shape_of("[2*12]", digits)
    epoch = epoch_of(shape, digits, REGIMES[0])
    population = native.population(shape, ("f",), digits, 64)
    stop = threading.Event()
    stop.set()
    with pytest.raises(Interrupted):
        population.train({0: epoch}, stop)
    population.load(0, initial(shape))
    population.train({0: epoch}, threading.Event())
    untouched = native.population(shape, ("f",), digits, 64)
    untouched.load(0, initial(shape))
    untouched.train({0: epoch}, threading.Event())
    assert np.array_equal(population.weights(0), untouched.weights(0))


def test_other_threads_work_while_the_engine_does(long_epoch):
    """Python's lock is free during calls: this thread counts on while an epoch is trained."""
    population, epochs = long_epoch
    stop = threading.Event()
    failure = []

    def train() -> None:
        try:
            population.train(epochs, stop)
        except Interrupted as error:
            failure.append(error)

    worker = threading.Thread(target=train)
    worker.start()
    naps = 0
    end = time.monotonic() + 0.5
    while time.monotonic() < end:
        time.sleep(0.001)
        naps += 1
    stop.set()
    worker.join(2)
    assert failure
    assert naps > 100
