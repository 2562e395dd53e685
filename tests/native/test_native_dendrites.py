"""Networks with dendrites: the equations, and all that the engine promises of other networks."""

import threading

import numpy as np
import pytest
import torch
from dendrite_reference import FUNCTIONS, Grown
from native_cases import REGIMES, bits, epoch_of, made_up, shape_of

from frustration.engine.native.backend import NativePopulation
from frustration.engine.native.build import library_path
from frustration.engine.native.library import Library, NativeError
from frustration.modes import Regime
from frustration.streams import Stream

EARLY = 20
CASES = {
    "no dendrites": ("[2*13]", (0, 0, 0)),
    "one everywhere": ("[2*13]", (1, 1, 1)),
    "three everywhere": ("[2*32]", (3, 3, 3)),
    "others in every layer": ("[1*17, 1*30]", (2, 0, 3)),
    "the output layer only": ("[1*20]", (0, 1)),
    "the first layer only": ("[2*10]", (2, 0, 0)),
    "no hidden layer": ("[]", (2,)),
    "one unit": ("[1*1]", (3, 1)),
    "many dendrites": ("[1*5]", (12, 7)),
    "a wide layer": ("[1*70, 1*3]", (1, 2, 1)),
    "a deep network": ("[12*20]", (1,) * 13),
    "a deep network whose samples become equal": ("[40*4]", (1, 0, 2, *(1,) * 38)),
}


def start(grown: Grown, seed: int = 0):
    """Weights as a network in training has them: nothing is 0."""
    vector = Stream(bytes([seed]) * 16).uniform(grown.size) * np.float32(2) - np.float32(1)
    for (_, inputs), parts in zip(grown.shape.layers, grown.cut(torch.from_numpy(vector)), strict=True):
        for part in parts[:2]:
            part *= inputs**-0.5
        for part in parts[2:]:
            part *= 0.5
    return vector


def trained(library, grown, data, epochs, batch=64, weights=None, runs=None):
    population = NativePopulation(
        library, grown.shape, runs or ("f" * len(epochs),), data, batch, grown.dendrites, grown.function
    )
    for slot in epochs:
        population.load(slot, start(grown) if weights is None else weights)
    losses = population.train(epochs, threading.Event())
    return population, losses


@pytest.mark.parametrize("case", CASES)
def test_losses_and_scores_are_those_of_the_equations(case, digits, native):
    architecture, dendrites = CASES[case]
    grown = Grown(shape_of(architecture, digits), dendrites)
    epochs = {slot: epoch_of(grown.shape, digits, regime) for slot, regime in enumerate(REGIMES)}
    population, _ = trained(native.library, grown, digits, epochs)
    for slot, epoch in epochs.items():
        exact, _ = grown.train(digits, epoch, start(grown), 64, EARLY)
        assert np.abs(population.step_losses[slot][:EARLY] - exact).max() < 1e-5
        assert population.evaluate("validation")[slot] == grown.correct(digits, population.weights(slot))


@pytest.mark.parametrize("function", FUNCTIONS)
def test_every_forward_function_is_computed_and_differentiated(function, digits, native):
    grown = Grown(shape_of("[2*11]", digits), (2, 3, 1), function)
    epoch = epoch_of(grown.shape, digits, REGIMES[0])
    population, _ = trained(native.library, grown, digits, {0: epoch})
    exact, _ = grown.train(digits, epoch, start(grown), 64, EARLY)
    assert np.abs(population.step_losses[0][:EARLY] - exact).max() < 1e-5


def test_rounding_is_no_worse_than_that_of_torch(digits, native):
    """Distance of the weights to a float64 run over 30 seeds: the median at most 1.1 times torch's own."""
    grown = Grown(shape_of("[2*20]", digits), (1, 2, 1))
    data = digits.head(64 * EARLY, 1, 1)
    distances = {"native": [], "torch": []}
    for seed in range(30):
        weights, epoch = (
            start(grown, seed),
            epoch_of(grown.shape, data, Regime(learning_rate=1e-4), trial=seed),
        )
        _, exact = grown.train(data, epoch, weights, 64, EARLY)
        _, single = grown.train(data, epoch, weights, 64, EARLY, torch.float32)
        population, _ = trained(native.library, grown, data, {0: epoch}, weights=weights)
        for name, vector in (("native", population.weights(0)), ("torch", single)):
            distances[name].append(np.sqrt(np.mean((vector - exact) ** 2)))
    assert np.median(distances["native"]) <= 1.1 * np.median(distances["torch"])


@pytest.mark.parametrize("dendrites", [(1, 1, 1), (0, 3, 0), (2, 0, 1)])
def test_neighbours_slots_and_vectors_do_not_matter(dendrites, digits, native):
    grown = Grown(shape_of("[1*37, 1*18]", digits), dendrites)
    regimes = [*REGIMES, *REGIMES[::-1]]
    epochs = {slot: epoch_of(grown.shape, digits, regime) for slot, regime in enumerate(regimes)}
    crowd, losses = trained(native.library, grown, digits, epochs)
    narrower = Library(library_path(["-mavx2", "-mfma"])) if native.library.lanes == 16 else native.library
    for slot, regime in enumerate(REGIMES):
        alone, (loss,) = trained(narrower, grown, digits, {0: epoch_of(grown.shape, digits, regime)})
        moments = alone.moments(0)
        for place in (slot, 7 - slot):
            assert bits(crowd.weights(place)) == bits(alone.weights(0))
            assert bits(crowd.moments(place).mean) == bits(moments.mean)
            assert bits(crowd.moments(place).square) == bits(moments.square)
            assert losses[place] == loss


