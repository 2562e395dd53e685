"""Printing to stdout: tables and text, styled in a terminal and plain in a pipe."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

PIPE_WIDTH = 200
"""Columns of a table where nobody's window has to hold it."""


def in_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream (default: stdout) is a terminal that can redraw a picture."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")


def output() -> Console:
    """Rich on stdout; a pipe gets wide tables and no control codes, whatever FORCE_COLOR says."""

    from frustration.sinks import console

    out: Console = (
        console() if in_terminal() else console(width=PIPE_WIDTH, force_terminal=False, color_system=None)
    )
    return out


def say(console: Console, what: RenderableType) -> None:
    """Print to a terminal, or to a pipe without control codes, wrapping or trailing blanks."""
    from rich.table import Table

    from frustration.terminal.table import WIDE, fitted, natural_width

    left_out: list[str] = []
    if isinstance(what, Table):
        what, left_out = fitted(what, console)
    if console.is_terminal:
        narrow = console.width
        if isinstance(what, Table) and WIDE.get():
            console.width = max(narrow, natural_width(what, console))
        console.print(what, crop=False)
        console.width = narrow
    elif isinstance(what, str):
        print(what, flush=True)
    else:
        with console.capture() as captured:
            console.print(what, soft_wrap=not isinstance(what, Table))
        print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)
    if left_out:
        say(console, f"Left out: {', '.join(left_out)}; --wide shows them.")


def say_all(*what: RenderableType) -> None:
    """Print to stdout."""
    out = output()
    for one in what:
        say(out, one)
