"""What the process of a trial does when asked: train, evaluate and score one network of perforatedai."""

from __future__ import annotations

import base64
import contextlib
import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from perforatedai import globals_perforatedai as GPA
from perforatedai import utils_perforatedai as UPA

from frustration.dendrites.settings import Settings
from frustration.engine.perforated.licence import EMAIL, TOKEN
from frustration.engine.perforated.perforated import SAVE_NAME, PerforatedNetwork, configure, fence_off
from frustration.engine.population import Epoch, OptimizerState, Part
from frustration.modes import EpochSettings
from frustration.protocols import Vector

Reply = tuple[dict[str, Any], dict[str, NDArray[Any]]]


class Trainee(ABC):
    """One trial's network. Each public method answers one request: a message and arrays."""

    def __init__(self, secrets: tuple[str, ...]) -> None:
        self._secrets = secrets
        self._network: PerforatedNetwork | None = None
        self._guest = False
        """Whether what was loaded last has another shape than the library's own: it is evaluated only."""
        self._optimizer: torch.optim.Optimizer | None = None
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
        settings: dict[str, Any],
        seed: int,
        batch_size: int,
        ephemeral: bool,
        graphs: bool,
        test_saves: bool,
        licensed: bool,
        **what: Any,
    ) -> Reply:
        """Make a bare network of the library's, and seed torch's own generator, from which it draws."""
        torch.set_num_threads(1)
        self._graphs, self._keeps_files = graphs, not ephemeral
        self.settings, self.batch_size = Settings.of(settings), batch_size
        names, outputs = self._prepare(what)
        grows = self.settings.grown_layers(outputs)
        fence_off()
        growing = [name for name, it in zip(names, grows, strict=True) if it]
        configure(self.settings, growing, test_saves, licensed)
        with self._credentials() if licensed else contextlib.nullcontext():
            self._network = self._perforated(graphs)
        used = bool(GPA.pc.get_perforated_backpropagation())
        if used != licensed:
            raise RuntimeError("the library did not take the kind of dendrites that it was told to")
        torch.manual_seed(seed)
        return {"perforated_backpropagation": used}, {}

    @abstractmethod
    def _prepare(self, what: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[bool]]:
        """Take in what is trained: the names of all layers that can grow, and which are output layers."""

    @abstractmethod
    def _perforated(self, graphs: bool) -> PerforatedNetwork:
        """A bare network that the library has perforated."""

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
        self._guest = list(dendrites) != self.network.dendrites
        if self._guest:
            self._invite(dendrites, forward_function, weights)
        else:
            self.network.load(weights)
        return {}, {}

    @abstractmethod
    def _invite(self, dendrites: list[int], forward_function: str, weights: Vector) -> None:
        """Take a network of another shape, by our own modules."""

    @abstractmethod
    def _guest_weights(self) -> Vector: ...

    def weights(self) -> Reply:
        return {}, {"weights": self._guest_weights() if self._guest else self.network.weights()}

    def train(
        self,
        *,
        settings: dict[str, float],
        dropout_key: str,
        continues: bool,
        numbers: dict[str, float],
        order: NDArray[np.int64],
        **vectors: Vector,
    ) -> Reply:
        """Train one epoch; the optimizer continues, starts from a given state, or afresh. Its mean loss."""
        if self._guest:
            raise ValueError(
                f"the library's network has {self.network.dendrites} dendrites per layer, and this one has "
                f"others: it grows by its own schedule only"
            )
        epoch = Epoch(
            order=order,
            settings=EpochSettings(**settings),
            dropout_key=int(dropout_key),
            moments=OptimizerState(vectors, numbers) if vectors or numbers else None,
        )
        return {"loss": self._epoch(epoch, continues and self._optimizer is not None)}, {}

    @abstractmethod
    def _epoch(self, epoch: Epoch, continues: bool) -> float:
        """Train one epoch, keeping the optimizer where it continues; sets `_optimizer`."""

    def moments(self) -> Reply:
        if self._optimizer is None:
            raise ValueError("the network has not been trained since it was loaded")
        state = self._memory()
        return {"numbers": dict(state.numbers)}, dict(state.vectors)

    @abstractmethod
    def _memory(self) -> OptimizerState: ...

    @torch.no_grad()
    def evaluate(self, *, part: Part) -> Reply:
        return {"measured": self._measured(part)}, {}

    @abstractmethod
    def _measured(self, part: Part) -> float:
        """Of what was loaded last: what the data makes a score of."""

    @abstractmethod
    def _as_score(self, measured: float) -> float:
        """What was measured on the test set, as schedules are told scores."""

    def observe(self, *, score: float, hold: bool) -> Reply:
        """Tell the library a score; the network as it leaves it."""
        if self._optimizer is None:
            raise ValueError("a score of a network that was not trained")
        GPA.pai_tracker.set_optimizer_instance(self._optimizer)
        test = self._as_score(self._measured("test")) if self._graphs else None
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
        """Continue from what `state` said and the two networks, as if nothing had come between."""
        if best is not None and best_weights is not None:
            self._place(best_dendrites, best_weights, best)
            UPA.save_system(self.network.module, SAVE_NAME, "best_model")
        self._place(dendrites, weights, tracker)
        self._optimizer, self._guest = None, False
        held = np.frombuffer(bytearray(base64.b64decode(generator)), np.uint8)
        torch.set_rng_state(torch.from_numpy(held))
        return {}, {}

    def _place(self, dendrites: list[int], weights: Vector, tracker: str) -> None:
        self.network.grow_to(dendrites)
        self.network.load(weights)
        GPA.pai_tracker.from_string(tracker)
