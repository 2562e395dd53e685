"""The library perforatedai with the interface of `Growth`, for a network that it has perforated."""

from __future__ import annotations

from typing import Protocol

import torch
from torch import nn

from frustration.errors import FrustrationError
from frustration.loops.outcome import Outcome


class Grower(Protocol):
    """What a callback asks: `Growth` answers, and so does `LibraryGrowth`."""

    def add_score(self, score: float) -> Outcome: ...
    def set_optimizer(self, optimizer: torch.optim.Optimizer) -> None: ...


class LibraryGrowth:
    """Growth by perforatedai's own tracker, of a network that its `perforate_model` returned."""

    def __init__(self, network: nn.Module, *, maximize: bool = True) -> None:
        from perforatedai import globals_perforatedai as globals_of_pai

        self.network, self.maximize = network, maximize
        self._tracker = globals_of_pai.pai_tracker
        self._best: float | None = None

    def set_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """The library keeps no optimizer over a growth: hand the new one over each time."""
        self._tracker.set_optimizer_instance(getattr(optimizer, "optimizer", optimizer))

    def add_score(self, score: float) -> Outcome:
        same, grown, complete = self._tracker.add_validation_score(score, self.network)
        if same is not self.network:
            raise FrustrationError(
                "perforatedai returned another network; 3.2.9 changes the network in place"
            )
        improved = self._best is None or (score > self._best) == self.maximize
        self._best = score if improved or self._best is None else self._best
        return Outcome(
            score=score,
            best=self._best,
            improved=improved,
            grown=bool(grown or complete),
            complete=bool(complete),
            why="",
        )
