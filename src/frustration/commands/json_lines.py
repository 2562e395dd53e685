"""What the JSON lines of `train` and `study` have in common."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from frustration.record import TrialRecord
    from frustration.runners.work import LoopDone
    from frustration.spec import TrialSpec


def write(**fields: Any) -> None:
    """One object, at once."""
    print(json.dumps(fields, allow_nan=False), flush=True)


def who(spec: TrialSpec) -> dict[str, Any]:
    """Which trial an object is about."""
    return {
        "id": spec.id,
        "arch": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "target": spec.meta_loops,
    }


def loop_fields(event: LoopDone, spec: TrialSpec) -> dict[str, Any]:
    """`mode` is the trial's; what acted in this loop of it is `loop_mode`."""
    entry = event.entry.to_dict()
    return {
        **who(spec),
        "loop_mode": entry.pop("mode"),
        "lkg_accuracy": event.bounty,
        "lkg_loop": event.bounty_loop,
        **entry,
    }


def result_fields(record: TrialRecord) -> dict[str, Any]:
    """What a trial came to."""
    return {
        **who(record.spec),
        "loops": record.loop,
        "bounty": record.bounty,
        "bounty_loop": record.bounty_loop,
        "test_accuracy": record.test_accuracy,
        "accepted_loops": sum(entry.accepted for entry in record.curve),
        "diverged_loops": sum(entry.diverged for entry in record.curve),
        "parameters": record.parameters,
        "seconds": round(record.seconds, 3),
    }
