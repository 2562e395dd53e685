"""Growth by a schedule that looks at every score: nothing is discarded, and rounds end on a plateau."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import GROW, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.growth.protocol import ExternalSchedule
from frustration.engine.growth.step import GrowthOutcome, grown, slowed, summary_of
from frustration.modes import EpochSettings, Segment
from frustration.modes.base import Evidence
from frustration.protocols import AnyNetwork, AnyShape

if TYPE_CHECKING:
    from frustration.engine.perforated.schedule import LibrarySchedule


@dataclass(kw_only=True, eq=False)
class ScheduledGrowth:
    """The library's own way: nothing is discarded, and rounds end when the score no longer rises."""

    name: str
    first: int
    """Loop in which the segment begins that it belongs to."""
    settings: Settings
    adds: bool
    """Whether it grows, or only goes back at the moments of growth."""
    schedule: Schedule | LibrarySchedule
    draws: GrowthDraws
    seed: int
    """Of the draws."""
    library: LibrarySchedule | None = None
    """The schedule, where it is another program's: it lets the network grow as well."""
    saved: AnyNetwork | None = None
    saved_accuracy: float | None = None
    saved_loop: int = 0
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Parameters before and after each attempt."""
    pending: Evidence = field(default_factory=dict)
    """What was done after the last loop, and will have acted in the next."""
    why: str = ""
    """The schedule's last words."""
    ended: bool = False
    earlier: list[dict[str, Any]] = field(default_factory=list)

    def belongs_to(self, segment: Segment) -> bool:
        return self.first == segment.first

    def hand_over(self, external_schedule: ExternalSchedule, base: AnyNetwork) -> None:
        if isinstance(self.schedule, Schedule) or self.schedule.closed:
            self.schedule = self.library = external_schedule.take_over(
                self.schedule, self.seed, base, self.saved
            )

    def treat(self, candidate: AnyNetwork) -> tuple[AnyNetwork, Evidence]:
        evidence, self.pending = self.pending, {}
        return candidate, evidence

    def training(self, epoch: EpochSettings, shape: AnyShape) -> EpochSettings:
        return slowed(epoch, shape, self.settings)

    def follow(
        self, loop: int, accuracy: float, score: float, network: AnyNetwork, accepted: bool
    ) -> GrowthOutcome:
        if self.ended:  # before its range of loops is over: training resumes from the saved network
            return GrowthOutcome()
        decision = self.schedule.observe(score)
        self.why = decision.why
        if decision.save:
            self.saved, self.saved_accuracy, self.saved_loop = network, accuracy, loop
        ends = self.ended = decision.action == "end"
        if not decision.restore or self.saved is None:
            if decision.action != GROW:
                return GrowthOutcome(ends=ends)
            return self._grow(network, accuracy, loop, loop, decision.save_grown)
        self.draws.restore(self.saved.shape)
        if decision.action == GROW:
            return self._grow(self.saved, self.saved_accuracy, self.saved_loop, loop, decision.save_grown)
        return GrowthOutcome(network=self.saved, accuracy=self.saved_accuracy, ends=ends)

    def _grow(
        self, start: AnyNetwork, accuracy: float | None, from_loop: int, loop: int, save: bool
    ) -> GrowthOutcome:
        layers = self.settings.grown_layers(start.shape.outputs)
        theirs = self.library.grown() if self.library else None
        ours = grown(start, layers, self.settings, self.draws) if self.adds and not theirs else start.copy()
        network = theirs or ours
        sizes = (start.shape.parameters, network.shape.parameters)
        self.sizes.append(sizes)
        # The schedule counts from its own first epoch; records count every loop.
        attempt = self.schedule.attempts[-1]
        attempt.loop = loop
        if self.adds:
            attempt.dendrites = max(network.shape.dendrites, default=0)
        self.pending = {"went_back_to_loop": from_loop, "attempt": len(self.sizes)}
        if self.adds:
            self.pending |= {"dendrites": max(network.shape.dendrites, default=0), "parameters": list(sizes)}
        if save:
            self.saved, self.saved_accuracy, self.saved_loop = network, accuracy, from_loop
        return GrowthOutcome(network=network, accuracy=accuracy)

    def discard(self, loop: int) -> None:
        """The schedule counts only the epochs that reach it."""

    def adopt(self, loop: int) -> None:
        """Without the ratchet nothing is discarded."""

    def summary(self) -> dict[str, Any]:
        why = self.why if self.sizes or self.ended else "no plateau was long enough for its schedule"
        return summary_of(self.earlier, self.schedule.attempts, self.sizes, why, self.adds, self.ended)

    def to_dict(self) -> dict[str, Any]:
        return {
            "kind": "schedule",
            "name": self.name,
            "first": self.first,
            "schedule": self.schedule.state(),
            "seed": self.seed,
            "draws": base64.b64encode(self.draws.to_bytes()).decode(),
            "saved_accuracy": self.saved_accuracy,
            "saved_loop": self.saved_loop,
            "sizes": [list(size) for size in self.sizes],
            "pending": self.pending,
            "why": self.why,
            "ended": self.ended,
            "earlier": self.earlier,
        }
