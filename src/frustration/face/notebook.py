"""Progress in a notebook: a bar below the cell."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from html import escape
from typing import Any, Protocol

from frustration.report.formatting import seconds
from frustration.runners.board import Board
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
    """Trials and loops done, time left, and the mean bounty of each mode, redrawn twice a second."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, handle: Handle | None = None) -> None:
        self._clock, self._handle = clock, handle
        self._drawn = float("-inf")
        self._board: Board | None = None

    def tell(self, event: SessionEvent | StudyEvent) -> None:
        match event:
            case SessionStart() | StudyStart():
                self._board = self._begun(event)
            case LoopDone() if self._board:
                self._board.loop_done(event)
            case TrialDone() if self._board:
                self._board.trial_done(event)
            case TrialFailed() if self._board:
                self._board.mark_finished((), [event.trial_id])
        if self._clock() - self._drawn >= SECONDS_BETWEEN:
            self._draw()

    def end(self) -> None:
        """The last state stays."""
        if self._board:
            self._draw()

    @property
    def share(self) -> float:
        """Of all loops, from 0 to 1."""
        return self._board.meter.share if self._board else 1.0

    @property
    def text(self) -> str:
        """`7 of 16 trials, 12 s left; mean bounty so far: none 95.20, hidden 93.81`."""
        board = self._board
        if board is None:
            return ""
        said = f"{board.over} of {board.total} trials" + (
            f" ({len(board.failed)} failed)" if board.failed else ""
        )
        said += f", {seconds(left)} left" if (left := board.meter.left) else ""
        curves = {mode.label: mode.curve(board.settings.names) for mode in board.modes.values()}
        means = [f"{label} {curve[-1]:.4g}" for label, curve in curves.items() if curve]
        return said + (f"; mean bounty so far: {', '.join(means[:8])}" if means else "")

    def _begun(self, start: SessionStart | StudyStart) -> Board:
        """Every loop costs the same, and those that were done before are part of the whole."""
        board = Board(start.specs, {spec.id: float(spec.meta_loops) for spec in start.specs}, self._clock, {})
        if isinstance(start, StudyStart):
            board.mark_finished(start.done, start.failed, opening=True)
        else:
            for spec, loops in zip(start.specs, start.loops, strict=True):
                board.advance(spec.id, loops, None, opening=True)
        return board

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
