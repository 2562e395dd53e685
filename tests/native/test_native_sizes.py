"""Sizes and values that nobody plans for are trained as the reference trains them."""

import dataclasses
import threading

import numpy as np
import pytest
from native_cases import EXACT, REGIMES, epoch_of, initial, made_up, reference_losses, shape_of, trained

from frustration.dataset import Part, Split
from frustration.engine.native.library import Images, Layout, NativeError

pytestmark = pytest.mark.slow

MADE_UP = {
    "one sample": ({"train": 1}, "[1*4]", 256),
    "one sample per batch": ({"train": 9}, "[2*5]", 1),
    "a batch larger than the data": ({"train": 37}, "[2*5]", 5_000),
    "a batch of many panels": ({"train": 1_300}, "[2*20]", 1_100),
    "a last batch of one": ({"train": 65}, "[2*7]", 64),
    "two classes": ({"train": 80, "classes": 2}, "[2*6]", 32),
    "one class": ({"train": 80, "classes": 1}, "[2*6]", 32),
    "more classes than a batch has samples": ({"train": 100, "features": 400, "classes": 300}, "[25*4]", 64),
    "one feature": ({"train": 50, "features": 1}, "[1*3]", 16),
    "more features than fit 16 bits": ({"train": 12, "features": 70_000}, "[1*3]", 4),
    "a bright background": ({"train": 100, "background": 255}, "[1*20]", 32),
    "a background in between": ({"train": 100, "background": 100}, "[1*20]", 32),
    "pixels that are hardly background": ({"train": 100, "lit": 0.97}, "[2*20]", 32),
    "nothing but background": ({"train": 60, "lit": 0.0}, "[2*20]", 32),
    "falling pixel values": ({"train": 60, "offset": 0.5, "step": -0.004}, "[1*20]", 32),
    "one unit": ({"train": 100}, "[1*1]", 32),
    "no hidden layer": ({"train": 100}, "[]", 32),
    "a bottleneck": ({"train": 100}, "[1*40, 1*1, 1*40]", 32),
    "two thousand layers": ({"train": 40}, "[2048*1]", 32),
    "hundreds of layers": ({"train": 40}, "[300*6]", 32),
}


@pytest.mark.parametrize("case", MADE_UP)
def test_trained_and_scored_as_in_the_reference(case, native):
    sizes, architecture, batch = MADE_UP[case]
    data = made_up(**sizes)
    shape = shape_of(architecture, data)
    epochs = {slot: epoch_of(shape, data, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, data, epochs, batch=batch)
    judge = EXACT.population(shape, ("ffff",), data, batch)
    tolerance = max(1e-5, 2e-9 * data.features)  # 70,000 terms in one sum round more
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, data, epoch, batch)
        assert len(population.step_losses[slot]) == len(expected)
        assert np.abs(population.step_losses[slot][:20] - expected[:20]).max() < tolerance
        judge.load(slot, population.weights(slot))
    assert population.evaluate("validation") == judge.evaluate("validation")


def test_no_sample_at_all(native):
    empty = Part(np.empty((0, 6), np.uint8), np.empty(0, np.int64), 2)
    data = Split("empty", empty, empty, empty, 2, 6, np.arange(256, dtype=np.float32), "")
    shape = shape_of("[1*4]", data)
    population, losses = trained(native, shape, data, {0: epoch_of(shape, data, REGIMES[0])})
    assert np.isnan(losses[0])
    assert population.evaluate("validation") == [0]
    assert (population.weights(0) == initial(shape)).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 3e38])
def test_a_network_that_is_not_finite_is_seen_to_be_so(value, digits, native):
    """Also where the weight stands before a ReLU, which must not swallow a NaN."""
    shape = shape_of("[2*8]", digits)
    weights = initial(shape)
    shape.view(weights).weights[0][3, 400] = value
    shape.view(weights).biases[-1][1] = value
    population, losses = trained(
        native, shape, digits, {0: epoch_of(shape, digits, REGIMES[0])}, weights=weights
    )
    assert not np.isfinite(losses[0])
    assert population.evaluate("validation") == [-1]


def test_a_nan_in_the_first_layer_reaches_the_outputs(digits, native):
    shape = shape_of("[2*8]", digits)
    weights = initial(shape)
    shape.view(weights).weights[0][3, 400] = np.nan
    population = native.population(shape, ("f",), digits, 64)
    population.load(0, weights)
    assert population.evaluate("validation") == score_of(shape, digits, weights) == [-1]


def score_of(shape, data, weights):
    population = EXACT.population(shape, ("f",), data, 64)
    population.load(0, weights)
    return population.evaluate("validation")


def test_the_engine_refuses_what_does_not_fit(digits, native):
    shape = shape_of("[1*4]", digits)
    population = native.population(shape, ("f",), digits, 64)
    with pytest.raises(NativeError, match="parameters"):
        population.load(0, np.zeros(3, np.float32))
    with pytest.raises(IndexError):
        population.load(1, initial(shape))
    good = epoch_of(shape, digits, REGIMES[0])
    beyond = dataclasses.replace(good, order=good.order + 1)
    with pytest.raises(NativeError, match="not there"):
        population.train({0: beyond}, threading.Event())
    layout = Layout.of(digits.train.images, 0.4)
    labels = digits.train.labels + 1
    with pytest.raises(NativeError, match="label"):
        Images(digits.train.images, labels, digits.classes, layout)
    crooked = dataclasses.replace(digits, pixel_values=digits.pixel_values**3)
    with pytest.raises(NativeError, match="evenly"):
        native.population(shape, ("f",), crooked, 64)
