"""`train --json`: one object a line, each with a "type": start, loop, trial, end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frustration.commands.json_lines import loop_fields, result_fields, who, write
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
        write(
            type="start",
            arch=str(spec.architecture),
            dataset=spec.dataset,
            seed=spec.seed,
            parameters=event.parameters,
            backend=event.backend,
            device=event.device,
            workers=event.workers,
            notes=list(event.notes),
            trials=[
                {**who(spec), "loops": loops} for spec, loops in zip(event.specs, event.loops, strict=True)
            ],
        )

    def loop(self, event: LoopDone) -> None:
        write(type="loop", **loop_fields(event, self._specs[event.trial_id]))

    def trial(self, event: TrialDone) -> None:
        write(type="trial", **self._result(event.record))

    def end(self, outcome: Outcome) -> None:
        unfinished = [self._result(record) for record in outcome.records if not record.finished]
        write(type="end", interrupted=outcome.interrupted, unfinished=unfinished)

    def close(self) -> None:
        pass

    def _result(self, record: TrialRecord) -> dict[str, Any]:
        kept = record.bounty is not None
        return {
            **result_fields(record),
            "inert": list(inert_in(record)),
            "continued": record.continued,
            "mixed": record.mixed,
            "checkpoint": str(self._request.files(record.spec).lkg) if kept else None,
        }
