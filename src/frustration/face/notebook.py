"""Progress where nobody watches a terminal: a bar under the cell of a notebook."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, Protocol

from frustration.report.formatting import seconds
from frustration.runners.events import (
    LoopDone,
    SessionEvent,
    SessionStart,
    StudyEvent,
    StudyStart,
    TrialDone,
    TrialFailed,
)

SECONDS_BETWEEN = 0.5


class Handle(Protocol):
    """A display that can be written over."""

    def update(self, obj: Any) -> None: ...


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return shell is not None and hasattr(shell, "kernel")


class NotebookProgress:
    """Trials and loops done, time left, and the best of each mode, redrawn twice a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, handle: Handle | None = None) -> None:
        self._clock, self._handle = clock, handle
        self._began, self._drawn = clock(), float("-inf")
        self._target: dict[str, int] = {}
        self._loops: dict[str, int] = {}
        self._label: dict[str, str] = {}
        self._bounties: dict[str, dict[str, float]] = {}
        self._done: set[str] = set()
        self._failed = 0
        self._before = 0

    def tell(self, event: SessionEvent | StudyEvent) -> None:
        if isinstance(event, SessionStart | StudyStart):
            self._start(event)
        elif isinstance(event, LoopDone):
            self._loops[event.trial_id] = event.entry.loop
            if event.bounty is not None:
                label = self._label.get(event.trial_id, "")
                self._bounties.setdefault(label, {})[event.trial_id] = event.bounty
        elif isinstance(event, TrialDone):
            self._finish(event.trial_id)
        elif isinstance(event, TrialFailed):
            self._failed += 1
            self._finish(event.trial_id)
        if self._clock() - self._drawn >= SECONDS_BETWEEN:
            self._draw()

    def end(self) -> None:
        """The last state stays."""
        if self._target:
            self._draw()

    @property
    def share(self) -> float:
        """Of all loops, from 0 to 1."""
        total = sum(self._target.values())
        return sum(self._loops.values()) / total if total else 1.0

    @property
    def text(self) -> str:
        """`7 of 16 trials, 12 s left; mean bounty so far: none 95.20, hidden 93.81`."""
        failed = f" ({self._failed} failed)" if self._failed else ""
        said = f"{len(self._done)} of {len(self._target)} trials{failed}"
        spent, new = self._clock() - self._began, sum(self._loops.values()) - self._before
        left = sum(self._target.values()) - sum(self._loops.values())
        if new and left:
            said += f", {seconds(spent * left / new)} left"
        means = [f"{label} {sum(found.values()) / len(found):.4g}" for label, found in self._bounties.items()]
        return said + (f"; mean bounty so far: {', '.join(means[:8])}" if means else "")

    def _start(self, event: SessionStart | StudyStart) -> None:
        self._target = {spec.id: spec.meta_loops for spec in event.specs}
        self._label = {spec.id: spec.label for spec in event.specs}
        if isinstance(event, SessionStart):
            self._loops = {spec.id: loop for spec, loop in zip(event.specs, event.loops, strict=True)}
        else:
            for trial_id in event.done | event.failed:
                if trial_id in self._target:
                    self._finish(trial_id)
        self._before = sum(self._loops.values())
        self._began = self._clock()

    def _finish(self, trial_id: str) -> None:
        self._done.add(trial_id)
        self._loops[trial_id] = self._target.get(trial_id, 0)

    def _draw(self) -> None:
        self._drawn = self._clock()
        from IPython.display import HTML, display

        shown = HTML(
            f'<progress value="{self.share:.4f}" max="1" style="width:20em"></progress> {escape(self.text)}'
        )
        if self._handle is None:
            self._handle = display(shown, display_id=True)
        else:
            self._handle.update(shown)
