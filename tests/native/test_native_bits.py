"""A network's bits depend on nothing beside it: not on neighbours, its slot, threads or the CPU's vectors."""

import hashlib
import platform
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pytest
from native_cases import REGIMES, bits, epoch_of, initial, made_up, numbers, shape_of, trained

from frustration.engine.native import NativeBackend
from frustration.engine.native.backend import REVISION
from frustration.engine.native.build import library_path
from frustration.engine.native.library import Library
from frustration.streams import Stream

PINNED = ["[]", "[1*1]", "[1*37]", "[3*45]", "[2*3, 1*5]", "[40*4]", "[24*24]"]
VECTORS = {
    "avx2": ["-mavx2", "-mfma"],
    "avx512": ["-mavx512f", "-mavx512dq", "-mavx512bw", "-mavx512vl", "-mfma"],
}
LANES = {"avx2": 8, "avx512": 16}


def everything(population, slot: int, loss: float) -> tuple:
    moments = population.moments(slot)
    return (
        bits(population.weights(slot)),
        bits(moments.mean),
        bits(moments.square),
        bits(population.step_losses[slot]),
        loss,
    )


def digest(backend, architectures=PINNED, dendrites: tuple[int, ...] = (0,), data=None) -> str:
    """Of weights, moments, losses and scores of small networks of many shapes, treated in four ways;
    `dendrites`: on the units of each layer, over and over."""
    whole = hashlib.sha256()
    data = data or made_up(330, features=70, classes=5)
    for architecture in architectures:
        shape, weights = shape_of(architecture, data), None
        if any(dendrites):
            shape = shape.with_dendrites(islice(cycle(dendrites), len(shape.layers)))
            weights = (Stream(b"pinned dendrites").uniform(shape.size) - np.float32(0.5)) * np.float32(0.5)
        epochs = {slot: epoch_of(shape, data, settings) for slot, settings in enumerate(REGIMES)}
        population, losses = trained(backend, shape, data, epochs, weights=weights)
        for slot in epochs:
            *vectors, loss = everything(population, slot, losses[slot])
            for vector in vectors:
                whole.update(vector)
            whole.update(np.float64(loss).tobytes())
        whole.update(str(population.evaluate("validation")).encode())
    return whole.hexdigest()[:16]


def test_the_bits_of_this_revision(native):
    """A change of the sources that changes this digest changes results: raise REVISION, pin the new one."""
    if not native.library.has_fma:
        pytest.skip("this CPU has no fused multiply-add, and so other bits")
    assert (REVISION, digest(native)) == (1, "dbf47933c956b505")


GROWN = {
    "one": ((1,), "df8805871e2cc9d5"),
    "three": ((3,), "42bdf04087283e92"),
    "mixed": ((2, 0, 1), "3c86a81f3f7626e7"),
}


@pytest.mark.parametrize("case", GROWN)
def test_the_bits_of_grown_networks_of_this_revision(case, native):
    if not native.library.has_fma:
        pytest.skip("this CPU has no fused multiply-add, and so other bits")
    dendrites, pinned = GROWN[case]
    assert (REVISION, digest(native, dendrites=dendrites)) == (1, pinned)


def test_the_bits_of_rounded_operands_of_this_revision(native):
    if not native.library.has_fma:
        pytest.skip("this CPU has no fused multiply-add, and so other bits")
    wide = ["[2*64]", "[1*70, 1*99, 1*65]"]
    assert (REVISION, digest(NativeBackend(bf16=True), wide)) == (1, "e8828b388562936c")


def test_the_bits_of_numbers_of_this_revision(native):
    if not native.library.has_fma:
        pytest.skip("this CPU has no fused multiply-add, and so other bits")
    assert (REVISION, digest(native, data=numbers(330))) == (1, "4ceeffcacccbf950")


@pytest.mark.parametrize("data", [made_up(330, features=70, classes=5), numbers(330)], ids=lambda d: d.name)
@pytest.mark.parametrize("vectors", VECTORS)
def test_vectors_of_every_width_make_the_same_bits(vectors, data, native):
    if platform.machine() != "x86_64":
        pytest.skip("not an x86 CPU: it has one width of vectors")
    if vectors not in Path("/proc/cpuinfo").read_text():
        pytest.skip(f"this CPU has no {vectors}")
    library = Library(library_path(VECTORS[vectors]))
    assert library.lanes == LANES[vectors]
    assert digest(NativeBackend(library), data=data) == digest(native, data=data)


