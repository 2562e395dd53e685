"""What a trial leaves behind: its spec, a curve with one entry per loop, and what came out. JSON, versioned.

docs/file-formats.md explains every field; record_reading.py says of what type each is, and reads them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frustration.errors import InputError
from frustration.files import write_atomically
from frustration.modes import Mode
from frustration.sealed_json import seal
from frustration.spec import TrialSpec
from frustration.treatment import Session, differ

RECORD_SCHEMA = 1
GROWN = ("dendrites", "parameters", "flops")
"""What only loops of growing networks have to say."""


@dataclass(frozen=True, kw_only=True)
class LoopEntry:
    """One meta-loop of one trial. Accuracies are on the validation set, in percent."""

    loop: int
    """Global: epochs trained so far, this one included."""
    mode: str
    loss: float | None
    """Mean training loss of the epoch; None where it was not finite."""
    before: float | None
    """Of the base that the candidate is a copy of; None in loop 1."""
    damaged: float | None
    """Right after the intervention, before training; None where nothing was changed."""
    accuracy: float | None
    """After training; None where the outputs were not finite."""
    accepted: bool
    """Whether the next candidate starts from this one."""
    new_bounty: bool
    """Whether this is the best accuracy so far: the candidate is now the LKG."""
    adopted: int | None = None
    """The earlier loop whose network patience made the new base, because none was better for too long."""
    diverged: bool = False
    """The loss was not finite: the epoch left no trace."""
    evidence: dict[str, Any] = field(default_factory=dict)
    """What each mode really did, by its name."""
    dendrites: int | None = None
    """On each unit of the network that was trained; with the two below, only where networks can grow."""
    parameters: int | None = None
    flops: int | None = None
    """Of one forward pass of one sample."""

    @property
    def harm(self) -> float | None:
        """Accuracy lost to the intervention."""
        return None if self.damaged is None or self.before is None else self.before - self.damaged

    @property
    def recovery(self) -> float | None:
        """Accuracy won back by the epoch after the intervention."""
        return None if self.damaged is None or self.accuracy is None else self.accuracy - self.damaged

    def to_dict(self) -> dict[str, Any]:
        left_out = () if self.flops is not None else GROWN
        return {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in left_out}


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """A finished (or interrupted) trial."""

    spec: TrialSpec
    loop: int
    """Global: loops completed."""
    curve: tuple[LoopEntry, ...]
    """The loops that are known: of a trial that resumed from its LKG alone, only those since then."""
    bounty: float | None
    """Best validation accuracy, percent; None where no loop gave a finite network."""
    bounty_loop: int | None
    test_accuracy: float | None
    """Of the LKG, percent; None until the trial has come to its end."""
    parameters: int
    flops: int
    """Of one forward pass of one sample."""
    seconds: float
    """CPU time of this trial's share of its group, over all sessions."""
    numerics: dict[str, Any]
    """What bits may depend on: backend, versions, device, place in the group."""
    past_numerics: tuple[dict[str, Any], ...] = ()
    """Other numerics it was trained under before, because the user said so, each with its last loop."""
    sessions: tuple[Session, ...] = ()
    """Of `train`, the oldest first; none of a trial of a study."""
    continued: bool = False
    """Whether it came out of more than one session of `train`; such a trial never enters a study."""
    ended_early: bool = False
    """Its schedule came to an end before its loops did."""
    growth: dict[str, Any] | None = None
    """What became of its dendrites; None where none could grow."""
    twin_of: str | None = None
    """The trial that is the same computation by arithmetic: this one was not trained, and has its numbers."""

    @property
    def inert(self) -> tuple[str, ...]:
        """The treatments of this trial that never acted."""
        acted: dict[str, bool] = {}
        for segment in self.spec.program.segments:
            for mode in segment.components:
                if not mode.control:
                    seen = any(_acted(mode, entry) for entry in self.curve)
                    acted[mode.name] = acted.get(mode.name, False) or seen
        return tuple(name for name, did in acted.items() if not did)

    @property
    def mixed(self) -> bool:
        """Whether it was trained under more than one treatment, or on from a network of another program."""
        return any(differ(one.treatment, self.phases[0].treatment) for one in self.phases)

    @property
    def phases(self) -> tuple[Session, ...]:
        """The sessions that trained a loop, and what came from another program."""
        ends = [session.first_loop for session in self.sessions[1:]] + [self.loop + 1]
        pairs = zip(self.sessions, ends, strict=False)
        return tuple(one for one, end in pairs if one.first_loop < end or not one.treatment)

    @property
    def finished(self) -> bool:
        return self.ended_early or self.loop >= self.spec.meta_loops

    def to_dict(self) -> dict[str, Any]:
        grown = {"ended_early": self.ended_early, "growth": self.growth} if self.growth is not None else {}
        return {
            "record_schema": RECORD_SCHEMA,
            "id": self.spec.id,
            "spec": self.spec.to_dict(),
            "loop": self.loop,
            "bounty": self.bounty,
            "bounty_loop": self.bounty_loop,
            "test_accuracy": self.test_accuracy,
            "inert": list(self.inert),
            "parameters": self.parameters,
            "flops": self.flops,
            "seconds": round(self.seconds, 3),
            "numerics": self.numerics,
            "past_numerics": list(self.past_numerics),
            "continued": self.continued,
            **({"sessions": [vars(session) for session in self.sessions]} if self.sessions else {}),
            **grown,
            **({"twin_of": self.twin_of} if self.twin_of else {}),
            "curve": [entry.to_dict() for entry in self.curve],
        }

    def write(self, path: Path) -> None:
        """Write it with a digest of itself."""
        write_atomically(path, (seal(self.to_dict()) + "\n").encode())


def _acted(mode: Mode, entry: LoopEntry) -> bool:
    """InputError where a file says what no mode of this name would: evidence is free in form."""
    try:
        return mode.acted(entry.evidence.get(mode.name, {}))
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        raise InputError(f"the evidence of loop {entry.loop} is not of {mode.name} ({error!r})") from error


def write_failure(path: Path, trial_id: str, spec: dict[str, Any], traceback: str) -> None:
    """Keep what went wrong with a trial, in place of its record."""
    content = {"id": trial_id, "spec": spec, "traceback": traceback}
    write_atomically(path, (seal(content) + "\n").encode())
