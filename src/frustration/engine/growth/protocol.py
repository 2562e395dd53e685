"""The interface between a trial and its dendrites, and to backends with a library of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from frustration.dendrites.schedule import GrowthSchedule
from frustration.engine.growth.step import GrowthOutcome
from frustration.modes import EpochSettings, Segment
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
        """That program's schedule, which replaces one of ours, at the same point."""

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
        """Called after every loop that gave a finite network; `score` is on the schedule's scale."""

    def discard(self, loop: int) -> None:
        """After a loop that diverged: it left no trace, and the schedule does not hear of it."""

    def adopt(self, loop: int) -> None:
        """Patience has ended: the network of this loop, discarded then, is the base from now on."""

    def summary(self) -> dict[str, Any]:
        """For the record."""

    def to_dict(self) -> dict[str, Any]:
        """JSON values for the checkpoint; `growth_from_dict` reads them."""
