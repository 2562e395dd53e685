"""Networks with dendrites: the equations, and all that the engine promises of other networks."""

import numpy as np
import pytest
from native_cases import EXACT, REGIMES, bits, epoch_of, made_up, reference_losses, shape_of, trained

from frustration.engine.native import NativeBackend
from frustration.engine.native.build import library_path
from frustration.engine.native.library import FORWARD_FUNCTIONS, Layout, Library, NativeError, Team
from frustration.engine.reference import ReferenceBackend
from frustration.modes import EpochSettings
from frustration.network import Shape
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


def grown(architecture: str, dendrites: tuple[int, ...], data, function: str = "sigmoid") -> Shape:
    return shape_of(architecture, data).with_dendrites(dendrites, function)


def start(shape: Shape, seed: int = 0):
    """Weights as a network in training has them: nothing is 0."""
    vector = Stream(bytes([seed]) * 16).uniform(shape.size) * np.float32(2) - np.float32(1)
    for (_, inputs), (weights, biases, tops, links) in zip(
        shape.layers, shape.view(vector).layers, strict=True
    ):
        for part in (weights, biases):
            part *= np.float32(inputs**-0.5)
        for part in (tops, links):
            part *= np.float32(0.5)
    return vector


def correct(shape: Shape, data, weights) -> list[int]:
    judge = EXACT.population(shape, ("f",), data, 64)
    judge.load(0, weights)
    return judge.evaluate("validation")


@pytest.mark.parametrize("case", CASES)
def test_losses_and_scores_are_those_of_the_reference(case, digits, native):
    shape = grown(*CASES[case], digits)
    epochs = {slot: epoch_of(shape, digits, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, digits, epochs, weights=start(shape))
    scores = population.evaluate("validation")
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, digits, epoch, weights=start(shape))
        assert np.abs(population.step_losses[slot] - expected)[:EARLY].max() < 1e-5
        assert [scores[slot]] == correct(shape, digits, population.weights(slot))


@pytest.mark.parametrize("function", FORWARD_FUNCTIONS)
def test_every_forward_function_is_computed_and_differentiated(function, digits, native):
    shape = grown("[2*11]", (2, 3, 1), digits, function)
    epoch = epoch_of(shape, digits, REGIMES[0])
    population, _ = trained(native, shape, digits, {0: epoch}, weights=start(shape))
    expected = reference_losses(shape, digits, epoch, weights=start(shape))
    assert np.abs(population.step_losses[0] - expected)[:EARLY].max() < 1e-5


def test_rounding_is_no_worse_than_that_of_torch(digits, native):
    """Distance of the weights to a float64 run over 30 seeds: the median at most 1.1 times torch's own."""
    data = digits.head(64 * EARLY, 1, 1)
    shape = grown("[2*20]", (1, 2, 1), data)
    distances = {"native": [], "reference": []}
    for seed in range(30):
        weights, epoch = (
            start(shape, seed),
            epoch_of(shape, data, EpochSettings(learning_rate=1e-4), trial=seed),
        )
        exact, *others = (
            trained(backend, shape, data, {0: epoch}, weights=weights)[0].weights(0).astype(np.float64)
            for backend in (EXACT, native, ReferenceBackend())
        )
        for name, vector in zip(distances, others, strict=True):
            distances[name].append(np.sqrt(np.mean((vector - exact) ** 2)))
    assert np.median(distances["native"]) <= 1.1 * np.median(distances["reference"])


@pytest.mark.parametrize("dendrites", [(1, 1, 1), (0, 3, 0), (2, 0, 1)])
def test_neighbours_slots_and_vectors_do_not_matter(dendrites, digits, native):
    shape = grown("[1*37, 1*18]", dendrites, digits)
    regimes = [*REGIMES, *REGIMES[::-1]]
    epochs = {slot: epoch_of(shape, digits, settings) for slot, settings in enumerate(regimes)}
    crowd, losses = trained(native, shape, digits, epochs, weights=start(shape))
    avx2 = ["-mavx2", "-mfma"]
    narrower = NativeBackend(Library(library_path(avx2))) if native.library.lanes == 16 else native
    for slot, settings in enumerate(REGIMES):
        epoch = epoch_of(shape, digits, settings)
        alone, (loss,) = trained(narrower, shape, digits, {0: epoch}, weights=start(shape))
        moments = alone.moments(0)
        for place in (slot, 7 - slot):
            assert bits(crowd.weights(place)) == bits(alone.weights(0))
            assert bits(crowd.moments(place).mean) == bits(moments.mean)
            assert bits(crowd.moments(place).square) == bits(moments.square)
            assert losses[place] == loss


