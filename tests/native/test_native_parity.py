"""The native engine computes what the reference computes, up to rounding."""

import ctypes
import subprocess
import threading
from pathlib import Path

import numpy as np
import pytest
from native_cases import EXACT, REGIMES, bits, epoch_of, initial, reference_losses, shape_of, trained

from frustration.engine.group import plan
from frustration.engine.loop import MetaLoop
from frustration.engine.native.build import LANGUAGE, OPTIMIZED, SOURCES, compiler, native_flags
from frustration.engine.reference import ReferenceBackend
from frustration.engine.trial import Trial
from frustration.modes import EpochSettings, mode_names
from frustration.spec import TrialSpec
from frustration.streams import dropout_keep, dropout_threshold
from frustration.testing.trials import populations_of

EARLY = 20
ARCHITECTURES = ["[]", "[1*1]", "[1*16]", "[1*70]", "[2*33]", "[4*47]", "[3*4, 1*2]", "[20*24]", "[40*3]"]


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_early_losses_are_those_of_the_reference_for_mixed_treatments(architecture, digits, native):
    shape = shape_of(architecture, digits)
    epochs = {slot: epoch_of(shape, digits, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, digits, epochs)
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, digits, epoch)
        assert np.abs(population.step_losses[slot][:EARLY] - expected[:EARLY]).max() < 1e-5


def test_early_losses_are_those_of_the_reference_for_every_mode(digits, native):
    """Each mode as it acts in its second loop, all of them in one population."""
    specs = [
        TrialSpec.of("[3*20]", mode, batch_size=64, learning_rate=1e-3)
        for mode in mode_names()
        if mode != "wide"
    ]
    shape = shape_of("[3*20]", digits)
    order = epoch_of(shape, digits, REGIMES[0]).order
    population = native.population(shape, ("f" * len(specs),), digits, 64)
    candidates, epochs = {}, {}
    for slot, spec in enumerate(specs):
        trial = Trial.fresh(spec, shape)
        trial.loop = 1
        candidates[slot] = trial.base.copy()
        probe = digits.pixel_values[digits.train.images[:100]]
        epochs[slot] = trial.intervene(candidates[slot], order, probe).epoch
        population.load(slot, candidates[slot].vector)
    population.train(epochs, threading.Event())
    for slot, spec in enumerate(specs):
        expected = reference_losses(shape, digits, epochs[slot], weights=candidates[slot].vector)
        assert np.abs(population.step_losses[slot][:EARLY] - expected[:EARLY]).max() < 1e-5, spec.label


@pytest.fixture(scope="module")
def dropout_of_ones(native, tmp_path_factory):
    """The engine's dropout by itself, compiled as the engine is."""
    built = tmp_path_factory.mktemp("masks") / "masks.so"
    command = [*compiler(), *OPTIMIZED, *LANGUAGE, *native_flags(), "-fvisibility=default", f"-I{SOURCES}"]
    subprocess.run([*command, Path(__file__).with_name("masks.cpp"), "-o", built], check=True)
    call = ctypes.CDLL(str(built)).dropout_of_ones
    word, number = ctypes.c_uint64, ctypes.c_int32
    call.argtypes = [
        word,
        word,
        ctypes.c_float,
        ctypes.c_uint32,
        ctypes.c_uint32,
        number,
        number,
        ctypes.c_void_p,
    ]
    call.restype = None
    return call


def test_dropout_masks_are_those_of_the_stream(dropout_of_ones):
    """Every activation starts as 1; what is left of it is the scale or 0."""
    cases = [
        (0.1, 1, 0, 7, 0),
        (0.5, 5, 3, 33, 11),
        (0.9, 3, 2047, 130, 195),
        (1e-12, 2, 1, 64, 1),
        (1 - 1e-12, 2, 1, 64, 1),
    ]
    for p, units, layer, samples, step in cases:
        key = 0xFEDC_BA98_7654_3210 + samples
        scale = np.float32(1 / (1 - p))
        left = np.empty((units, samples), np.float32)
        dropout_of_ones(key, dropout_threshold(p), scale, step, layer, units, samples, left.ctypes.data)
        keep = dropout_keep(key, step, layer, units, samples, p)
        assert bits(left) == bits(np.where(keep, scale, np.float32(0)))


