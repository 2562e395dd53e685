"""The doctor held against a folder of scripts: steps right, wrong and undecided.

A script may have its truth beside it: `train.expected.json` for `train.py`, an object with the state that a
person would give to each step; `missing|undecided` allows both. A list is a state and texts that the step
has to contain, as in `["missing", "val_loss"]`; `{"refused": "ignite"}` is a script that is not edited, and a
word of the reason.
Without it only what needs no person is counted: the edit parses, and a second run changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from frustration.errors import InputError
from frustration.integration.examine import examine, examine_script
from frustration.integration.source import Script
from frustration.integration.steps import STEPS, Report
from frustration.integration.targets import Wishes

TRUTH = ".expected.json"
REFUSED = "refused"
Truth = dict[str, tuple[str, ...]]
"""For each step its state and the texts in it; under `refused` the texts in the reason."""


@dataclass(frozen=True)
class Row:
    """One script."""

    script: str
    kind: str
    done: int
    edited: int
    undecided: int
    """Steps that are asked or left to a person."""
    right: int
    wrong: int
    """Steps that differ from the truth, and an edit that does not hold; both 0 where nothing is known."""
    looks: int
    """Lines that were not understood, and are told."""
    silent: int
    """Wrong ones of which the report says nothing: neither a question, nor a refusal, nor work by hand."""
    remark: str = ""


def scripts_in(folder: Path) -> Iterator[Path]:
    """The scripts in a folder, in the order of their names; a single file is itself."""
    if folder.is_file():
        yield folder
        return
    if not folder.is_dir():
        raise InputError(f"{folder} is no file and no folder")
    yield from sorted(path for path in folder.rglob("*.py") if not path.name.startswith("."))


def score(path: Path, wishes: Wishes) -> Row:
    """How one script fares."""
    name = str(path)
    try:
        report = examine(path, wishes)
    except InputError as error:
        return Row(name, "unreadable", 0, 0, 0, 0, 0, 0, 0, str(error))
    fault = _fault(report, wishes, path)
    states = {step: report.state(step) for step in STEPS}
    truth = _truth(path) or {}
    differ = {step: found for step in truth if (found := _differs(report, step, truth[step]))}
    looks = {step.name for step in report.steps if step.action == "look"}
    told = [s for s in differ if report.refused or states.get(s) in ("undecided", "wrong") or s in looks]
    return Row(
        name,
        report.kind,
        sum(state == "done" for state in states.values()),
        sum(any(s.name == step and s.action == "edit" for s in report.steps) for step in STEPS),
        sum(state == "undecided" for state in states.values()),
        len(truth) - len(differ),
        len(differ) + bool(fault),
        sum(step.action == "look" for step in report.steps),
        len(differ) - len(told) + bool(fault),
        "; ".join([*([fault] if fault else []), *differ.values()]) or report.refused,
    )


def _differs(report: Report, step: str, expected: tuple[str, ...]) -> str:
    """How a step differs from what a person would say of it; empty if it does not."""
    if step == REFUSED:
        missing = [text for text in expected if text not in report.refused]
        return f"refused: {report.refused or 'not at all'}" if missing or not report.refused else ""
    state, *texts = expected
    if report.state(step) not in state.split("|"):
        return f"{step}: {report.state(step)}, not {state}"
    said = "\n".join(text for s in report.steps if s.name == step for text in (s.reason, s.option, *s.edit))
    missing = [text for text in texts if text not in said]
    return f"{step}: nothing about {', '.join(missing)}" if missing else ""


def _fault(report: Report, wishes: Wishes, path: Path) -> str:
    """What an edit may never do."""
    if not report.changed:
        return ""
    try:
        second = examine_script(Script(report.after, path), wishes)
    except InputError as error:
        return f"the edit does not parse: {error}"
    if second.after != report.after:
        return "a second run changes the script again"
    try:
        compile(report.before, "before", "exec")
    except SyntaxError:  # newer than this Python: libcst has read it
        return ""
    try:
        compile(report.after, "after", "exec")
    except SyntaxError as error:
        return f"the edit does not parse: line {error.lineno}"
    return ""


def _truth(path: Path) -> Truth | None:
    file = path.with_name(path.stem + TRUTH)
    if not file.is_file():
        return None
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    if not isinstance(found, dict) or set(found) - {*STEPS, REFUSED}:
        raise InputError(f"{file} has to be an object of steps ({', '.join(STEPS)}) and their states")
    return {
        str(step): tuple(map(str, said)) if isinstance(said, list) else (str(said),)
        for step, said in found.items()
    }


def scoreboard(folder: Path, wishes: Wishes) -> tuple[list[Row], str]:
    """The rows, and the sum in a sentence."""
    rows = [score(path, wishes) for path in scripts_in(folder)]
    right, wrong = sum(row.right for row in rows), sum(row.wrong for row in rows)
    known = right + wrong
    edited = sum(row.edited for row in rows)
    undecided = sum(row.undecided for row in rows)
    share = f"; of {known} known steps {right} are right ({100 * right / known:.1f} %)" if right else ""
    return rows, (
        f"{len(rows)} scripts: {edited} steps edited, {undecided} asked or left to a person, {wrong} "
        f"wrong, {sum(row.silent for row in rows)} of them silently{share}"
    )


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
