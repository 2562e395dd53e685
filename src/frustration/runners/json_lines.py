"""Training as JSON lines: one object an event, each with a "type": start, loop, trial, failed, end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from frustration.record import TrialRecord
from frustration.runners.events import (
    LoopDone,
    SessionEvent,
    SessionStart,
    StudyEvent,
    StudyStart,
    TrialDone,
    TrialFailed,
)
from frustration.sinks import print_json_line
from frustration.spec import TrialSpec


class JsonLines:
    """Makes an object of every event."""

    def __init__(self, more: Callable[[TrialRecord], dict[str, Any]] | None = None) -> None:
        """`more`: what is said of a result beyond what is said of all."""
        self._more = more or (lambda record: {"inert": list(record.inert)})
        self._specs: dict[str, TrialSpec] = {}

    def of(self, event: SessionEvent | StudyEvent) -> dict[str, Any]:
        """An event as an object."""
        match event:
            case SessionStart() | StudyStart():
                self._specs = {spec.id: spec for spec in event.specs}
                return {"type": "start", **_start(event)}
            case LoopDone():
                return {"type": "loop", **loop_fields(event, self._specs[event.trial_id])}
            case TrialDone():
                return {"type": "trial", **self.result(event.record)}
            case TrialFailed():
                fields = who(self._specs[event.trial_id])
                return {"type": "failed", **fields, "traceback": event.traceback}

    def tell(self, event: SessionEvent | StudyEvent) -> None:
        """Write an event."""
        print_json_line(**self.of(event))

    def result(self, record: TrialRecord) -> dict[str, Any]:
        """What a trial came to."""
        return {**result_fields(record), **self._more(record)}


def who(spec: TrialSpec) -> dict[str, Any]:
    """Which trial an object is about."""
    return {
        "id": spec.id,
        "arch": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "target": spec.meta_loops,
    }


def _start(event: SessionStart | StudyStart) -> dict[str, Any]:
    return _session_start(event) if isinstance(event, SessionStart) else _study_start(event)


def _session_start(event: SessionStart) -> dict[str, Any]:
    spec = event.specs[0]
    return {
        "arch": str(spec.architecture),
        "dataset": spec.dataset,
        "seed": spec.seed,
        "parameters": event.parameters,
        "backend": event.backend,
        "device": event.device,
        "workers": event.workers,
        "notes": list(event.notes),
        "trials": [
            {**who(spec), "loops": loops} for spec, loops in zip(event.specs, event.loops, strict=True)
        ],
    }


def _study_start(event: StudyStart) -> dict[str, Any]:
    ids = {spec.id for spec in event.specs}
    return {
        "study": event.name,
        "trials": len(ids),
        "done": len(event.done & ids),
        "failed": len(event.failed & ids),
        "backend": event.backend,
        "device": event.device,
        "workers": event.workers,
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
    """What is said of the result of any trial."""
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