@pytest.mark.parametrize("architecture", ["[1*16]", "[3*20]"])
def test_an_optimizer_that_is_kept_continues_as_in_the_reference(architecture, digits, native):
    shape = shape_of(architecture, digits)
    vectors = {}
    for backend in (native, EXACT):
        first, _ = trained(backend, shape, digits, {0: epoch_of(shape, digits, REGIMES[1])}, runs=("p",))
        moments = first.moments(0)
        epoch = epoch_of(shape, digits, REGIMES[2], loop=2, moments=moments)
        second, _ = trained(backend, shape, digits, {0: epoch}, runs=("p",), weights=first.weights(0))
        assert second.moments(0).steps == 2 * moments.steps == 2 * 21
        vectors[backend.name] = [second.weights(0), second.moments(0).mean, second.moments(0).square]
    for ours, theirs, tolerance in zip(*vectors.values(), (1e-4, 1e-5, 1e-7), strict=True):
        assert np.abs(ours - theirs).max() < tolerance


def test_slots_of_one_population_may_be_at_different_steps(digits, native):
    """One slot continues with its moments, one starts afresh; each does what it does alone."""
    shape = shape_of("[2*10]", digits)
    moments = trained(native, shape, digits, {0: epoch_of(shape, digits, REGIMES[0])})[0].moments(0)
    kept = epoch_of(shape, digits, REGIMES[0], loop=2, moments=moments)
    new = epoch_of(shape, digits, REGIMES[0], loop=2)
    both, _ = trained(native, shape, digits, {0: kept, 1: new}, runs=("pf",))
    for slot, epoch in ((0, kept), (1, new)):
        alone, _ = trained(native, shape, digits, {0: epoch})
        assert bits(both.weights(slot)) == bits(alone.weights(0))
        assert both.moments(slot).steps == alone.moments(0).steps


@pytest.mark.parametrize("architecture", ["[]", "[1*16]", "[4*47]", "[30*4]"])
def test_as_many_images_are_classified_correctly_as_in_the_reference(architecture, digits, native):
    shape = shape_of(architecture, digits)
    population, _ = trained(native, shape, digits, {0: epoch_of(shape, digits, REGIMES[0])})
    judge = EXACT.population(shape, ("f",), digits, 64)
    judge.load(0, population.weights(0))
    for part in ("validation", "test"):
        assert population.evaluate(part) == judge.evaluate(part)


def test_the_ratchet_decides_as_in_the_reference(digits, native):
    def curves(backend):
        modes = ("none", "dropout", "hidden", "output", "none/persist", "noise")
        specs = [
            TrialSpec.of("[1*12]", mode, batch_size=64, learning_rate=1e-3, meta_loops=4) for mode in modes
        ]
        trials = [Trial.fresh(spec, shape_of("[1*12]", digits)) for spec in specs]
        for group in plan(trials, backend):
            MetaLoop(
                group,
                populations_of(group, digits, backend),
                digits,
                lambda trial, entry: None,
                threading.Event(),
            ).run()
        return [
            [(e.accuracy, e.damaged, e.accepted, e.new_bounty) for e in trial.curve] for trial in trials
        ], [trial.test_accuracy for trial in trials]

    assert curves(native) == curves(EXACT)


def test_rounding_is_no_worse_than_that_of_torch(digits, native):
    """Distance of the weights to a float64 run over 30 seeds: the median at most 1.1 times torch's own."""
    shape = shape_of("[4*47]", digits)
    data = digits.head(64 * EARLY, 1, 1)
    settings = EpochSettings(learning_rate=1e-4)
    distances = {"native": [], "reference": []}
    for seed in range(30):
        weights, epoch = initial(shape, trial=seed), epoch_of(shape, data, settings, trial=seed)
        exact, *others = (
            trained(backend, shape, data, {0: epoch}, weights=weights)[0].weights(0)
            for backend in (EXACT, native, ReferenceBackend())
        )
        for name, vector in zip(distances, others, strict=True):
            distances[name].append(np.sqrt(np.mean((vector.astype(np.float64) - exact) ** 2)))
    assert np.median(distances["native"]) <= 1.1 * np.median(distances["reference"])
