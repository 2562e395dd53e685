"""What the tests of the native engine share: made-up data, epochs, and populations trained for one."""

import threading

import numpy as np
import torch

from frustration.architecture import Architecture
from frustration.dataset import Part, Split
from frustration.engine.population import Epoch
from frustration.engine.reference import ReferenceBackend
from frustration.modes import EpochSettings
from frustration.network import Shape
from frustration.streams import Stream, Streams

EXACT = ReferenceBackend(torch.float64)
RATE = 1e-3
REGIMES = (
    EpochSettings(learning_rate=RATE),
    EpochSettings(learning_rate=RATE, weight_decay=0.5),
    EpochSettings(learning_rate=RATE, dropout=0.1),
    EpochSettings(learning_rate=RATE / 3, weight_decay=1e-4, dropout=0.5),
)
"""Treatments that act during an epoch, at two learning rates: slots of one population may differ so."""


def shape_of(architecture: str, data: Split) -> Shape:
    return Shape(Architecture.parse(architecture), data.features, data.classes)


def initial(shape: Shape, trial: int = 0):
    return shape.initial(Streams(0, trial, shape.architecture).stream("init", loop=1))


def epoch_of(
    shape: Shape, data: Split, settings: EpochSettings, trial: int = 0, loop: int = 1, moments=None
) -> Epoch:
    streams = Streams(0, trial, shape.architecture)
    return Epoch(
        order=streams.order(loop, len(data.train)),
        settings=settings,
        dropout_key=streams.dropout_key(loop),
        moments=moments,
    )


def trained(
    backend, shape: Shape, data: Split, epochs: dict[int, Epoch], runs=None, batch: int = 64, weights=None
):
    """A population after one epoch, and its mean losses; every slot starts from the same weights."""
    slots = max(epochs) + 1
    population = backend.population(shape, runs or ("f" * slots,), data, batch)
    for slot in epochs:
        population.load(slot, initial(shape) if weights is None else weights)
    losses = population.train(epochs, threading.Event())
    return population, losses


def reference_losses(shape: Shape, data: Split, epoch: Epoch, batch: int = 64, weights=None) -> list[float]:
    """The loss of every step of one network in the reference, in float64: where torch's rounding puts an
    activation on the other side of 0, its own losses part from these by more than the tolerance."""
    population, _ = trained(EXACT, shape, data, {0: epoch}, batch=batch, weights=weights)
    return population.step_losses


def made_up(
    train: int,
    features: int = 30,
    classes: int = 3,
    background: int = 0,
    lit: float = 0.2,
    held_out: int = 40,
    offset: float = -0.4,
    step: float = 0.012,
) -> Split:
    """Images of random bytes with a label that shows in one pixel; a share `lit` is not background."""
    stream = Stream(b"made-up pictures")

    def part(count: int) -> Part:
        labels = (stream.bits(count) % np.uint64(classes)).astype(np.int64)
        noise = (stream.bits(count * features) >> np.uint64(56)).astype(np.uint8).reshape(count, features)
        bright = stream.uniform(count * features).reshape(count, features) < lit
        images = np.where(bright, noise, np.uint8(background))
        images[np.arange(count), labels % features] = 255 - background
        return Part(images, labels, classes)

    values = np.float32(offset) + np.arange(256, dtype=np.float32) * np.float32(step)
    return Split.of("made-up", part(train), part(held_out), part(held_out), values)


def numbers(train: int, features: int = 11, classes: int = 4, held_out: int = 40) -> Split:
    """Rows of numbers around 0, one in eight of them exactly 0, whose label shows in a few of them."""
    stream = Stream(b"made-up numbers!")

    def part(count: int) -> Part:
        labels = (stream.bits(count) % np.uint64(classes)).astype(np.int64)
        rows = (stream.uniform(count * features).reshape(count, features) - 0.5) * 4
        rows[stream.uniform(count * features).reshape(count, features) < 1 / 8] = 0
        rows[np.arange(count), labels % features] += 2
        return Part(rows.astype(np.float32), labels, classes)

    return Split.of("numbers", part(train), part(held_out), part(held_out))


def bits(vector) -> bytes:
    return np.ascontiguousarray(vector).tobytes()
