"""Networks of a problem as one: stacked tensors, `torch.func.vmap`, and one optimizer over all of them.

The plain loop of `population` is its reference. A network's tensors are rows of the stack, so whatever is not
a step of training (loading, judging, a loop with dropout) is done by the plain loop, on the same memory.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap

from frustration.any_network import Problem
from frustration.engine.module.data import ProblemData, data_of, to_device
from frustration.engine.module.population import ModuleBackend, ModulePopulation
from frustration.engine.module.probe import seeded
from frustration.engine.module.shape import ModuleShape, shape_of
from frustration.engine.one_thread import one_thread
from frustration.engine.population import Epoch, Interrupted, Order
from frustration.engine.slots import SlotLayout
from frustration.errors import kind_and_first_line
from frustration.references import ProblemReference

STACK = 8
"""Networks in a stack at most: with more it was not measured."""
FEWEST = 3
"""With fewer it was slower than the plain loop, which then trains them."""
TOLERANCE = 1e-4
"""By which gradients of the two ways may differ, as a share of the network's largest; losses and statistics,
as a share of themselves."""
CHECKED_BATCH = 16
ROW = 16
"""Rows of the stack begin at multiples of so many numbers: all alike for the processor."""


class _LossOf(nn.Module):
    """A network with its loss: what is called with stacked tensors."""

    def __init__(self, problem: Problem, network: nn.Module) -> None:
        super().__init__()
        self.problem, self.network = problem, network

    def forward(self, batch: Any) -> Tensor:
        return self.problem.loss(self.network, batch).reshape(())


class StackedPopulation(ModulePopulation):
    """All its slots take every step together, at work or not: bits depend on how many there are, and on
    nothing else of the neighbours."""

    def __init__(
        self, shape: ModuleShape, slots: int, data: ProblemData, batch_size: int, device: torch.device
    ) -> None:
        super().__init__(shape, slots, data, batch_size, device)
        trained = shape.parameters
        whole = torch.zeros(slots, -(-trained // ROW) * ROW, device=device)
        self.weights_of_all = whole[:, :trained]
        self.gradients = torch.zeros_like(whole)[:, :trained]
        self.stack: dict[str, Tensor] = {}
        for name, tensor in zip(shape.names, shape.tensors(self.networks[0]), strict=True):
            if shape.places[name].stop <= trained:
                stacked = self.weights_of_all[:, shape.places[name]].view(slots, *tensor.shape)
                self.stack[f"network.{name}"] = stacked.detach().requires_grad_()
            else:
                stacked = tensor.expand(slots, *tensor.shape).clone()
                self.stack[f"network.{name}"] = stacked
            for slot, network in enumerate(self.networks):
                _put(network, name, stacked[slot])
        self.leaves = [tensor for tensor in self.stack.values() if tensor.requires_grad]
        self.rows = [nn.Parameter(row) for row in self.weights_of_all.detach()]
        for row, gradient in zip(self.rows, self.gradients, strict=True):
            row.grad = gradient
        self.stacked: frozenset[int] = frozenset()
        """Slots whose last loop was in the stack."""
        self.skeleton = _LossOf(self.problem, self.networks[0])
        self.losses = vmap(lambda stack, batch: functional_call(self.skeleton, stack, (batch,)))

    def _parameters(self, slot: int) -> list[nn.Parameter]:
        """Of an optimizer that trains the slot in the stack; of a loop with dropout as in the plain loop."""
        return [self.rows[slot]] if slot in self.stacked else super()._parameters(slot)

    @one_thread()
    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        together = {slot: epoch for slot, epoch in epochs.items() if not epoch.settings.dropout}
        alone = {slot: epoch for slot, epoch in epochs.items() if slot not in together}
        self.stacked = self.stacked.difference(alone).union(together)
        losses = super().train(alone, stop)
        if together:
            trained = {slot: self.weights(slot) for slot in alone}
            optimizers = self._optimizers(together)
            found = self._train_together({s: e.order for s, e in together.items()}, optimizers, stop)
            for slot in together:
                losses[slot] = found[slot]
            for slot, weights in trained.items():  # its statistics have moved with the stack
                self.load(slot, weights)
        return losses

    def _optimizers(self, epochs: Mapping[int, Epoch]) -> list[torch.optim.Optimizer]:
        """One for all slots with the same settings; each remembers every row for itself."""
        made = {}
        for settings in dict.fromkeys(epoch.settings for epoch in epochs.values()):
            alike = [slot for slot, epoch in epochs.items() if epoch.settings == settings]
            optimizer = self.problem.optimizer([self.rows[slot] for slot in alike], settings)
            made[settings] = optimizer
            for slot in alike:
                self.optimizers[slot] = optimizer
                if (memory := epochs[slot].moments) is not None:
                    self._restore(optimizer, [self.rows[slot]], memory)
        return list(made.values())

    def _train_together(
        self, orders: Mapping[int, Order], optimizers: list[torch.optim.Optimizer], stop: threading.Event
    ) -> list[float]:
        self.networks[0].train()
        anyone = next(iter(orders.values()))
        order = torch.from_numpy(np.stack([orders.get(slot, anyone) for slot in range(len(self.networks))]))
        total, steps = torch.zeros(len(self.networks), dtype=torch.float64, device=self.device), 0
        for numbers in order.split(self.batch_size, 1):
            if stop.is_set():
                raise Interrupted
            total += self.backward(numbers)
            for optimizer in optimizers:
                optimizer.step()
            steps += 1
        return [float(loss) / steps for loss in total]

    def backward(self, numbers: Tensor) -> Tensor:
        """The loss of every slot on its samples `numbers` [slots, batch]; `gradients` are theirs."""
        tensors = self.data.parts["train"].tensors
        assert tensors is not None
        batch = to_device(tuple(one[numbers] for one in tensors), self.device)
        with self._precision():
            losses: Tensor = self.losses(self.stack, batch if len(batch) > 1 else batch[0])
        found = torch.autograd.grad(losses.sum(), self.leaves)
        torch.cat([one.reshape(len(one), -1) for one in found], 1, out=self.gradients)
        return losses.detach()

    def plain_step(self, slot: int, numbers: Tensor) -> tuple[Tensor, Tensor]:
        """The loss of one slot on samples, and its gradient, as the plain loop computes them."""
        network = self.networks[slot].train()
        parameters = super()._parameters(slot)
        batch = to_device(self.data.parts["train"].batch(numbers.numpy()), self.device)
        with self._precision():
            loss = self.problem.checked_loss(network, batch)
        found = torch.autograd.grad(loss, parameters)
        return loss.detach(), torch.cat([one.reshape(-1) for one in found])


class StackedBackend(ModuleBackend):
    """Networks of a problem, three to eight as one. What has grown is trained by the plain loop."""

    name = "module-stacked"
    depends_on_group = True

    def population(
        self, shape: ModuleShape, layout: Iterable[str], data: ProblemData, batch_size: int
    ) -> ModulePopulation:
        slots = SlotLayout(layout).slots
        made = ModulePopulation if shape.grown or slots < FEWEST else StackedPopulation
        return made(shape, slots, data, batch_size, self.device)

    def group_limit(self, shape: ModuleShape, batch_size: int) -> int:
        return STACK


@functools.cache
def why_not_stacked(reference: ProblemReference, device: str) -> str | None:
    """Why networks of a problem cannot train as one; None if they can.

    The check: as many fresh networks as a stack holds take a step in both ways, each on its own samples.
    Losses, gradients and statistics are compared, and not the weights afterwards: AdamW's first step is a
    whole learning rate whatever the gradient, also where the gradient is rounding and nothing else.
    """
    kind = type(reference.problem())
    for own, what in (("train", "a training loop"), ("optimizer", "an optimizer")):
        if getattr(kind, own) is not getattr(Problem, own):
            return f"{reference} has {what} of its own"
    data = data_of(reference)
    odd = [n for n, p in shape_of(reference).module().named_parameters() if p.dtype != torch.float32]
    if odd:
        return f"{odd[0]} of {reference} is not float32"
    if data.parts["train"].tensors is None:
        return f"the training part of {reference} is a data set, and stacking takes tensors"
    try:
        return _step_in_both_ways(shape_of(reference), data, torch.device(device))
    except Exception as error:  # whatever vmap or a user's code raises is told in one sentence
        return f"torch.func cannot take the network of {reference} ({kind_and_first_line(error)})"


@one_thread()
def _step_in_both_ways(shape: ModuleShape, data: ProblemData, device: torch.device) -> str | None:
    population = StackedPopulation(shape, STACK, data, CHECKED_BATCH, device)
    for slot in range(STACK):
        population.load(slot, shape.vector_of(shape.layout.build(slot + 1)))
    numbers = torch.arange(STACK * CHECKED_BATCH).view(STACK, -1) % data.samples
    start = [population.weights(slot) for slot in range(STACK)]
    with seeded(0, device):
        plain = []
        for slot, network in enumerate(population.networks):
            before = _generator(device)
            plain.append(population.plain_step(slot, numbers[slot]))
            if not torch.equal(before, _generator(device)):
                return f"{_drawing(network)} draws random numbers in training, and each trial has its own"
        after = [population.weights(slot) for slot in range(STACK)]
        for slot in range(STACK):
            population.load(slot, start[slot])
        population.networks[0].train()
        losses = population.backward(numbers)
    for slot, (loss, gradient) in enumerate(plain):
        largest = float(gradient.abs().max())
        agree = (
            torch.allclose(losses[slot], loss, rtol=TOLERANCE, atol=TOLERANCE)
            and torch.allclose(population.gradients[slot], gradient, rtol=0.0, atol=TOLERANCE * largest)
            and np.allclose(population.weights(slot), after[slot], rtol=TOLERANCE, atol=TOLERANCE)
        )
        if not agree:
            return (
                f"one step of {shape.reference} as a stack is not that of the plain loop "
                f"(within {TOLERANCE:g} of the largest gradient)"
            )
    return None


def _generator(device: torch.device) -> Tensor:
    return torch.cuda.get_rng_state(device) if device.type == "cuda" else torch.get_rng_state()


def _drawing(network: nn.Module) -> str:
    """The first module that drops, or the network."""
    for name, module in network.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd) and module.p:
            return f"its module {name} ({type(module).__name__})"
        if isinstance(module, (nn.MultiheadAttention, nn.RNNBase)) and module.dropout:
            return f"its module {name} ({type(module).__name__})"
    return "its network"


def _put(network: nn.Module, name: str, tensor: Tensor) -> None:
    """Store a parameter or buffer of a network in the stack; a parameter stays the same object."""
    module, _, own = name.rpartition(".")
    owner = network.get_submodule(module)
    if own in owner._buffers:
        owner._buffers[own] = tensor.detach()
    else:
        owner.get_parameter(own).data = tensor.detach()