def test_units_that_never_act_are_skipped_exactly(digits, native):
    """A unit whose sum stays far below 0 leaves its weights, T and D where weight decay takes them."""
    grown = Grown(shape_of("[2*6]", digits), (2, 2, 0))
    weights = start(grown)
    for layer in grown.cut(torch.from_numpy(weights))[:2]:
        layer[1][0, 4] = -1e4
    epochs = {0: epoch_of(grown.shape, digits, REGIMES[0]), 1: epoch_of(grown.shape, digits, REGIMES[1])}
    population, _ = trained(native.library, grown, digits, epochs, weights=weights)
    steps = population.moments(1).steps
    before = grown.cut(torch.from_numpy(weights))
    for slot, factor in ((0, 1.0), (1, (1 - REGIMES[1].learning_rate * REGIMES[1].weight_decay) ** steps)):
        after = grown.cut(torch.from_numpy(population.weights(slot)))
        for old, new in zip(before[:2], after[:2], strict=True):
            for part, moved in zip(old, new, strict=True):
                dead, alive = part[:, 4], part[:, 1]
                assert np.allclose(moved[:, 4], dead * factor, rtol=1e-5, atol=0 if slot else 1e-12)
                assert not np.allclose(moved[:, 1], alive * factor, rtol=1e-5)


def test_a_grown_network_goes_on_where_it_was_with_moments_and_all(digits, native):
    grown = Grown(shape_of("[1*12]", digits), (2, 1))
    first, _ = trained(native.library, grown, digits, {0: epoch_of(grown.shape, digits, REGIMES[0])})
    moments, weights = first.moments(0), first.weights(0)
    assert moments.mean.shape == moments.square.shape == weights.shape == (grown.size,)
    kept = epoch_of(grown.shape, digits, REGIMES[0], loop=2, moments=moments)
    fresh = epoch_of(grown.shape, digits, REGIMES[0], loop=2)
    both, _ = trained(native.library, grown, digits, {0: kept, 1: fresh}, weights=weights, runs=("pf",))
    again, _ = trained(native.library, grown, digits, {0: kept}, weights=weights)
    assert bits(both.weights(0)) == bits(again.weights(0)) != bits(both.weights(1))


def test_weights_come_out_as_they_went_in(digits, native):
    for architecture, dendrites in CASES.values():
        grown = Grown(shape_of(architecture, digits), dendrites)
        population = NativePopulation(native.library, grown.shape, ("ff",), digits, 64, dendrites)
        for slot in range(2):
            population.load(slot, start(grown, slot))
        assert all(bits(population.weights(slot)) == bits(start(grown, slot)) for slot in range(2))


HOSTILE = {
    "one sample": ({"train": 1}, "[1*4]", (1, 1), 256),
    "one sample per batch": ({"train": 9}, "[2*5]", (2, 1, 1), 1),
    "a batch larger than the data": ({"train": 37}, "[2*5]", (1, 3, 1), 5_000),
    "a batch of many panels": ({"train": 1_300}, "[2*20]", (1, 1, 1), 1_100),
    "one class": ({"train": 80, "classes": 1}, "[2*6]", (1, 1, 1), 32),
    "more classes than a batch has samples": (
        {"train": 100, "features": 400, "classes": 300},
        "[25*4]",
        (1,) * 26,
        64,
    ),
    "one feature": ({"train": 50, "features": 1}, "[1*3]", (3, 3), 16),
    "hundreds of layers": ({"train": 40}, "[300*6]", (1,) * 301, 32),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_hostile_sizes(case, native):
    sizes, architecture, dendrites, batch = HOSTILE[case]
    data = made_up(**sizes)
    grown = Grown(shape_of(architecture, data), dendrites)
    epochs = {slot: epoch_of(grown.shape, data, regime) for slot, regime in enumerate(REGIMES)}
    population, _ = trained(native.library, grown, data, epochs, batch)
    for slot, epoch in epochs.items():
        exact, _ = grown.train(data, epoch, start(grown), batch, EARLY)
        assert np.abs(population.step_losses[slot][:EARLY] - exact).max() < 1e-5


@pytest.mark.parametrize("part", range(4))
def test_what_is_not_finite_is_seen_to_be_so(part, digits, native):
    """In a dendrite's weights or bias, in T or in D."""
    grown = Grown(shape_of("[2*8]", digits), (2, 2, 2))
    weights = start(grown)
    grown.cut(torch.from_numpy(weights))[1][part][-1] = np.nan
    population, losses = trained(
        native.library, grown, digits, {0: epoch_of(grown.shape, digits, REGIMES[0])}, weights=weights
    )
    assert not np.isfinite(losses[0])
    assert population.evaluate("validation") == [-1]


def test_numbers_of_dendrites_that_do_not_fit_are_refused(digits, native):
    shape = shape_of("[1*4]", digits)
    for dendrites, reason in (((1,), "2 layers"), ((1, -1), "rows"), ((1 << 30, 0), "rows")):
        with pytest.raises(NativeError, match=reason):
            NativePopulation(native.library, shape, ("f",), digits, 64, dendrites)
