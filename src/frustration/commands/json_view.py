"""`train --json`: one object a line, each with a "type": start, loop, trial, end."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from frustration.commands.tables import inert_in

if TYPE_CHECKING:
    from frustration.record import TrialRecord
    from frustration.request import Request
    from frustration.runners.work import LoopDone, TrialDone
    from frustration.session import Outcome, Start
    from frustration.spec import TrialSpec


class JsonView:
    """Writes every event as it happens."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._specs: dict[str, TrialSpec] = {}

    def start(self, event: Start) -> None:
        self._specs = {spec.id: spec for spec in event.specs}
        spec = event.specs[0]
        _write(
            type="start",
            arch=str(spec.architecture),
            dataset=spec.dataset,
            seed=spec.seed,
            parameters=spec.architecture.parameters(event.shape.features, event.shape.classes),
            backend=event.backend,
            device=event.device,
            workers=event.workers,
            notes=list(event.notes),
            trials=[
                {**_who(spec), "loops": loops} for spec, loops in zip(event.specs, event.loops, strict=True)
            ],
        )

    def loop(self, event: LoopDone) -> None:
        """`mode` is the trial's; what acted in this loop of it is `loop_mode`."""
        entry = event.entry.to_dict()
        _write(
            type="loop",
            **_who(self._specs[event.trial_id]),
            loop_mode=entry.pop("mode"),
            lkg_accuracy=event.bounty,
            lkg_loop=event.bounty_loop,
            **entry,
        )

    def trial(self, event: TrialDone) -> None:
        _write(type="trial", **self._result(event.record))

    def end(self, outcome: Outcome) -> None:
        unfinished = [self._result(record) for record in outcome.records if not record.finished]
        _write(type="end", interrupted=outcome.interrupted, unfinished=unfinished)

    def close(self) -> None:
        pass

    def _result(self, record: TrialRecord) -> dict[str, Any]:
        kept = record.bounty is not None
        return {
            **_who(record.spec),
            "loops": record.loop,
            "bounty": record.bounty,
            "bounty_loop": record.bounty_loop,
            "test_accuracy": record.test_accuracy,
            "accepted_loops": sum(entry.accepted for entry in record.curve),
            "diverged_loops": sum(entry.diverged for entry in record.curve),
            "inert": list(inert_in(record)),
            "parameters": record.parameters,
            "seconds": round(record.seconds, 3),
            "continued": record.continued,
            "checkpoint": str(self._request.files(record.spec).lkg) if kept else None,
        }


def _who(spec: TrialSpec) -> dict[str, Any]:
    return {
        "id": spec.id,
        "arch": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "target": spec.meta_loops,
    }


def _write(**fields: Any) -> None:
    print(json.dumps(fields, allow_nan=False), flush=True)
