"""The plain reference: nn.Linear, autograd and torch.optim.AdamW, one network at a time.

Every faster backend is held to this one by tests. It is written to be read, not to be quick.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from frustration.dataset import Split
from frustration.dataset.split import Samples
from frustration.dendrites.module import DendriticMLP
from frustration.engine.one_thread import one_thread
from frustration.engine.population import Epoch, Interrupted, Moments, Part
from frustration.engine.slots import SlotLayout
from frustration.modes import EpochSettings
from frustration.network import Shape, Vector, from_state, to_state
from frustration.simple_mlp import SimpleMLP
from frustration.streams import dropout_keep

Module = SimpleMLP | DendriticMLP


class ReferencePopulation:
    """Independent networks, trained one after another."""

    def __init__(self, shape: Shape, slots: int, data: Split, batch_size: int, dtype: torch.dtype) -> None:
        self.shape, self.data, self.batch_size, self.dtype = shape, data, batch_size, dtype
        self.networks = [_module(shape) for _ in range(slots)]
        self.optimizers: list[torch.optim.AdamW | None] = [None] * slots
        for network in self.networks:
            network.to(dtype)

    def load(self, slot: int, weights: Vector) -> None:
        parameters = dict(self.networks[slot].named_parameters())
        for name, values in self._named(weights).items():
            parameters[name].data = values

    def weights(self, slot: int) -> Vector:
        return self._vector(dict(self.networks[slot].named_parameters()))

    def moments(self, slot: int) -> Moments:
        network, optimizer = self.networks[slot], self.optimizers[slot]
        if optimizer is None:
            raise ValueError(f"slot {slot} has not been trained")
        states = {name: optimizer.state[parameter] for name, parameter in network.named_parameters()}
        mean, square = (
            self._vector({name: state[moment] for name, state in states.items()})
            for moment in ("exp_avg", "exp_avg_sq")
        )
        return Moments(mean, square, int(next(iter(states.values()))["step"]))

    @one_thread()
    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        losses = [float("nan")] * len(self.networks)
        for slot, epoch in epochs.items():
            losses[slot] = self._train_one(slot, epoch, stop)
        return losses

    def _train_one(self, slot: int, epoch: Epoch, stop: threading.Event) -> float:
        """One epoch of one network; the mean over its steps' losses."""
        network = self.networks[slot].train()
        self.optimizers[slot] = optimizer = self._optimizer(network, epoch)
        images, labels = self.data.train.images, torch.from_numpy(self.data.train.labels)
        losses = []
        for step, start in enumerate(range(0, len(epoch.order), self.batch_size)):
            if stop.is_set():
                raise Interrupted
            batch = epoch.order[start : start + self.batch_size]
            logits = self._forward(
                network, self._inputs(images[batch]), epoch.settings, epoch.dropout_key, step
            )
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        self.step_losses = losses
        return sum(losses) / len(losses)

    def _forward(
        self, network: Module, pixels: torch.Tensor, settings: EpochSettings, key: int, step: int
    ) -> torch.Tensor:
        """Logits in training, with the masks of the dropout stream in place of nn.Dropout's own."""
        if settings.dropout == 0:
            undropped: torch.Tensor = network(pixels)
            return undropped
        *hidden, output = network.linear_layers
        activations = pixels
        for layer, linear in enumerate(hidden):
            activations = functional.relu(linear(activations))
            units, samples = activations.shape[1], len(pixels)
            keep = torch.from_numpy(dropout_keep(key, step, layer, units, samples, settings.dropout).T)
            activations = torch.where(keep, activations * (1 / (1 - settings.dropout)), 0.0)
        logits: torch.Tensor = output(activations)
        return logits

    def _optimizer(self, network: Module, epoch: Epoch) -> torch.optim.AdamW:
        optimizer = torch.optim.AdamW(
            network.parameters(),
            lr=epoch.settings.learning_rate,
            weight_decay=epoch.settings.weight_decay,
            foreach=False,
        )
        if epoch.moments is not None:
            mean, square = self._named(epoch.moments.mean), self._named(epoch.moments.square)
            for name, parameter in network.named_parameters():
                step = torch.tensor(float(epoch.moments.steps))
                moments = {"exp_avg": mean[name], "exp_avg_sq": square[name]}
                optimizer.state[parameter] = {"step": step, **moments}
        return optimizer

    def _named(self, vector: Vector) -> dict[str, torch.Tensor]:
        """The parts of a flat vector by the names of the parameters, copied."""
        state = to_state(self.shape.view(vector))
        return {name: torch.tensor(values, dtype=self.dtype) for name, values in state.items()}

    def _vector(self, named: Mapping[str, torch.Tensor]) -> Vector:
        """Float32 whatever is computed in: what leaves a population is what a checkpoint can keep."""
        arrays = {name: values.detach().float().numpy() for name, values in named.items()}
        return from_state(self.shape, arrays).vector

    def _inputs(self, images: Samples) -> torch.Tensor:
        return torch.from_numpy(self.data.inputs(images)).to(self.dtype)

    @one_thread()
    @torch.no_grad()
    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[int]:
        samples = getattr(self.data, part)
        inputs, labels = self._inputs(samples.images), torch.from_numpy(samples.labels)
        correct = []
        for slot, network in enumerate(self.networks):
            if stop is not None and stop.is_set():
                raise Interrupted
            if slots is not None and slot not in slots:
                correct.append(-1)
                continue
            logits = network.eval()(inputs)
            finite = bool(torch.isfinite(logits).all())
            correct.append(int((logits.argmax(1) == labels).sum()) if finite else -1)
        return correct


class ReferenceBackend:
    """One network at a time; nothing beside it can matter."""

    name = "reference"
    depends_on_group = False

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.dtype = dtype

    def population(
        self, shape: Shape, layout: Iterable[str], data: Split, batch_size: int
    ) -> ReferencePopulation:
        return ReferencePopulation(shape, SlotLayout(layout).slots, data, batch_size, self.dtype)

    def group_limit(self, shape: Shape, batch_size: int) -> int:
        return 1

    def numerics(self) -> dict[str, Any]:
        cpu = torch.backends.cpu.get_cpu_capability()
        return {"backend": self.name, "torch": torch.__version__, "device": "cpu", "vector": cpu}


def _module(shape: Shape) -> Module:
    if shape.grown:
        return DendriticMLP.of(shape.view(np.zeros(shape.size, np.float32)))
    return SimpleMLP(shape.architecture, shape.features, shape.classes)
