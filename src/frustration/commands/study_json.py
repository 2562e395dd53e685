"""`study run --json`: one object a line, each with a "type": start, loop, trial, failed, end."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frustration.commands.json_lines import loop_fields, result_fields, who, write
from frustration.runners.work import LoopDone, TrialDone
from frustration.study.run import StudyEvent, StudyOutcome, StudyStart

if TYPE_CHECKING:
    from frustration.spec import TrialSpec


class JsonView:
    """Writes every event as it happens."""

    def __init__(self) -> None:
        self._specs: dict[str, TrialSpec] = {}

    def tell(self, event: StudyEvent) -> None:
        if isinstance(event, StudyStart):
            self._specs = {spec.id: spec for spec in event.specs}
            ids = self._specs.keys()
            write(
                type="start",
                study=event.study.name,
                trials=len(ids),
                done=len(event.done & ids),
                failed=len(event.failed & ids),
                backend=event.backend,
                device=event.device,
                workers=event.workers,
            )
        elif isinstance(event, LoopDone):
            write(type="loop", **loop_fields(event, self._specs[event.trial_id]))
        elif isinstance(event, TrialDone):
            write(type="trial", **result_fields(event.record), inert=list(event.record.inert))
        else:
            write(type="failed", **who(self._specs[event.trial_id]), traceback=event.traceback)

    def end(self, outcome: StudyOutcome) -> None:
        write(
            type="end",
            trials=outcome.total,
            done=outcome.done,
            failed=outcome.failed,
            interrupted=outcome.interrupted,
        )

    def close(self) -> None:
        pass
