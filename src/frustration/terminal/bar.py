"""Progress on stderr: one redrawn line in a terminal, a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Self

from frustration.sinks import printable, unfenced
from frustration.terminal.printing import in_terminal

REDRAW_SECONDS = 0.2
LINE_SECONDS = 10.0
CLEAR = "\r\x1b[K"


class Bar:
    """A progress bar that any thread may update."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._live = in_terminal(sys.stderr)
        self._lock = threading.Lock()
        self._begun = self._last = time.monotonic()
        self._drawn = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._drawn and self._live:
            print(CLEAR, end="", file=unfenced(sys.stderr), flush=True)

    def at(self, done: int, total: int, size: int = 0) -> None:
        """`done` of `total`, and so many bytes."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < (REDRAW_SECONDS if self._live else LINE_SECONDS):
                return
            self._last, self._drawn = now, True
            speed = size / (now - self._begun)
            line = f"{done:,} of {total:,} {self._what}" if total > done else f"{done:,} {self._what}"
            line += f", {megabytes(size)} at {megabytes(int(speed))}/s" if size else ""
            if self._live:
                print(f"{CLEAR}{printable(line)}", end="", file=unfenced(sys.stderr), flush=True)
            else:
                print(line, file=sys.stderr, flush=True)


def megabytes(size: int) -> str:
    """`3.2 MB`; a MB is a million bytes."""
    return f"{size / 1e6:,.1f} MB"


@contextlib.contextmanager
def measuring() -> Iterator[Callable[[int, int], None]]:
    """Show in a terminal how many groups of trials have been measured for an estimate; cleared in the end."""
    live = in_terminal(sys.stderr)

    def at(done: int, total: int) -> None:
        if live:
            print(f"{CLEAR}measuring {done}/{total}", end="", file=unfenced(sys.stderr), flush=True)

    try:
        yield at
    finally:
        if live:
            print(CLEAR, end="", file=unfenced(sys.stderr), flush=True)
