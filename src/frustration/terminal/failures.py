"""Failed trials on the screen: of each cause the traceback once, and a few lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from frustration.errors import last_line

if TYPE_CHECKING:
    from frustration.spec import TrialSpec

LINES_SHOWN = 3
"""Of trials that failed for the same reason; more are counted only."""


class Failures:
    """What to print of the trials of a run that fail, as they do."""

    def __init__(self) -> None:
        self._causes: Counter[str] = Counter()

    def said(self, spec: TrialSpec, traceback: str) -> Iterator[Text]:
        """The lines about one more of them."""
        cause = last_line(traceback)
        self._causes[cause] += 1
        count = self._causes[cause]
        if count == 1 and len(traceback.strip().splitlines()) > 1:
            yield Text(traceback.rstrip(), style="dim")
        if count <= LINES_SHOWN:
            yield Text(failure_line(spec, traceback), style="red")
        elif count == LINES_SHOWN + 1:
            yield Text("further trials that fail for this reason are counted only", style="red")


def failure_line(spec: TrialSpec, traceback: str) -> str:
    """`failed: [1*32] hidden, trial 3: ValueError: no such file`."""
    return f"failed: {spec.architecture} {spec.label}, trial {spec.trial}: {last_line(traceback)}"
