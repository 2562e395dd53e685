"""`study run --json`: one object a line."""

from __future__ import annotations

from frustration.runners.json_lines import JsonLines, write
from frustration.study.run import StudyOutcome


class JsonView(JsonLines):
    """Writes every event as it happens, and where the study stands at the end."""

    def end(self, outcome: StudyOutcome) -> None:
        write("end", **outcome.to_dict())

    def close(self) -> None:
        pass
