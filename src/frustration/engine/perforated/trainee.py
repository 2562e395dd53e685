"""What the process of a trial does when asked: train, evaluate and score one network of perforatedai."""

from __future__ import annotations

import base64
import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from perforatedai import globals_perforatedai as GPA
from perforatedai import utils_perforatedai as UPA
from torch.nn import functional

from frustration.architecture import Architecture
from frustration.dendrites.module import DendriticMLP
from frustration.dendrites.settings import Settings
from frustration.engine.perforated.licence import EMAIL, TOKEN
from frustration.engine.perforated.perforated import (
    SAVE_NAME,
    PerforatedNetwork,
    configure,
    fence_off,
    flat,
)
from frustration.network import Network, Shape, Vector
from frustration.simple_mlp import SimpleMLP
from frustration.streams import dropout_keep

Reply = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Trainee:
    """One trial's network. Each public method answers one request: a message and arrays."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self.ephemeral = False
        self._network: PerforatedNetwork | None = None
        self._guest: tuple[Network, DendriticMLP] | None = None
        """A network of another shape than the library's own, to be evaluated only."""
        self._optimizer: torch.optim.AdamW | None = None
        self.handlers: dict[str, Callable[..., Reply]] = {
            "start": self.start,
            "load": self.load,
            "weights": self.weights,
            "train": self.train,
            "moments": self.moments,
            "evaluate": self.evaluate,
            "observe": self.observe,
            "state": self.state,
            "resume": self.resume,
        }

    @property
    def network(self) -> PerforatedNetwork:
        if self._network is None:
            raise ValueError("the network was not started")
        return self._network

    def start(
        self,
        *,
        architecture: str,
        features: int,
        classes: int,
        settings: dict[str, Any],
        seed: int,
        batch_size: int,
        ephemeral: bool,
        graphs: bool,
        test_saves: bool,
        licensed: bool,
        **data: NDArray[Any],
    ) -> Reply:
        """Make a bare network of the library's, and seed torch's own generator, from which it draws."""
        torch.set_num_threads(1)
        self.ephemeral, self._graphs, self._keeps_files = ephemeral, graphs, not ephemeral
        self.shape = Shape(Architecture.parse(architecture), features, classes)
        self.settings, self.batch_size = Settings.of(settings), batch_size
        self.data = {name: torch.from_numpy(array) for name, array in data.items()}
        self.pixel_values = self.data.pop("pixel_values", None)
        fence_off()
        configure(self.settings, self.settings.grown_layers(self.shape.outputs), test_saves, licensed)
        mlp = SimpleMLP(self.shape.architecture, features, classes)
        with self._credentials() if licensed else contextlib.nullcontext():
            self._network = PerforatedNetwork(mlp, self.settings, graphs)
        used = bool(GPA.pc.get_perforated_backpropagation())
        if used != licensed:
            raise RuntimeError("the library did not take the kind of dendrites that it was told to")
        torch.manual_seed(seed)
        return {"perforated_backpropagation": used}, {}

    @contextlib.contextmanager
    def _credentials(self) -> Iterator[None]:
        """The licence is read from the environment, and only while a network is made."""
        token, email = self._secrets
        os.environ.update({TOKEN: token, EMAIL: email})
        try:
            yield
        finally:
            for name in (TOKEN, EMAIL):
                os.environ.pop(name, None)

    def load(self, *, dendrites: list[int], forward_function: str, weights: Vector) -> Reply:
        if list(dendrites) == self.network.dendrites:
            self._guest = None
            self.network.load(weights)
        else:
            guest = self.shape.with_dendrites(dendrites, forward_function).view(weights)
            self._guest = guest, DendriticMLP.of(guest)
        return {}, {}

    def weights(self) -> Reply:
        return {}, {"weights": self._guest[0].vector if self._guest else self.network.weights()}

    def train(
        self,
        *,
        learning_rate: float,
        weight_decay: float,
        dropout: float,
        dropout_key: str,
        goes_on: bool,
        steps: int,
        order: NDArray[np.int64],
        mean: Vector | None = None,
        square: Vector | None = None,
    ) -> Reply:
        """Train one epoch; AdamW continues, starts from given moments, or afresh. Mean loss of the steps."""
        if self._guest:
            raise ValueError(
                f"the library's network has {self.network.dendrites} dendrites per layer, and this one "
                f"{list(self._guest[0].shape.dendrites)}: it grows by its own schedule only"
            )
        module = self.network.module.train()
        if goes_on and self._optimizer is not None:
            optimizer = self._optimizer
            optimizer.param_groups[0].update(lr=learning_rate, weight_decay=weight_decay)
        else:
            moments = (mean, square) if mean is not None and square is not None else None
            self._optimizer = optimizer = self._adamw(learning_rate, weight_decay, steps, moments)
            GPA.pai_tracker.set_optimizer_instance(optimizer)  # the library lets go of it when it grows
        images, labels = self.data["train_images"], self.data["train_labels"]
        losses = []
        for step, batch in enumerate(torch.from_numpy(order).split(self.batch_size)):
            pixels = self._inputs(images[batch])
            logits = self._forward(module, pixels, dropout, int(dropout_key), step)
            loss = functional.cross_entropy(logits, labels[batch])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return {"loss": sum(losses) / len(losses)}, {}

    def _adamw(
        self, learning_rate: float, weight_decay: float, steps: int, moments: tuple[Vector, Vector] | None
    ) -> torch.optim.AdamW:
        trained = [parameter for parameter in self.network.module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=learning_rate, weight_decay=weight_decay, foreach=False)
        if moments is None:
            return optimizer
        start = 0
        for part in self.network.parts():
            held = slice(start, start := start + part.numel())
            mean, square = (torch.from_numpy(moment[held].copy()).view_as(part) for moment in moments)
            optimizer.state[part] = {
                "step": torch.tensor(float(steps)),
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

    def moments(self) -> Reply:
        if self._optimizer is None:
            raise ValueError("the network has not been trained since it was loaded")
        states = [self._optimizer.state[part] for part in self.network.parts()]
        moments = {"mean": "exp_avg", "square": "exp_avg_sq"}
        arrays = {name: flat([state[key] for state in states]) for name, key in moments.items()}
        return {"steps": int(states[0]["step"])}, arrays

    def _inputs(self, images: torch.Tensor) -> torch.Tensor:
        return images if self.pixel_values is None else self.pixel_values[images.long()]

    @torch.no_grad()
    def evaluate(self, *, part: str) -> Reply:
        """How many samples are classified correctly; -1 where outputs are not finite."""
        module = self._guest[1] if self._guest else self.network.module
        pixels = self._inputs(self.data[f"{part}_images"])
        logits = module.eval()(pixels)
        finite = bool(torch.isfinite(logits).all())
        correct = int((logits.argmax(1) == self.data[f"{part}_labels"]).sum())
        return {"correct": correct if finite else -1}, {}

    def observe(self, *, score: float, hold: bool) -> Reply:
        """Tell the library a score; the network as it leaves it."""
        if self._optimizer is None:
            raise ValueError("a score of a network that was not trained")
        GPA.pai_tracker.set_optimizer_instance(self._optimizer)
        test = (
            self.evaluate(part="test")[0]["correct"] / len(self.data["test_labels"]) if self._graphs else None
        )
        action, saved = self.network.observe(score, hold, test)
        if action != "train":
            self._optimizer = None
        if not self._keeps_files:
            for left in Path(SAVE_NAME).glob("switch_*.pt"):  # only `best_model.pt` is ever read again
                left.unlink()
        tracker = GPA.pai_tracker.member_vars
        message = {
            "action": action,
            "added": tracker["num_dendrites_added"],
            "tries": tracker["num_dendrite_tries"],
            "saved": saved,
            "dendrites": self.network.dendrites,
        }
        return message, {"weights": self.network.weights()} if action != "train" else {}

    def state(self) -> Reply:
        """What the library would forget: its tracker, that of its best network, torch's generator."""
        best = Path(SAVE_NAME) / "best_model.pt"
        kept = None
        if best.exists():
            from safetensors import safe_open

            with safe_open(best, framework="pt") as file:
                kept = UPA.string_from_tensor(file.get_tensor("tracker_string"))
        generator = base64.b64encode(torch.get_rng_state().numpy().tobytes()).decode()
        return {"tracker": GPA.pai_tracker.to_string(), "best": kept, "generator": generator}, {}

    def resume(
        self,
        *,
        tracker: str,
        best: str | None,
        generator: str,
        dendrites: list[int],
        best_dendrites: list[int],
        weights: Vector,
        best_weights: Vector | None = None,
    ) -> Reply:
        """Go on from what `state` said and the two networks, as if nothing had come between."""
        if best is not None and best_weights is not None:
            self._place(best_dendrites, best_weights, best)
            UPA.save_system(self.network.module, SAVE_NAME, "best_model")
        self._place(dendrites, weights, tracker)
        self._optimizer = self._guest = None
        held = np.frombuffer(bytearray(base64.b64decode(generator)), np.uint8)
        torch.set_rng_state(torch.from_numpy(held))
        return {}, {}

    def _place(self, dendrites: list[int], weights: Vector, tracker: str) -> None:
        self.network.grow_to(dendrites)
        self.network.load(weights)
        GPA.pai_tracker.from_string(tracker)
