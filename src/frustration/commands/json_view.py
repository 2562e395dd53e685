"""`train --json`: one object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from frustration.commands.tables import inert_in
from frustration.runners.json_lines import JsonLines, write

if TYPE_CHECKING:
    from frustration.record import TrialRecord
    from frustration.request import Request
    from frustration.runners.events import LoopDone, SessionStart, TrialDone
    from frustration.session import Outcome


class JsonView:
    """Writes every event as it happens, and what is unfinished at the end."""

    def __init__(self, request: Request) -> None:
        self._request = request
        self._lines = JsonLines(self._more)

    def start(self, event: SessionStart) -> None:
        self._lines.tell(event)

    def loop(self, event: LoopDone) -> None:
        self._lines.tell(event)

    def trial(self, event: TrialDone) -> None:
        self._lines.tell(event)

    def end(self, outcome: Outcome) -> None:
        unfinished = [self._lines.result(record) for record in outcome.records if not record.finished]
        write("end", interrupted=outcome.interrupted, unfinished=unfinished)

    def close(self) -> None:
        pass

    def _more(self, record: TrialRecord) -> dict[str, Any]:
        kept = record.bounty is not None
        return {
            "inert": list(inert_in(record)),
            "continued": record.continued,
            "mixed": record.mixed,
            "checkpoint": str(self._request.files(record.spec).lkg) if kept else None,
        }
