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
    """AdamW without decay over a population: one fused operation where all networks are at the same step."""

    def __init__(self, shape: Shape, policies: str, parameters: Stack, gradients: Stack) -> None:
        self.policies, self.parameters, self.gradients = policies, parameters, gradients
        device = parameters.flat.device
        self.mean, self.square = Stack(shape, len(policies), device), Stack(shape, len(policies), device)
        self.class_of_slot: tuple[int, ...] = ()
        self.counters: list[Tensor] = []
        self._known: dict[tuple[int, ...], tuple[list[Tensor], tuple[list[Tensor], ...]]] = {}

    def begin(self, epochs: Mapping[int, Epoch]) -> None:
        """Take over the moments of the slots to be trained; forget all others."""
        self.mean.flat.zero_()
        self.square.flat.zero_()
        steps: dict[int, int] = {}
        for slot, epoch in epochs.items():
            steps[slot] = epoch.moments.steps if epoch.moments else 0
            if epoch.moments:
                self.mean.write(slot, epoch.moments.mean)
                self.square.write(slot, epoch.moments.square)
        # Slots that rest follow one of their policy, so that the classes are those of a full group.
        usual = {self.policies[slot]: count for slot, count in steps.items()}
        classes = [
            (policy, steps.get(slot, usual.get(policy, 0))) for slot, policy in enumerate(self.policies)
        ]
        distinct = sorted(set(classes))
        self.class_of_slot = tuple(distinct.index(one) for one in classes)
        if self.class_of_slot not in self._known:
            self.counters = [torch.zeros((), device=self.mean.flat.device) for _ in distinct]
            self._known[self.class_of_slot] = (self.counters, self._tensors())
        self.counters, self._lists = self._known[self.class_of_slot]
        for counter, (_, count) in zip(self.counters, distinct, strict=True):
            counter.fill_(count)

    def _tensors(self) -> tuple[list[Tensor], ...]:
        """Parameters, gradients, means, squares and step counts for the fused operation."""
        stacks = (self.parameters, self.gradients, self.mean, self.square)
        if len(self.counters) == 1:
            return (*([stack.flat] for stack in stacks), self.counters)
        lists = tuple(
            [part for slot in range(len(self.policies)) for part in stack.tensors(slot)] for stack in stacks
        )
        tensors = len(self.mean.tensors(0))
        return (*lists, [self.counters[n] for n in self.class_of_slot for _ in range(tensors)])

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
        steps = int(self.counters[self.class_of_slot[slot]])
        return Moments(self.mean.read(slot), self.square.read(slot), steps)
