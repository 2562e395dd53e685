"""A SimpleMLP in the library's process: its data, its epochs, its scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from perforatedai import globals_perforatedai as GPA
from torch.nn import functional

from frustration.architecture import Architecture
from frustration.dendrites.module import DendriticMLP
from frustration.engine.perforated.perforated import PerforatedMLP, flat, mlp_layers
from frustration.engine.perforated.trainee import Trainee
from frustration.engine.population import Epoch, Moments, OptimizerState, Part
from frustration.modes import EpochSettings
from frustration.network import Network, Shape, Vector
from frustration.simple_mlp import SimpleMLP
from frustration.streams import dropout_keep


class MLPTrainee(Trainee):
    """A SimpleMLP on images or rows, as the reference trains it."""

    _visitor: tuple[Network, DendriticMLP]

    def _prepare(self, what: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[bool]]:
        self.shape = Shape(Architecture.parse(what["architecture"]), what["features"], what["classes"])
        arrays = {name: held for name, held in what.items() if isinstance(held, np.ndarray)}
        self.data = {name: torch.from_numpy(array) for name, array in arrays.items()}
        self.pixel_values = self.data.pop("pixel_values", None)
        return mlp_layers(len(self.shape.outputs)), self.shape.outputs

    def _perforated(self, graphs: bool) -> PerforatedMLP:
        mlp = SimpleMLP(self.shape.architecture, self.shape.features, self.shape.classes)
        return PerforatedMLP(mlp, self.settings, graphs)

    def _invite(self, dendrites: list[int], forward_function: str, weights: Vector) -> None:
        guest = self.shape.with_dendrites(dendrites, forward_function).view(weights)
        self._visitor = guest, DendriticMLP.of(guest)

    def _guest_weights(self) -> Vector:
        return self._visitor[0].vector

    def _epoch(self, epoch: Epoch, continues: bool) -> float:
        module, settings = self.network.module.train(), epoch.settings
        if continues and self._optimizer is not None:
            optimizer = self._optimizer
            optimizer.param_groups[0].update(lr=settings.learning_rate, weight_decay=settings.weight_decay)
        else:
            self._optimizer = optimizer = self._adamw(settings, epoch.moments)
            GPA.pai_tracker.set_optimizer_instance(optimizer)  # the library lets go of it when it grows
        images, labels = self.data["train_images"], self.data["train_labels"]
        losses = []
        for step, batch in enumerate(torch.from_numpy(epoch.order).split(self.batch_size)):
            pixels = self._inputs(images[batch])
            logits = self._forward(module, pixels, settings.dropout, epoch.dropout_key, step)
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return sum(losses) / len(losses)

    def _adamw(self, settings: EpochSettings, moments: OptimizerState | None) -> torch.optim.AdamW:
        trained = [parameter for parameter in self.network.module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            trained, lr=settings.learning_rate, weight_decay=settings.weight_decay, foreach=False
        )
        if moments is None:
            return optimizer
        start = 0
        for part in self.network.parts():
            held = slice(start, start := start + part.numel())
            mean, square = (
                torch.from_numpy(moment[held].copy()).view_as(part)
                for moment in (moments.mean, moments.square)
            )
            optimizer.state[part] = {
                "step": torch.tensor(float(moments.steps)),
                "exp_avg": mean,
                "exp_avg_sq": square,
            }
        return optimizer

    def _forward(self, module: Any, pixels: torch.Tensor, rate: float, key: int, step: int) -> torch.Tensor:
        """Logits in training, with the masks of the dropout stream in place of nn.Dropout's own."""
        if rate == 0:
            undropped: torch.Tensor = module(pixels)
            return undropped
        *hidden, output = self.network.layers
        activations = pixels
        for number, layer in enumerate(hidden):
            activations = functional.relu(layer(activations))
            samples, units = activations.shape
            keep = torch.from_numpy(dropout_keep(key, step, number, units, samples, rate).T)
            activations = torch.where(keep, activations * (1 / (1 - rate)), 0.0)
        logits: torch.Tensor = output(activations)
        return logits

    def _memory(self) -> OptimizerState:
        assert self._optimizer is not None
        states = [self._optimizer.state[part] for part in self.network.parts()]
        mean, square = (flat([state[key] for state in states]) for key in ("exp_avg", "exp_avg_sq"))
        return Moments(mean, square, int(states[0]["step"]))

    def _inputs(self, images: torch.Tensor) -> torch.Tensor:
        return images if self.pixel_values is None else self.pixel_values[images.long()]

    def _measured(self, part: Part) -> float:
        """How many samples are classified correctly; -1 where outputs are not finite."""
        module = self._visitor[1] if self._guest else self.network.module
        with torch.no_grad():
            logits = module.eval()(self._inputs(self.data[f"{part}_images"]))
        finite = bool(torch.isfinite(logits).all())
        return int((logits.argmax(1) == self.data[f"{part}_labels"]).sum()) if finite else -1

    def _as_score(self, measured: float) -> float:
        return measured / len(self.data["test_labels"])
