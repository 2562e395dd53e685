"""K networks' parameters as one, and AdamW over all of them at once."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from frustration.engine.population import Epoch, Moments
from frustration.network import Shape, Vector

BETAS, EPSILON = (0.9, 0.999), 1e-8


class Stack:
    """K flat vectors, layer by layer: `weights[l]` is [K, outputs, inputs], `biases[l]` [K, outputs, 1]."""

    def __init__(self, shape: Shape, slots: int, device: torch.device) -> None:
        self.flat = torch.zeros(slots * shape.size, device=device)
        sizes = [part for outputs, inputs in shape.layers for part in (outputs * inputs, outputs)]
        parts = self.flat.split([slots * size for size in sizes])
        self.weights = [
            part.view(slots, *layer) for part, layer in zip(parts[0::2], shape.layers, strict=True)
        ]
        self.biases = [part.view(slots, -1, 1) for part in parts[1::2]]

    def tensors(self, slot: int) -> list[Tensor]:
        """Views of one network: W0, b0, W1, b1, …, as a flat vector has them."""
        pairs = zip(self.weights, self.biases, strict=True)
        return [part[slot].view(-1) for pair in pairs for part in pair]

    def write(self, slot: int, vector: Vector) -> None:
        views = self.tensors(slot)
        source = torch.from_numpy(vector).split([len(view) for view in views])
        for view, values in zip(views, source, strict=True):
            view.copy_(values)

    def read(self, slot: int) -> Vector:
        return torch.cat(self.tensors(slot)).cpu().numpy()


class FusedAdamW:
    """AdamW without decay over a population.

    One fused operation over one flat vector where every slot starts afresh in every loop: all are at the
    same step. Where some slots keep their moments, each slot has a count of its own and the operation
    takes a list. Which of the two is a matter of the population's policies alone, because they round
    differently, and a loop must not depend on who rests in it.
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
            parts = [[part for slot in range(slots) for part in stack.tensors(slot)] for stack in stacks]
            each = len(self.mean.tensors(0))
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
