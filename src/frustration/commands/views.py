"""What `train` shows: JSON lines, plain lines in a pipe, or a live view in a terminal."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from frustration.record import LoopEntry
    from frustration.runners.events import LoopDone, SessionEvent, SessionStart, TrialDone
    from frustration.session import Outcome


class View(Protocol):
    """Is told what happens in a session, in the order in which it happens."""

    def start(self, event: SessionStart) -> None:
        """Once, before any training."""

    def loop(self, event: LoopDone) -> None:
        """After every loop of every trial."""

    def trial(self, event: TrialDone) -> None:
        """After the last loop of a trial."""

    def end(self, outcome: Outcome) -> None:
        """Once, when all is done or interrupted."""

    def close(self) -> None:
        """Always, and last: leave the terminal as it was."""


def in_terminal(stream: TextIO | None = None) -> bool:
    """Whether a stream, stdout if none is named, is a terminal in which a picture can be redrawn."""
    return (stream or sys.stdout).isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown")


def tell(view: View, event: SessionEvent) -> None:
    from frustration.runners.events import LoopDone, SessionStart, TrialDone

    if isinstance(event, SessionStart):
        view.start(event)
    elif isinstance(event, LoopDone):
        view.loop(event)
    elif isinstance(event, TrialDone):
        view.trial(event)


def say(console: Console, what: RenderableType) -> None:
    """Print to a terminal, or to a pipe without control codes, wrapping or trailing blanks."""
    from rich.table import Table

    from frustration.commands.tables import fitted

    if isinstance(what, Table):
        what = fitted(what, console)
    if console.is_terminal:
        console.print(what)
    else:
        with console.capture() as captured:
            console.print(what, soft_wrap=not isinstance(what, Table))
        print("\n".join(line.rstrip() for line in captured.get().splitlines()), flush=True)


def say_all(*what: RenderableType) -> None:
    """Print to stdout, wide where it is no terminal."""
    from frustration.sinks import console

    out = console(width=None if sys.stdout.isatty() else 200)
    for one in what:
        say(out, one)


def opening(start: SessionStart) -> str:
    """`[1*32] on mnist: 25,450 parameters, 3 modes x 8 trials, 10 loops, seed 0`."""
    spec = start.specs[0]
    labels = list(dict.fromkeys(spec.label for spec in start.specs))
    each = len(start.specs) // len(labels)
    modes = f'mode "{labels[0]}"' if len(labels) == 1 else f"{len(labels)} modes"
    trials = f" x {each} trials" if each > 1 else ""
    return (
        f"{spec.architecture} on {spec.dataset}: {start.parameters:,} parameters, {modes}{trials}, "
        f"to loop {spec.meta_loops}, seed {spec.seed}"
    )


NOTES_SHOWN = 4


def notes_of(start: SessionStart) -> list[str]:
    """Each note once, and no more than can be taken in."""
    notes = list(dict.fromkeys(start.notes))
    more = len(notes) - NOTES_SHOWN
    return notes if more <= 1 else [*notes[:NOTES_SHOWN], f"and {more} more of this kind"]


def verdict(entry: LoopEntry) -> str:
    """What became of a candidate, in a word or two."""
    if entry.diverged:
        return "discarded: loss not finite"
    if entry.adopted is not None:
        return f"discarded; back to loop {entry.adopted}"
    return "accepted" if entry.accepted else "discarded"
