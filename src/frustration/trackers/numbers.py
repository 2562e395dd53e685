"""The numbers that trackers get: settings of a trial, values of each loop, and results."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from frustration.record import TrialRecord
from frustration.spec import TrialSpec


def numbers(fields: dict[str, Any], prefix: str = "") -> dict[str, float]:
    """What can be drawn: `{"evidence": {"hidden": {"units": 1}}}` is {"evidence/hidden/units": 1.0}."""
    found: dict[str, float] = {}
    for name, value in fields.items():
        if isinstance(value, dict):
            found |= numbers(value, f"{prefix}{name}/")
        elif isinstance(value, int | float) and name != "loop":
            found[f"{prefix}{name}"] = float(value)
    return found


def loops(record: TrialRecord) -> Iterator[tuple[int, dict[str, float]]]:
    """Each loop with its numbers and the bounty so far."""
    best: float | None = None
    for entry in record.curve:
        if entry.new_bounty:
            best = entry.accuracy
        yield entry.loop, numbers({**entry.to_dict(), "bounty": best})


def outcome(record: TrialRecord) -> dict[str, Any]:
    """What a trial came to."""
    return {
        "bounty": record.bounty,
        "bounty_loop": record.bounty_loop,
        "test_accuracy": record.test_accuracy,
        "accepted": sum(entry.accepted for entry in record.curve),
        "inert": list(record.inert),
        "parameters": record.parameters,
        "seconds": record.seconds,
    }


def settings_of(spec: TrialSpec) -> dict[str, Any]:
    """What a trial is."""
    return {**spec.to_dict(), "architecture": str(spec.architecture), "label": spec.label}


def name_of(spec: TrialSpec) -> str:
    return f"{spec.architecture} {spec.label} t{spec.trial}"
