"""Learning curves from logs of what `json_lines` prints, for a job that died before its results were sent.

Other programs write to the same log, and put what they like before a line. Lines about a loop are the curve.
A job that was started again repeats the loops since its last checkpoint, to the same numbers: each loop
counts once, and where two lines about it do not agree, both the trial and the loop are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frustration.errors import last_line
from frustration.sinks import csv_text

WHO = ("job", "id", "architecture", "mode", "trial", "target")
FIELDS = ("loop", "accuracy", "loss", "accepted", "lkg_accuracy", "lkg_loop")


@dataclass(kw_only=True)
class LoggedTrial:
    """One trial in the logs of one job."""

    job: str
    id: str
    architecture: str
    mode: str
    trial: int
    target: int
    loops: dict[int, dict[str, Any]] = field(default_factory=dict)
    """By global loop."""
    test_accuracy: float | None = None
    """Where the trial came to its end."""
    ended: bool = False
    failure: str = ""
    """The last line of its traceback."""
    disagreeing: set[int] = field(default_factory=set)
    """Loops that two lines tell differently."""

    @property
    def state(self) -> str:
        return "failed" if self.failure else "ended" if self.ended else "cut off"

    def to_dict(self) -> dict[str, Any]:
        """A row of the table; `loops_missing` are those before the last one that no line tells of."""
        known = [(one["accuracy"], -loop) for loop, one in self.loops.items() if one["accuracy"] is not None]
        bounty, loop = max(known, default=(None, 0))
        reached = max(self.loops, default=0)
        return {
            "job": self.job,
            "id": self.id,
            "architecture": self.architecture,
            "mode": self.mode,
            "trial": self.trial,
            "state": self.state,
            "loops": reached,
            "target": self.target,
            "loops_missing": reached - len(self.loops),
            "bounty": bounty,
            "bounty_loop": -loop if known else None,
            "test_accuracy": self.test_accuracy,
            "failure": self.failure or None,
        }


@dataclass(kw_only=True)
class Logged:
    """Everything that was read."""

    trials: dict[tuple[str, str], LoggedTrial] = field(default_factory=dict)
    """By (job, id)."""
    damaged: int = 0
    """Lines that began like an object of ours and were none."""

    def in_order(self, unfinished_only: bool = False) -> list[LoggedTrial]:
        wanted = (one for one in self.trials.values() if not (unfinished_only and one.ended))
        return sorted(wanted, key=lambda one: (one.job, one.architecture, one.mode, one.trial))


def read(folders: Iterable[Path]) -> Logged:
    """`folders`: one a job, named after it; a file for each of its starts, in their order."""
    found = Logged()
    for folder in folders:
        for path in sorted(folder.glob("*.log")):
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    _take(found, folder.name, line)
    return found


def _take(found: Logged, job: str, line: str) -> None:
    at = line.find("{")
    if at < 0 or '"type"' not in line:
        return
    try:
        event = json.loads(line[at:])
        kind = event["type"]
        if kind not in ("loop", "trial", "failed"):
            return
        key = (job, str(event["id"]))
        trial = found.trials.get(key) or LoggedTrial(
            job=job,
            id=str(event["id"]),
            architecture=str(event["arch"]),
            mode=str(event["mode"]),
            trial=int(event["trial"]),
            target=int(event["target"]),
        )
        if kind == "loop":
            loop = int(event["loop"])
            row = {name: _number(event[name]) for name in FIELDS}
            row |= {"loop": loop, "accepted": bool(event["accepted"])}
            if trial.loops.setdefault(loop, row) != row:
                trial.disagreeing.add(loop)
        elif kind == "trial":
            trial.ended, trial.test_accuracy = True, _number(event["test_accuracy"])
        else:
            trial.failure = last_line(str(event["traceback"]))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found.damaged += 1
        return
    found.trials[key] = trial


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def to_csv(trials: Iterable[LoggedTrial]) -> str:
    """A row for every loop of every trial."""
    rows = [
        [
            *(getattr(trial, name) for name in WHO),
            *(one[name] for name in FIELDS[:-1]),
            _whole(one["lkg_loop"]),
        ]
        for trial in trials
        for _, one in sorted(trial.loops.items())
    ]
    return csv_text([(*WHO, *FIELDS), *rows])


def _whole(value: float | None) -> int | str:
    return "" if value is None else int(value)
