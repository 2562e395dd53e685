"""How one trial's network grows: the schedule's decisions carried out, and growth as an intervention.

Two things can make a network grow. Without the ratchet the library's own schedule does: it looks at every
score, and puts another network in place when a round is over. With the ratchet growth is an intervention
on a candidate, and disappears with it when the candidate is discarded.
"""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import GROW, Attempt, GrowthSchedule, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.growth.ratchet import RatchetGrowth
from frustration.engine.growth.step import GrowthOutcome, grown, slowed, summary_of
from frustration.modes import EpochSettings, Program, Segment
from frustration.modes.base import Evidence
from frustration.protocols import AnyNetwork, AnyShape

if TYPE_CHECKING:
    from frustration.engine.perforated.schedule import LibrarySchedule


@runtime_checkable
class ExternalSchedule(Protocol):
    """A backend in which another program decides when a network grows, and lets it grow."""

    def take_over(
        self, schedule: GrowthSchedule, seed: int, network: AnyNetwork, saved: AnyNetwork | None
    ) -> LibrarySchedule:
        """That program's schedule in the place of one of ours, where that one stands."""

    def close(self) -> None:
        """It is not needed any more."""


class Growth(Protocol):
    """What a trial asks of its dendrites, loop by loop."""

    name: str
    """Of the mode that they belong to."""
    saved: AnyNetwork | None
    """A network that has to survive with it."""
    earlier: list[dict[str, Any]]
    """The attempts of other ranges of loops, before its own, as records have them."""

    def belongs_to(self, segment: Segment) -> bool: ...
    def hand_over(self, external_schedule: ExternalSchedule, base: AnyNetwork) -> None:
        """Leave decisions to another program; once more is harmless."""

    def treat(self, candidate: AnyNetwork) -> tuple[AnyNetwork, Evidence]:
        """The candidate, grown or as it was, and what the loop's evidence has to say."""

    def training(self, epoch: EpochSettings, shape: AnyShape) -> EpochSettings:
        """How a network of this shape is trained."""

    def follow(
        self, loop: int, accuracy: float, score: float, network: AnyNetwork, accepted: bool
    ) -> GrowthOutcome:
        """After every loop that gave a finite network; `score` is its accuracy as schedules are told it."""

    def discard(self, loop: int) -> None:
        """After a loop that diverged: it left no trace, and the schedule does not hear of it."""

    def adopt(self, loop: int) -> None:
        """Patience has ended: the network of this loop, discarded then, is the base from now on."""

    def summary(self) -> dict[str, Any]:
        """For the record."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the checkpoint; `growth_from_dict` reads them."""


def begin_growth(
    segment: Segment, seed: int, earlier: Sequence[dict[str, Any]] = (), maximize: bool = True
) -> Growth:
    """Growth as a segment wants it, from its first loop on; `earlier` are the attempts before that.

    `maximize`: whether higher scores are better.
    """
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.seeded(seed)
    if segment.ratchet:
        return RatchetGrowth(
            name=mode.name,
            first=segment.first,
            settings=mode.settings,
            draws=draws,
            earlier=list(earlier),
        )
    return ScheduledGrowth(
        name=mode.name,
        first=segment.first,
        settings=mode.settings,
        adds=mode.adds_dendrites,
        schedule=Schedule(_directed(mode.settings, maximize), counts_growth=mode.adds_dendrites),
        draws=draws,
        seed=seed,
        earlier=list(earlier),
    )


def _directed(settings: Settings, maximize: bool) -> Settings:
    """Settings of a schedule that knows which way is better; those of a mode always maximize."""
    return Settings.of({**settings.to_dict(), "maximizing_score": maximize})


def growth_from_dict(program: Program, fields: Mapping[str, Any], saved: AnyNetwork | None) -> Growth:
    """What `to_dict` wrote, with the network that was saved beside it."""
    segment = program.at(fields["first"])
    mode = segment.growing
    if mode is None:
        raise ValueError(f"nothing grows in {segment}")
    draws = GrowthDraws.from_bytes(base64.b64decode(fields["draws"]))
    common = {
        "name": fields["name"],
        "first": fields["first"],
        "draws": draws,
        "settings": mode.settings,
        "earlier": fields.get("earlier", []),
    }
    if fields["kind"] == "ratchet":
        attempts = [Attempt(**attempt) for attempt in fields["attempts"]]
        sizes = [tuple(size) for size in fields["sizes"]]
        counts = {name: fields[name] for name in ("idle", "tried", "growing", "loops")}
        return RatchetGrowth(attempts=attempts, sizes=sizes, **counts, **common)
    return ScheduledGrowth(
        adds=mode.adds_dendrites,
        seed=fields["seed"],
        schedule=Schedule.from_state(fields["schedule"]),
        saved=saved,
        saved_accuracy=fields["saved_accuracy"],
        saved_loop=fields["saved_loop"],
        sizes=[tuple(size) for size in fields["sizes"]],
        pending=fields["pending"],
        why=fields["why"],
        ended=fields["ended"],
        **common,
    )


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
        if self.ended:  # before its range of loops is over: training goes on from the saved network
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
        # The schedule counts what it is told of, from its own beginning; records count everything.
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
        """The schedule counts the epochs that it is told of."""

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