def test_units_that_never_act_are_skipped_exactly(digits, native):
    """A unit whose sum stays far below 0: weight decay alone moves its weights, those in it and between."""
    shape = grown("[2*6]", (2, 2, 0), digits)
    weights = start(shape)
    for _, biases, _, _ in shape.view(weights).layers[:2]:
        biases[0, 4] = -1e4
    epochs = {slot: epoch_of(shape, digits, REGIMES[slot]) for slot in range(2)}
    population, _ = trained(native, shape, digits, epochs, weights=weights)
    decay = (1 - REGIMES[1].learning_rate * REGIMES[1].weight_decay) ** population.moments(1).steps
    for slot, factor in ((0, 1.0), (1, decay)):
        trained_layers = shape.view(population.weights(slot)).layers
        for before, after in zip(shape.view(weights).layers[:2], trained_layers[:2], strict=True):
            for old, new in zip(before, after, strict=True):
                if slot == 0:
                    assert bits(new[:, 4]) == bits(old[:, 4])
                assert np.allclose(new[:, 4], old[:, 4] * factor, rtol=1e-5)
                assert not np.allclose(new[:, 1], old[:, 1] * factor, rtol=1e-5)


def test_a_grown_network_continues_where_it_was_with_moments_and_all(digits, native):
    shape = grown("[1*12]", (2, 1), digits)
    vectors = {}
    for backend in (native, EXACT):
        epoch = epoch_of(shape, digits, REGIMES[1])
        first, _ = trained(backend, shape, digits, {0: epoch}, runs=("p",), weights=start(shape))
        moments, weights = first.moments(0), first.weights(0)
        epoch = epoch_of(shape, digits, REGIMES[2], loop=2, moments=moments)
        second, _ = trained(backend, shape, digits, {0: epoch}, runs=("p",), weights=weights)
        vectors[backend.name] = [second.weights(0), second.moments(0).mean, second.moments(0).square]
    for ours, theirs, tolerance in zip(*vectors.values(), (1e-4, 1e-5, 1e-7), strict=True):
        assert np.abs(ours - theirs).max() < tolerance


def test_weights_come_out_as_they_went_in(digits, native):
    for case in CASES.values():
        shape = grown(*case, digits)
        population = native.population(shape, ("ff",), digits, 64)
        for slot in range(2):
            population.load(slot, start(shape, slot))
        assert all(bits(population.weights(slot)) == bits(start(shape, slot)) for slot in range(2))


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
    shape = grown(architecture, dendrites, data)
    epochs = {slot: epoch_of(shape, data, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, data, epochs, batch=batch, weights=start(shape))
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, data, epoch, batch, weights=start(shape))
        assert np.abs(population.step_losses[slot] - expected)[:EARLY].max() < 1e-5


@pytest.mark.parametrize("part", range(4))
def test_what_is_not_finite_is_seen_to_be_so(part, digits, native):
    """In the weights or the bias of a dendrite, in what it weighs in its unit or in a later dendrite."""
    shape = grown("[2*8]", (2, 2, 2), digits)
    weights = start(shape)
    shape.view(weights).layers[1][part][-1] = np.nan
    epoch = epoch_of(shape, digits, REGIMES[0])
    population, losses = trained(native, shape, digits, {0: epoch}, weights=weights)
    assert not np.isfinite(losses[0])
    assert population.evaluate("validation") == [-1]


def test_numbers_of_dendrites_that_do_not_fit_are_refused(digits, native):
    layout = Layout.of(digits.train.images, 0.4)
    for dendrites, reason in (((1,), "2 layers"), ((1, -1), "rows"), ((1 << 30, 0), "rows")):
        with pytest.raises(NativeError, match=reason):
            Team(
                native.library,
                1,
                (784, 4, 10),
                dendrites,
                "sigmoid",
                digits.pixel_values,
                layout,
                batch_size=64,
            )
