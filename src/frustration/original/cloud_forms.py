"""The two files in which the original's jobs left their results, and which users' scripts read.

`results.txt`: one line a trial, its bounty in percent with two digits. `comprehensive_results.json`: a list
with one object a trial. A job of ours holds many cells of the grid, so objects also say which they are.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from frustration.archive import Member
from frustration.errors import InputError
from frustration.record import TrialRecord
from frustration.typed import parse, whole

RESULTS = "results.txt"
COMPREHENSIVE = "comprehensive_results.json"
NOTHING = "N/A"
"""The line of a trial no loop of which gave a finite network."""


@dataclass(frozen=True, kw_only=True)
class OriginalTrial:
    """What the original's forms say of one trial; None where they do not say it."""

    bounty: float | None
    """Best validation accuracy, percent."""
    bounty_loop: int | None = None
    test_accuracy: float | None = None


def results_text(records: Iterable[TrialRecord]) -> str:
    """The content of `results.txt`."""
    lines = [NOTHING if record.bounty is None else f"{record.bounty:.2f}" for record in records]
    return "".join(f"{line}\n" for line in lines)


def comprehensive_text(records: Iterable[TrialRecord]) -> str:
    """The content of `comprehensive_results.json`."""
    return json.dumps([_comprehensive(record) for record in records], indent=1, allow_nan=False) + "\n"


def _comprehensive(record: TrialRecord) -> dict[str, Any]:
    return {
        "best_validation_accuracy": record.bounty,
        "best_validation_epoch": record.bounty_loop,
        "final_test_accuracy": record.test_accuracy,
        "bounty": record.bounty,
        "architecture": str(record.spec.architecture),
        "ablation_mode": record.spec.label,
        "trial": record.spec.trial,
        "id": record.spec.id,
    }


def read_archive(members: Iterable[Member]) -> tuple[list[OriginalTrial] | None, list[str]]:
    """The trials in a job's archive, by the fuller file that can be used, and a sentence on what cannot."""
    texts: dict[str, str] = {}
    refused = []
    for member in members:
        if member.base in (RESULTS, COMPREHENSIVE):
            try:
                texts[member.base] = member.content().decode()
            except UnicodeDecodeError:
                refused.append(f"{member.base}: it is not text in UTF-8")
            except InputError as error:
                refused.append(f"{member.base}: {error}")
    trials: list[OriginalTrial] | None = None
    for name, read in ((COMPREHENSIVE, read_comprehensive), (RESULTS, read_results)):
        try:
            found = read(texts[name], name) if name in texts else None
        except InputError as error:
            refused.append(str(error))
            continue
        if trials is None:
            trials = found
        elif found is not None and len(found) != len(trials):
            refused.append(f"{name} has {len(found)} trials, {COMPREHENSIVE} {len(trials)}")
    return trials, refused


def read_results(text: str, source: str) -> list[OriginalTrial]:
    """The trials of a `results.txt`; a line that is no accuracy, such as a state, is an error."""
    found = []
    for number, line in enumerate(text.splitlines(), start=1):
        words = line.strip().removesuffix("%").strip()
        if not words:
            continue
        if words == NOTHING:
            found.append(OriginalTrial(bounty=None))
            continue
        try:
            bounty = float(words)
        except ValueError:
            raise InputError(f"{source}, line {number}: {words[:40]!r} is not an accuracy") from None
        found.append(OriginalTrial(bounty=_percent(bounty, f"{source}, line {number}")))
    return found


def read_comprehensive(text: str, source: str) -> list[OriginalTrial]:
    """The trials of a `comprehensive_results.json`."""
    try:
        document = parse(text)
    except InputError as error:
        raise InputError(f"{source} cannot be used: {error}") from None
    if not isinstance(document, list) or not all(isinstance(one, dict) for one in document):
        raise InputError(f"{source} is not a list with one object a trial")
    return [_read_one(one, f"{source}, trial {number}") for number, one in enumerate(document, start=1)]


def _read_one(one: dict[str, Any], where: str) -> OriginalTrial:
    if "best_validation_accuracy" not in one and "bounty" not in one:
        raise InputError(f"{where}: neither best_validation_accuracy nor bounty")
    best = one.get("best_validation_accuracy")
    bounty = one.get("bounty") if best is None else best
    test = one.get("final_test_accuracy")
    loop = one.get("best_validation_epoch")
    return OriginalTrial(
        bounty=None if bounty is None else _percent(bounty, where),
        bounty_loop=loop if whole().holds([loop]) else None,
        test_accuracy=None if test is None else _percent(test, where),
    )


def _percent(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InputError(f"{where}: {ascii(value)[:40]} is not an accuracy")
    if not 0 <= value <= 100:
        raise InputError(f"{where}: {ascii(value)[:40]} is not an accuracy in percent")
    return float(value)