@pytest.mark.parametrize("architecture", ["[]", "[1*2]", "[1*17]", "[3*45]", "[20*4]", "[12*20]"])
@pytest.mark.parametrize("kind", ["images", "numbers"])
def test_neighbours_and_slots_do_not_matter(kind, architecture, digits, native):
    digits = digits if kind == "images" else numbers(330)
    shape = shape_of(architecture, digits)
    regimes = [*REGIMES, *REGIMES[::-1], *REGIMES]
    epochs = {slot: epoch_of(shape, digits, settings) for slot, settings in enumerate(regimes)}
    crowd, losses = trained(native, shape, digits, epochs)
    for slot, epoch in enumerate(epoch_of(shape, digits, settings) for settings in REGIMES):
        alone, (loss,) = trained(native, shape, digits, {0: epoch})
        for place in (slot, 7 - slot, 8 + slot):
            assert everything(crowd, place, losses[place]) == everything(alone, 0, loss)


def test_neighbours_that_rest_or_diverge_do_not_matter(digits, native):
    shape = shape_of("[1*10, 1*7]", digits)
    epoch = epoch_of(shape, digits, REGIMES[2])
    alone, (loss,) = trained(native, shape, digits, {0: epoch})
    population = native.population(shape, ("fff",), digits, 64)
    for slot, factor in ((0, 1), (1, np.float32(np.nan)), (2, 1)):
        population.load(slot, initial(shape) * factor)
    losses = population.train({1: epoch, 2: epoch}, threading.Event())
    assert everything(population, 2, losses[2]) == everything(alone, 0, loss)
    assert np.isnan(losses[1])


def test_runs_of_other_orders_do_not_matter(digits, native):
    shape = shape_of("[2*9]", digits)
    epochs = {slot: epoch_of(shape, digits, REGIMES[slot % 4], trial=slot // 2) for slot in range(6)}
    together, losses = trained(native, shape, digits, epochs, runs=("ff", "ff", "ff"))
    for slot, epoch in epochs.items():
        alone, (loss,) = trained(native, shape, digits, {0: epoch})
        assert everything(together, slot, losses[slot]) == everything(alone, 0, loss)


def test_slots_of_one_run_with_different_orders_are_refused(digits, native):
    shape = shape_of("[1*3]", digits)
    epochs = {slot: epoch_of(shape, digits, REGIMES[0], trial=slot) for slot in range(2)}
    with pytest.raises(ValueError, match="different orders"):
        trained(native, shape, digits, epochs)


def test_threads_do_not_matter(digits, native):
    shape = shape_of("[2*30]", digits)

    def one(trial: int) -> tuple:
        epoch = epoch_of(shape, digits, REGIMES[2], trial=trial)
        population, (loss,) = trained(native, shape, digits, {0: epoch})
        return (*everything(population, 0, loss), *population.evaluate("validation"))

    with ThreadPoolExecutor(4) as pool:
        side_by_side = list(pool.map(one, range(8)))
    assert side_by_side == [one(trial) for trial in range(8)]


def test_what_was_trained_before_does_not_matter(digits, native):
    shape = shape_of("[3*8]", digits)
    epoch = epoch_of(shape, digits, REGIMES[0])
    fresh, (loss,) = trained(native, shape, digits, {0: epoch})
    used, _ = trained(native, shape, digits, {0: epoch_of(shape, digits, REGIMES[3], loop=5)})
    used.evaluate("test")
    used.load(0, initial(shape))
    (again,) = used.train({0: epoch}, threading.Event())
    assert everything(used, 0, again) == everything(fresh, 0, loss)


def test_weights_come_out_as_they_went_in(digits, native):
    for architecture in PINNED:
        shape = shape_of(architecture, digits)
        population = native.population(shape, ("fff",), digits, 64)
        for slot in range(3):
            population.load(slot, initial(shape, trial=slot))
        assert all(bits(population.weights(slot)) == bits(initial(shape, trial=slot)) for slot in range(3))
