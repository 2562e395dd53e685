"""K networks' parameters as one, and AdamW over all of them at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from frustration.engine.population import Epoch, Moments
from frustration.network import Shape, Vector

BETAS, EPSILON = (0.9, 0.999), 1e-8


ALIGNMENT = 16
"""Floats in a cache line. Matrix libraries round differently where a matrix starts elsewhere (of 1,944
shapes of small batched products, the slots of 156 differed in their last bits; of none when each slot
began on a line of its own: measured with MKL). Aligned, the slots of a population are equals."""


def aligned(count: int) -> int:
    """The value rounded up to a multiple of the alignment."""
    return -(-count // ALIGNMENT) * ALIGNMENT


class Stack:
    """K flat vectors, layer by layer: `weights[l]` is [K, rows, inputs], `biases[l]` [K, rows, 1].

    A unit is a row, and so is each of its D dendrites; `tops[l]` [K, D, units, 1] and `links[l]` [K, pairs,
    units, 1] are what they weigh.

    Every matrix begins on a cache line. The first layer alone is dense in all cases, because the networks
    that share a batch are multiplied as one matrix; with 784 or 3,072 features it is aligned by itself.
    """

    def __init__(self, shape: Shape, slots: int, device: torch.device) -> None:
        sizes = [part for layer in shape.parts for part in layer if part]
        room = [sizes[0], *map(aligned, sizes[1:])]
        lengths = [aligned(slots * size) for size in room]
        self.flat = torch.zeros(sum(lengths), device=device)
        self._rows = [
            part[: slots * size].view(slots, size)
            for part, size in zip(self.flat.split(lengths), room, strict=True)
        ]
        self.parts = [rows[:, :size] for rows, size in zip(self._rows, sizes, strict=True)]
        """[K, size] of everything, in the order of the flat vectors."""
        self.weights: list[Tensor] = []
        self.biases: list[Tensor] = []
        self.tops: list[Tensor] = []
        self.links: list[Tensor] = []
        parts = iter(self.parts)
        for (units, inputs), dendrites in zip(shape.layers, shape.dendrites, strict=True):
            none = self.flat.new_empty(slots, 0, units, 1)
            self.weights.append(next(parts).unflatten(1, (-1, inputs)))
            self.biases.append(next(parts).unsqueeze(2))
            self.tops.append(_vectors(next(parts), units) if dendrites else none)
            self.links.append(_vectors(next(parts), units) if dendrites > 1 else none)

    def spans(self, slot: int) -> list[Tensor]:
        """The place of one network, with its padding, which stays zero."""
        return [rows[slot] for rows in self._rows]

    def write(self, slot: int, vector: Vector) -> None:
        views = [part[slot] for part in self.parts]
        source = torch.from_numpy(vector).split([len(view) for view in views])
        for view, values in zip(views, source, strict=True):
            view.copy_(values)

    def read(self, slot: int) -> Vector:
        return torch.cat([part[slot] for part in self.parts]).cpu().numpy()


def _vectors(part: Tensor, units: int) -> Tensor:
    """[K, count, units, 1] of [K, count * units]."""
    vectors: Tensor = part.unflatten(1, (-1, units))
    return vectors.unsqueeze(3)


class FusedAdamW:
    """AdamW without decay over a population.

    One fused operation over one flat vector where every slot starts afresh in every loop: all are at the
    same step. Where some slots keep their moments, each slot has a count of its own and the operation
    takes a list. Which of the two is a matter of the population's policies alone: a loop must not depend
    on who rests in it.
    """

    def __init__(self, shape: Shape, policies: str, parameters: Stack, gradients: Stack) -> None:
        slots, device = len(policies), parameters.flat.device
        self.mean, self.square = Stack(shape, slots, device), Stack(shape, slots, device)
        self.together = set(policies) == {"f"}
        self.counters = [torch.zeros((), device=device) for _ in range(1 if self.together else slots)]
        stacks = (parameters, gradients, self.mean, self.square)
        if self.together:
            self._lists = [*([stack.flat] for stack in stacks), self.counters]
        else:
            parts = [[part for slot in range(slots) for part in stack.spans(slot)] for stack in stacks]
            each = len(self.mean.spans(0))
            self._lists = [*parts, [counter for counter in self.counters for _ in range(each)]]

    def begin(self, epochs: Mapping[int, Epoch]) -> None:
        """Take over the moments of the slots to be trained; forget all others."""
        for tensor in (self.mean.flat, self.square.flat, *self.counters):
            tensor.zero_()
        for slot, epoch in epochs.items():
            if epoch.moments:
                if self.together:
                    raise ValueError(f"slot {slot} starts afresh in every loop and was given moments")
                self.mean.write(slot, epoch.moments.mean)
                self.square.write(slot, epoch.moments.square)
                self.counters[slot].fill_(epoch.moments.steps)

    def step(self, learning_rate: float) -> None:
        for counter in self.counters:
            counter += 1
        parameters, gradients, means, squares, counters = self._lists
        # The operation behind torch.optim.AdamW(fused=True), without that class's work around it.
        torch._fused_adamw_(
            parameters,
            gradients,
            means,
            squares,
            [],
            counters,
            lr=learning_rate,
            beta1=BETAS[0],
            beta2=BETAS[1],
            weight_decay=0.0,
            eps=EPSILON,
            amsgrad=False,
            maximize=False,
        )

    def moments(self, slot: int) -> Moments:
        steps = int(self.counters[0 if self.together else slot])
        return Moments(self.mean.read(slot), self.square.read(slot), steps)
