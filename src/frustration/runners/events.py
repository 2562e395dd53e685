"""Events of training, on this machine or another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from frustration.protocols import AnyShape
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec


@dataclass(frozen=True, kw_only=True)
class SessionStart:
    """What a session of `train` is about to do: emitted once, before any training."""

    specs: tuple[TrialSpec, ...]
    loops: tuple[int, ...]
    """Completed loops of each trial."""
    shape: AnyShape
    notes: tuple[str, ...]
    """What the user should know: what is resumed, finished or abandoned."""
    backend: str
    device: str
    workers: int

    @property
    def parameters(self) -> int:
        """Of the network that all begin with; where some are wider, of the one that was asked for."""
        _, features, classes = self.shape.form
        sizes = {spec.shape(features, classes).parameters for spec in self.specs}
        return sizes.pop() if len(sizes) == 1 else self.specs[0].asked_for(features, classes).parameters


@dataclass(frozen=True, kw_only=True)
class StudyStart:
    """What a run of a study is about to do: emitted once, before any training."""

    name: str
    """Of the study."""
    specs: tuple[TrialSpec, ...]
    done: frozenset[str]
    failed: frozenset[str]
    backend: str
    device: str
    workers: int


@dataclass(frozen=True)
class LoopDone:
    """A trial has gone through one more loop and is kept."""

    trial_id: str
    entry: LoopEntry
    bounty: float | None
    bounty_loop: int | None


@dataclass(frozen=True)
class TrialDone:
    """A trial has come to its end."""

    trial_id: str
    record: TrialRecord


@dataclass(frozen=True)
class TrialFailed:
    """A trial met an unexpected error, which is kept."""

    trial_id: str
    traceback: str


Event = LoopDone | TrialDone | TrialFailed
SessionEvent = SessionStart | Event
StudyEvent = StudyStart | Event
Emit = Callable[[Event], None]
