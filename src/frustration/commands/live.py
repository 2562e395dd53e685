"""`train` in a terminal: the architecture, then a view that is redrawn while the networks are trained."""

from __future__ import annotations

import itertools
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from frustration.commands.frame import Frame, bar
from frustration.commands.scoreboard import ModeTally, Scoreboard, clock_face
from frustration.commands.summary import summary
from frustration.commands.tables import network_table, plain_table
from frustration.commands.views import notes_of, opening, say, verdict
from frustration.report.formatting import DASH, number

if TYPE_CHECKING:
    from frustration.record import LoopEntry
    from frustration.request import Request
    from frustration.runners.events import LoopDone, SessionStart, TrialDone
    from frustration.session import Outcome

LOOPS_SHOWN = 10
SPARKS = "▁▂▃▄▅▆▇█"


class LiveView(Frame):
    """The last loops of one trial, or a row for each mode of a comparison; below, how far it is."""

    def __init__(
        self,
        request: Request,
        stop: threading.Event,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(console)
        self._request, self._stop, self._clock = request, stop, clock
        self._recent: deque[LoopDone] = deque(maxlen=LOOPS_SHOWN)

    def start(self, event: SessionStart) -> None:
        self._board = Scoreboard(event, self._clock)
        for what in heading(event):
            say(self.console, what)
        say(self.console, "")
        self.open(transient=len(event.specs) > 1)  # the table of results takes its place

    def loop(self, event: LoopDone) -> None:
        with self.drawing:
            self._board.loop_done(event)
            self._recent.append(event)

    def trial(self, event: TrialDone) -> None:
        with self.drawing:
            self._board.trial_done(event)

    def end(self, outcome: Outcome) -> None:
        self.close()
        if len(outcome.records) == 1:
            say(self.console, "")
        for what in summary(outcome, self._request.fresh):
            say(self.console, what)

    def picture(self) -> RenderableType:
        """What is redrawn."""
        width, height = self.console.size
        with self.drawing:
            if len(self._board.start.specs) == 1:
                table = recent_loops(list(self._recent)[-max(1, height - 6) :], width)
            else:
                table = modes_table(list(self._board.modes.values()), width, rows=max(1, height - 6))
            return Group(table, Text(), progress(self._board, width, self._stop.is_set()))


def heading(start: SessionStart) -> list[RenderableType]:
    """What is shown once, above the view."""
    notes = [Text(f"note: {note}", style="yellow") for note in notes_of(start)]
    return [Text(opening(start), style="bold"), Text(), network_table(start.shape), *notes]


def recent_loops(loops: Sequence[LoopDone], width: int) -> Table:
    """One row per loop, the newest last; the rightmost columns go where there is no room for them."""
    headers = ["loop", "validation %", "bounty % @ loop", "verdict", "damage", "recovery", "loss"]
    widths = [4, 12, 15, 10, 6, 8, 6]
    growing = any(done.entry.dendrites is not None for done in loops)
    if growing:
        headers[4:6], widths[4:6] = ["dendrites", "parameters"], [9, 10]
    columns = _fitting(widths, width)
    table = plain_table(*headers[:columns], left=(3,))
    for done in loops:
        entry = done.entry
        bounty = DASH if done.bounty is None else f"{done.bounty:.2f} @ {done.bounty_loop}"
        cells = [
            str(entry.loop),
            number(entry.accuracy),
            bounty,
            verdict(entry),
            *(_size(entry) if growing else (number(entry.harm), number(entry.recovery))),
            number(entry.loss, digits=4),
        ]
        style = "green" if entry.accepted else "red" if entry.diverged else "dim"
        table.add_row(*cells[:columns], style=style)
    return table


def modes_table(modes: Sequence[ModeTally], width: int, rows: int) -> Table:
    """One row per mode."""
    name = min(24, max(4, *(len(mode.label) for mode in modes)))
    headers = ["mode", "trials", "loop", "validation %", "bounty %", "accepted", "bounty so far"]
    widths = [name, 7, 7, 12, 8, 8, 13]
    growing = any(mode.sizes for mode in modes)
    if growing:
        headers[5:5], widths[5:5] = ["dendrites", "parameters"], [9, 15]
    columns = _fitting(widths, width)
    table = plain_table(*headers[:columns], left=(0, len(headers) - 1))
    low, high = _range_of([mode.curve for mode in modes])
    for mode in modes if len(modes) <= rows else modes[: rows - 1]:
        cells = [
            mode.label,
            f"{len(mode.finished)}/{len(mode.at)}",
            _loops(mode),
            number(mode.accuracy),
            number(mode.bounty),
            *([mode.dendrites or DASH, mode.parameters or DASH] if growing else []),
            f"{100 * mode.accepted / mode.judged:.0f} %" if mode.judged else DASH,
            sparkline(mode.curve, low, high, width=13),
        ]
        table.add_row(*cells[:columns], style="green" if len(mode.finished) == len(mode.at) else "")
    if len(modes) > rows:
        table.add_row(f"and {len(modes) - rows + 1} more", *[""] * (columns - 1))
    return table


def progress(board: Scoreboard, width: int, stopping: bool = False) -> Text:
    """`━━━━━━─────  43 %  0:12 elapsed, 0:16 left`; heavy and light lines, so that colour is not needed."""
    words = f"{100 * board.share:3.0f} %  {clock_face(board.elapsed)} elapsed, {clock_face(board.left)} left"
    return bar(board.share, words, width)


def sparkline(values: Sequence[float], low: float, high: float, width: int) -> str:
    """The values as small bars; of more than fit, the last of each equal part."""
    if len(values) > width:
        values = [values[(part + 1) * len(values) // width - 1] for part in range(width)]
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((value - low) * scale)] for value in values)


def _range_of(curves: Sequence[Sequence[float]]) -> tuple[float, float]:
    """One scale for all modes, so that their bars can be compared."""
    values = list(itertools.chain.from_iterable(curves))
    return min(values, default=0.0), max(values, default=0.0)


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns fit, counted from the left; two blanks lie between them."""
    ends = itertools.accumulate(column + 2 for column in widths)
    return max(1, sum(end - 2 <= width for end in ends))


def _loops(mode: ModeTally) -> str:
    """How far the trials are that are under way; all, if none or every one is."""
    under_way = [at for trial, at in mode.at.items() if mode.behind[trial] < at < mode.target]
    low, high = (min(under_way), max(under_way)) if under_way else (mode.slowest, mode.fastest)
    return f"{low}/{mode.target}" if low == high else f"{low}-{high}/{mode.target}"


def _size(entry: LoopEntry) -> tuple[str, str]:
    parameters = DASH if entry.parameters is None else f"{entry.parameters:,}"
    return str(DASH if entry.dendrites is None else entry.dendrites), parameters
