"""Buffers for the activations and deltas of one training step."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from frustration.engine.stack import aligned
from frustration.network import Shape


class Buffers:
    """Memory for one step of a population, whatever the width of the batch: nothing in it outlives a step."""

    def __init__(self, shape: Shape, runs: int, slots: int, widest: int, device: torch.device) -> None:
        def floats(count: int) -> Tensor:
            return torch.empty(count, device=device)

        widest = aligned(widest)
        self.runs, self.slots, self.features = runs, slots, shape.features
        self.units = [outputs for outputs, _ in shape.layers]
        self.pixels = floats(runs * widest * shape.features)
        self.activations = [floats(slots * units * widest) for units in self.units]
        # With dendrites a layer has more sums than units, and they are needed on the way back.
        self.dendrites = shape.dendrites
        rows = [(k + 1) * units if k else 0 for units, k in zip(self.units, shape.dendrites, strict=True)]
        self.sums = [floats(slots * count * widest) for count in rows]
        self.sum_deltas = floats(slots * max(rows) * widest)
        # A layer's deltas are made from those of the layer above, and of no other: two buffers take turns.
        hidden = self.units[:-1]
        self.deltas = [floats(slots * max(hidden[n::2], default=0) * widest) for n in range(2)]


class Workspace:
    """The activations and deltas of one width of batch, as views into a buffers, and the inputs of one step.

    A batch is filled up to whole cache lines by repeating its first sample, whose repetitions have no
    weight: no matrix has a ragged edge, where libraries round differently.
    """

    def __init__(self, buffers: Buffers, samples: int) -> None:
        def view(memory: Tensor, *sizes: int) -> Tensor:
            return memory[: math.prod(sizes)].view(sizes)

        slots, layers = buffers.slots, list(enumerate(buffers.units))
        self.width = width = aligned(samples)
        self.samples = samples
        shares = torch.zeros(width, device=buffers.pixels.device)
        shares[:samples] = 1 / samples
        self.shares = shares
        """[width]: the weight of each sample in the mean loss."""
        self.pixels = view(buffers.pixels, buffers.runs, width, buffers.features)
        self.batch = torch.empty(buffers.runs, width, dtype=torch.int64, device=buffers.pixels.device)
        self.activations = [view(buffers.activations[n], slots, units, width) for n, units in layers]
        self.deltas = [view(buffers.deltas[n % 2], slots, units, width) for n, units in layers[:-1]]
        grown = [
            (k + 1) * units if k else 0 for units, k in zip(buffers.units, buffers.dendrites, strict=True)
        ]
        self.sums = [
            view(buffers.sums[n], slots, rows, width) if rows else self.activations[n]
            for n, rows in enumerate(grown)
        ]
        """[slots, rows, width] before dendrites join their units: the activations where there are none."""
        self.sum_deltas = [view(buffers.sum_deltas, slots, rows, width) for rows in grown]

    def fill(self, batch: Tensor) -> None:
        """Take the samples [runs, samples] of the next step."""
        self.batch[:, : self.samples] = batch
        self.batch[:, self.samples :] = batch[:, :1]
