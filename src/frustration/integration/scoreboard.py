"""The doctor held against a folder of scripts: steps right, wrong and undecided.

A script may have its truth beside it: `train.expected.json` for `train.py`, an object with the state that a
person would give to each step. Without it only what needs no person is counted: the edit parses, and a second
run changes nothing.
"""

from __future__ import annotations

import ast
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
        return Row(name, "unreadable", 0, 0, 0, 0, 0, str(error))
    fault = _fault(report, wishes, path)
    states = {step: report.state(step) for step in STEPS}
    truth = _truth(path)
    right = wrong = 0
    remark = fault
    if truth is not None:
        differ = [step for step, state in truth.items() if states.get(step) != state]
        right, wrong = len(truth) - len(differ), len(differ)
        remark = "; ".join(
            [*([fault] if fault else []), *(f"{s}: {states.get(s)}, not {truth[s]}" for s in differ)]
        )
    return Row(
        name,
        report.kind,
        sum(state == "done" for state in states.values()),
        sum(any(s.name == step and s.action == "edit" for s in report.steps) for step in STEPS),
        sum(state == "undecided" for state in states.values()),
        right,
        wrong + bool(fault),
        remark or report.refused,
    )


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
        ast.parse(report.before)
    except SyntaxError:  # newer than this Python: libcst has read it
        return ""
    try:
        ast.parse(report.after)
    except SyntaxError as error:
        return f"the edit does not parse: line {error.lineno}"
    return ""


def _truth(path: Path) -> dict[str, str] | None:
    file = path.with_name(path.stem + TRUTH)
    if not file.is_file():
        return None
    try:
        found: Any = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{file} cannot be read: {error}") from None
    if not isinstance(found, dict) or set(found) - set(STEPS):
        raise InputError(f"{file} has to be an object of steps ({', '.join(STEPS)}) and their states")
    return {str(step): str(state) for step, state in found.items()}


def scoreboard(folder: Path, wishes: Wishes) -> tuple[list[Row], str]:
    """The rows, and the sum in a sentence."""
    rows = [score(path, wishes) for path in scripts_in(folder)]
    right, wrong = sum(row.right for row in rows), sum(row.wrong for row in rows)
    known = right + wrong
    edited = sum(row.edited for row in rows)
    undecided = sum(row.undecided for row in rows)
    share = f"; of {known} known steps {right} are right ({100 * right / known:.0f} %)" if right else ""
    return rows, (
        f"{len(rows)} scripts: {edited} steps edited, {undecided} asked or left to a person, {wrong} "
        f"wrong{share}"
    )


def as_json(rows: list[Row]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]
