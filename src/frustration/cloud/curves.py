"""Learning curves out of logs: what is left of a job that died before it could send its archive.

Containers print one JSON object a line, as `study run --json` does; lines about a loop are the curve. A job
that was started again repeats the loops since its last checkpoint, to the same numbers: each loop counts
once, and where two lines about it do not agree, both the trial and the loop are named.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frustration.sinks import csv_text

FIELDS = ("loop", "accuracy", "loss", "accepted", "lkg_accuracy", "lkg_loop")
HEAD = ("job", "id", "architecture", "mode", "trial", "target", *FIELDS)


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
    def reached(self) -> int:
        return max(self.loops, default=0)

    @property
    def gaps(self) -> int:
        """Loops before the last one that no line tells of."""
        return self.reached - len(self.loops)

    @property
    def bounty(self) -> tuple[float, int] | None:
        """Best accuracy that any line tells of, with its loop."""
        known = [(one["accuracy"], -loop) for loop, one in self.loops.items() if one["accuracy"] is not None]
        if not known:
            return None
        accuracy, loop = max(known)
        return accuracy, -loop


@dataclass(kw_only=True)
class Logged:
    """Everything that was read."""

    trials: dict[tuple[str, str], LoggedTrial] = field(default_factory=dict)
    """By (job, id)."""
    lines: int = 0
    damaged: int = 0
    """Lines that began like an object of ours and were none."""


def read(folders: Iterable[Path]) -> Logged:
    """`folders`: one a job, as sagemaker-get-training-logs leaves them; its streams in their order."""
    found = Logged()
    for folder in folders:
        for path in sorted(folder.glob("*.log")):
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    _take(found, folder.name, line)
    return found


def _take(found: Logged, job: str, line: str) -> None:
    found.lines += 1
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
            architecture=str(event.get("arch") or event["architecture"]),
            mode=str(event["mode"]),
            trial=int(event["trial"]),
            target=int(event["target"]),
        )
        if kind == "loop":
            _loop(trial, event)
        elif kind == "trial":
            trial.ended, trial.test_accuracy = True, _number(event["test_accuracy"])
        else:
            trial.failure = (str(event["traceback"]).strip().splitlines() or ["an unknown error"])[-1]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        found.damaged += 1
        return
    found.trials[key] = trial


def _loop(trial: LoggedTrial, event: dict[str, Any]) -> None:
    row = {name: _number(event[name]) if name != "accepted" else bool(event[name]) for name in FIELDS}
    loop = int(event["loop"])
    before = trial.loops.setdefault(loop, row)
    if before != row:
        trial.disagreeing.add(loop)


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def rows(found: Logged) -> Iterator[dict[str, Any]]:
    """One for every loop of every trial, in order."""
    for trial in in_order(found):
        who = {name: getattr(trial, name) for name in HEAD[: len(HEAD) - len(FIELDS)]}
        for loop in sorted(trial.loops):
            yield {**who, **trial.loops[loop], "loop": loop}


def in_order(found: Logged) -> list[LoggedTrial]:
    return sorted(found.trials.values(), key=lambda one: (one.job, one.architecture, one.mode, one.trial))


def to_csv(found: Logged) -> str:
    each = (
        {**row, "lkg_loop": "" if row["lkg_loop"] is None else int(row["lkg_loop"])} for row in rows(found)
    )
    return csv_text([HEAD, *([row[name] for name in HEAD] for row in each)])
