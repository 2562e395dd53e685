"""`train` in a pipe or a log file: plain lines without control codes, each written out at once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from frustration.commands.scoreboard import ModeTally, Scoreboard, clock_face
from frustration.commands.summary import percent, summary
from frustration.commands.tables import network_table
from frustration.commands.views import notes_of, opening, say, verdict
from frustration.report.formatting import DASH
from frustration.sinks import console

if TYPE_CHECKING:
    from frustration.record import LoopEntry
    from frustration.request import Request
    from frustration.runners.events import LoopDone, SessionStart, TrialDone
    from frustration.session import Outcome

LINES_PER_SECOND = 10.0
SILENCE_SECONDS = 30.0


class PlainView:
    """One line per loop; of a comparison, one per loop and mode, if that is not too many to read."""

    def __init__(self, request: Request, clock: Callable[[], float] = time.monotonic) -> None:
        self._request, self._clock = request, clock
        self._console = console(width=200, force_terminal=False, color_system=None)
        self._last_line = clock()
        self._shown: dict[str, float] = {}
        """When each mode last had a line."""

    def start(self, event: SessionStart) -> None:
        self._board = Scoreboard(event, self._clock)
        self._say(opening(event))
        say(self._console, network_table(event.shape))
        for note in notes_of(event):
            self._say(f"note: {note}")

    def loop(self, event: LoopDone) -> None:
        mode, complete = self._board.loop_done(event)
        if len(self._board.start.specs) == 1:
            self._say(self._loop_line(mode, event))
        elif complete and self._worth_a_line(mode, event.entry.loop):
            self._say(self._mode_line(mode, event.entry.loop))
            self._shown[mode.label] = self._clock()
        elif self._clock() - self._last_line > SILENCE_SECONDS:
            self._say(f"{100 * self._board.share:.0f} % done, {clock_face(self._board.left)} left")

    def trial(self, event: TrialDone) -> None:
        self._board.trial_done(event)

    def end(self, outcome: Outcome) -> None:
        print()
        for what in summary(outcome, self._request.fresh):
            say(self._console, what)

    def close(self) -> None:
        pass

    def _say(self, line: str) -> None:
        self._last_line = self._clock()
        print(line, flush=True)

    def _worth_a_line(self, mode: ModeTally, loop: int) -> bool:
        """The last loop always; others as long as all modes together stay readable."""
        since = self._clock() - self._shown.get(mode.label, float("-inf"))
        return loop == mode.target or since >= len(self._board.modes) / LINES_PER_SECOND

    def _loop_line(self, mode: ModeTally, event: LoopDone) -> str:
        entry = event.entry
        return "  ".join(
            [
                self._counted(mode, entry.loop),
                f"validation {percent(entry.accuracy):>7}",
                f"bounty {percent(event.bounty):>7} @ {event.bounty_loop or DASH}",
                f"{verdict(entry):<9}",
                *harm_and_recovery(entry),
                *growth(entry),
                f"{clock_face(self._board.left)} left",
            ]
        )

    def _mode_line(self, mode: ModeTally, loop: int) -> str:
        tally = mode.loops[loop]
        width = max(map(len, self._board.modes))
        return "  ".join(
            [
                f"{mode.label:<{width}}",
                self._counted(mode, loop),
                f"mean validation {percent(tally.accuracy.value):>7}",
                f"mean bounty {percent(tally.bounty.value):>7}",
                f"accepted {tally.accepted}/{tally.trials}",
                *([f"dendrites {mode.dendrites} ({mode.parameters} parameters)"] if mode.sizes else []),
                f"{clock_face(self._board.left)} left",
            ]
        )

    def _counted(self, mode: ModeTally, loop: int) -> str:
        return f"loop {loop:>{len(str(mode.target))}}/{mode.target}"


def growth(entry: LoopEntry) -> list[str]:
    """`dendrites 1 (50,942 parameters)`, and a `+` where the last one is new."""
    if entry.dendrites is None:
        return []
    new = "+" if any("dendrites" in done for done in entry.evidence.values()) else ""
    return [f"dendrites {entry.dendrites}{new} ({entry.parameters:,} parameters)"]


def harm_and_recovery(entry: LoopEntry) -> list[str]:
    """Percentage points, where the candidate was damaged: `damage 3.10`, `recovery 3.55`."""
    named = {"damage": entry.harm, "recovery": entry.recovery}
    return [f"{name} {value:.2f}" for name, value in named.items() if value is not None]
