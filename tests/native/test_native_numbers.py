"""Samples that are numbers: the first layer without its tricks for images, held to the reference."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from native_cases import EXACT, REGIMES, bits, epoch_of, numbers, reference_losses, shape_of, trained

from frustration.dataset import Part, Split
from frustration.engine.native.library import Images, Layout, NativeError
from frustration.engine.torch import TorchBackend
from frustration.streams import Stream

EARLY = 20
ARCHITECTURES = ["[]", "[1*1]", "[1*70]", "[2*33]", "[3*4, 1*2]", "[20*24]"]


def rows_of(width: int) -> Split:
    return numbers(700, features=width, classes=3)


@pytest.mark.parametrize("width", [1, 11, 54, 130])
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_early_losses_are_those_of_the_reference_for_mixed_treatments(architecture, width, native):
    data = rows_of(width)
    shape = shape_of(architecture, data)
    epochs = {slot: epoch_of(shape, data, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, data, epochs)
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, data, epoch)
        assert np.abs(population.step_losses[slot][:EARLY] - expected[:EARLY]).max() < 1e-5


@pytest.mark.parametrize("architecture", ["[1*5]", "[2*33]"])
def test_torch_computes_what_the_reference_computes(architecture):
    data = rows_of(11)
    shape = shape_of(architecture, data)
    first = epoch_of(shape, data, REGIMES[0])
    epochs = {slot: dataclasses.replace(first, settings=REGIMES[slot]) for slot in range(3)}
    population, losses = trained(TorchBackend(), shape, data, epochs)
    for slot, epoch in epochs.items():
        judge, (loss,) = trained(EXACT, shape, data, {0: epoch})
        assert abs(losses[slot] - loss) < 1e-5
        assert np.abs(population.weights(slot) - judge.weights(0)).max() < 1e-4
        assert population.evaluate("test")[slot] == judge.evaluate("test")[0]


@pytest.mark.parametrize("dendrites", [(1,), (2, 0, 1)])
def test_grown_networks_too(dendrites, native):
    data = rows_of(11)
    bare = shape_of("[2*9]", data)
    shape = bare.with_dendrites(dendrites * 3 if len(dendrites) == 1 else dendrites)
    weights = (Stream(b"dendrites of nrs").uniform(shape.size) - np.float32(0.5)) * np.float32(0.5)
    epochs = {slot: epoch_of(shape, data, settings) for slot, settings in enumerate(REGIMES)}
    population, _ = trained(native, shape, data, epochs, weights=weights)
    for slot, epoch in epochs.items():
        expected = reference_losses(shape, data, epoch, weights=weights)
        assert np.abs(population.step_losses[slot][:EARLY] - expected[:EARLY]).max() < 1e-5


def test_bytes_as_numbers_train_as_images_do(digits, native):
    """What pixels are worth, given as numbers: the same networks up to rounding."""
    fed = Split.of(
        "fed",
        *(
            Part(digits.inputs(part.images), part.labels, part.classes)
            for part in (digits.train, digits.validation, digits.test)
        ),
    )
    shape = shape_of("[2*20]", digits)
    found = []
    for data in (digits, fed):
        population, _ = trained(native, shape, data, {0: epoch_of(shape, data, REGIMES[0])})
        found.append((population.step_losses[0], population.evaluate("validation")))
    assert np.abs(found[0][0][:EARLY] - found[1][0][:EARLY]).max() < 1e-5
    assert abs(found[0][1][0] - found[1][1][0]) <= 2


def test_numbers_are_read_where_they_lie(native):
    """In any order of memory, and from whatever part of a larger array."""
    data = rows_of(11)
    wide = np.asfortranarray(np.repeat(data.train.images, 2, axis=1))
    other = Split.of("other", Part(wide[:, ::2], data.train.labels, 3), data.validation, data.test)
    shape = shape_of("[1*9]", data)
    ours, theirs = (
        trained(native, shape, one, {0: epoch_of(shape, one, REGIMES[1])})[0] for one in (data, other)
    )
    assert data.digest == other.digest
    assert bits(ours.weights(0)) == bits(theirs.weights(0))


def test_a_part_of_another_width_is_refused():
    data = rows_of(11)
    layout = Layout.of(data.train.images, 0.4)
    assert (layout.core, list(layout.order)) == (11, list(range(11)))
    with pytest.raises(NativeError, match="do not fit"):
        Images(data.train.images[:, :10], data.train.labels, 3, layout)


def test_a_network_that_diverges_is_distinguished_from_one_that_learns(native):
    data = rows_of(11)
    shape = shape_of("[1*9]", data)
    population = native.population(shape, ("ff",), data, 64)
    population.load(0, np.full(shape.size, np.float32(3e38)))
    population.load(1, np.zeros(shape.size, np.float32))
    epoch = epoch_of(shape, data, REGIMES[0])
    losses = population.train({0: epoch, 1: epoch}, threading.Event())
    assert not np.isfinite(losses[0])
    assert np.isfinite(losses[1])
    assert population.evaluate("validation")[0] == -1
    assert torch.isfinite(torch.from_numpy(population.weights(1))).all()
