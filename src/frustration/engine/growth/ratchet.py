"""Growth behind the ratchet: an intervention on a candidate that is discarded together with it."""

from __future__ import annotations

import base64
import dataclasses
from dataclasses import dataclass, field
from typing import Any

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import Attempt
from frustration.dendrites.settings import Settings
from frustration.engine.growth.step import GrowthOutcome, grown, slowed, summary_of
from frustration.errors import InputError
from frustration.modes import EpochSettings, Segment
from frustration.modes.base import Evidence
from frustration.protocols import AnyNetwork, AnyShape


@dataclass(kw_only=True, eq=False)
class RatchetGrowth:
    """Growth as an intervention: after n loops without an acceptance each candidate grows by one dendrite,
    until one is accepted or so many tries have failed; then it waits for the next acceptance."""

    name: str
    first: int
    settings: Settings
    draws: GrowthDraws
    idle: int = 0
    """Loops since the last acceptance."""
    tried: int = 0
    """Candidates that grew since then."""
    growing: bool = False
    """Whether the candidate under way has grown."""
    attempts: list[Attempt] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    saved: AnyNetwork | None = None
    loops: int = 0
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def belongs_to(self, segment: Segment) -> bool:
        return self.first == segment.first

    def hand_over(self, external_schedule: object, base: AnyNetwork) -> None:
        raise InputError(
            "with the ratchet growth is not the library's to decide; all other backends can grow so"
        )

    def treat(self, candidate: AnyNetwork) -> tuple[AnyNetwork, Evidence]:
        dendrites = max(candidate.shape.dendrites, default=0)
        self.growing = (
            self.idle >= self.settings.n_epochs_to_switch
            and self.tried < self.settings.max_dendrite_tries
            and dendrites < self.settings.max_dendrites
            and self.loops >= self.settings.min_epochs_before_growth
        )
        if not self.growing:
            return candidate, {}
        layers = self.settings.grown_layers(candidate.shape.outputs)
        bigger = grown(candidate, layers, self.settings, self.draws)
        self.tried += 1
        self.attempts.append(Attempt(loop=self.loops, dendrites=dendrites + 1))
        self.sizes.append((candidate.shape.parameters, bigger.shape.parameters))
        return bigger, {"dendrites": dendrites + 1, "parameters": list(self.sizes[-1]), "attempt": self.tried}

    def training(self, epoch: EpochSettings, shape: AnyShape) -> EpochSettings:
        return slowed(epoch, shape, self.settings)

    def follow(
        self, loop: int, accuracy: float, score: float, network: AnyNetwork, accepted: bool
    ) -> GrowthOutcome:
        self._settle(loop, accepted)
        return GrowthOutcome()

    def discard(self, loop: int) -> None:
        self._settle(loop, accepted=False)

    def adopt(self, loop: int) -> None:
        for attempt in self.attempts:
            if attempt.loop == loop - 1:
                attempt.outcome = "kept"

    def _settle(self, loop: int, accepted: bool) -> None:
        self.loops += 1
        if self.growing:
            self.attempts[-1].loop = loop - 1
            self.attempts[-1].outcome = "kept" if accepted else "failed"
        self.idle, self.tried = (0, 0) if accepted else (self.idle + 1, self.tried)
        self.growing = False

    def summary(self) -> dict[str, Any]:
        patience = self.settings.n_epochs_to_switch
        if self.attempts:
            kept = sum(attempt.outcome == "kept" for attempt in self.attempts)
            why = f"{kept} of {len(self.attempts)} grown candidates were accepted"
        else:
            why = f"{patience} loops in a row without an acceptance never came"
        return summary_of(self.earlier, self.attempts, self.sizes, why, adds=True, ended=False)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "ratchet",
            "name": self.name,
            "first": self.first,
            "draws": base64.b64encode(self.draws.to_bytes()).decode(),
            "idle": self.idle,
            "tried": self.tried,
            "growing": self.growing,
            "loops": self.loops,
            "attempts": [dataclasses.asdict(attempt) for attempt in self.attempts],
            "sizes": [list(size) for size in self.sizes],
            "earlier": self.earlier,
        }
