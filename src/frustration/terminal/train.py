"""The view of `train`: the loops of one trial, or the modes of a comparison."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from frustration.report.formatting import DASH, score
from frustration.runners.board import Board
from frustration.runners.events import LoopDone, SessionEvent, SessionStart, TrialDone, TrialFailed
from frustration.runners.json_lines import JsonLines
from frustration.runners.meter import Clock, clock_face, elapsed_and_left
from frustration.runners.tally import ModeTally
from frustration.session import Outcome
from frustration.terminal.comparison import inert_in
from frustration.terminal.failures import Failures
from frustration.terminal.layers import network_table
from frustration.terminal.pictures import bar, modes_table, recent_loops, verdict
from frustration.terminal.summary import scored, summary
from frustration.terminal.view import Show

if TYPE_CHECKING:
    from rich.console import RenderableType

    from frustration.metric import Metric
    from frustration.record import LoopEntry, TrialRecord
    from frustration.request import Request

LOOPS_SHOWN = 10
LINES_PER_SECOND = 10.0
SILENCE_SECONDS = 30.0
NOTES_SHOWN = 4


class TrainShow(Show[SessionEvent, Outcome]):
    """A session of `train`."""

    def __init__(self, request: Request, clock: Clock = time.monotonic) -> None:
        self._request, self._clock = request, clock
        self._objects = JsonLines(self._more)
        self._recent: deque[LoopDone] = deque(maxlen=LOOPS_SHOWN)
        self._last_line = clock()
        self._failures = Failures()
        self._shown: dict[str, float] = {}
        """When each mode last had a line."""

    @property
    def stays(self) -> bool:
        return self._single  # a comparison ends in a table that says the same

    def tell(self, event: SessionEvent) -> Iterator[RenderableType]:
        match event:
            case SessionStart():
                self._single = len(event.specs) == 1
                self.board = Board.of_session(event, self._clock)
                yield from heading(event)
            case LoopDone():
                self._recent.append(event)
                self._mode, self._complete = self.board.loop_done(event)
            case TrialDone():
                self.board.trial_done(event)
            case TrialFailed():
                self.board.mark_finished((), [event.trial_id])
                yield from self._failures.said(self.board.specs[event.trial_id], event.traceback)

    def lines(self, event: SessionEvent) -> Iterator[str]:
        """A line per loop; of a comparison, one per loop and mode, if that is not too many to read."""
        if not isinstance(event, LoopDone):
            return
        now, mode, loop = self._clock(), self._mode, event.entry.loop
        since = now - self._shown.get(mode.label, float("-inf"))
        readable = loop == mode.target or since >= len(self.board.modes) / LINES_PER_SECOND
        left = f"{clock_face(self.board.meter.left)} left"
        if self._single:
            yield f"{_loop_line(mode, event, self.board.metric)}  {left}"
        elif self._complete and readable:
            width = max(map(len, self.board.modes))
            yield f"{mode.label:<{width}}  {_mode_line(mode, loop, self.board.metric)}  {left}"
            self._shown[mode.label] = now
        elif now - self._last_line > SILENCE_SECONDS:
            yield f"{100 * self.board.meter.share:.0f} % done, {left}"
        else:
            return
        self._last_line = now

    def picture(self, width: int, height: int) -> list[RenderableType]:
        rows, meter = max(1, height - 6), self.board.meter
        if self._single:
            table = recent_loops(list(self._recent)[-rows:], width, self.board.metric)
        else:
            table = modes_table(self.board, width, rows)
        words = f"{100 * meter.share:3.0f} %  {elapsed_and_left(meter.elapsed, meter.left)}"
        return [table, Text(), bar(meter.share, words, width)]

    def ending(self, outcome: Outcome) -> Iterator[RenderableType]:
        return summary(outcome, self._request.fresh)

    def json(self, event: SessionEvent) -> dict[str, Any]:
        return self._objects.of(event)

    def json_ending(self, outcome: Outcome) -> dict[str, Any]:
        unfinished = [self._objects.result(record) for record in outcome.records if not record.finished]
        return {
            "type": "end",
            "interrupted": outcome.interrupted,
            "failed": len(outcome.failed),
            "unfinished": unfinished,
        }

    def _more(self, record: TrialRecord) -> dict[str, Any]:
        kept = record.bounty is not None
        return {
            "inert": list(inert_in(record)),
            "continued": record.continued,
            "mixed": record.mixed,
            "checkpoint": str(self._request.files(record.spec).lkg) if kept else None,
        }


def heading(start: SessionStart) -> Iterator[RenderableType]:
    """What is about to be trained: sentence, layers and notes."""
    yield Text(opening(start), style="bold")
    yield network_table(start.shape)
    notes = list(dict.fromkeys(start.notes))
    more = len(notes) - NOTES_SHOWN
    shown = notes if more <= 1 else [*notes[:NOTES_SHOWN], f"and {more} more of this kind"]
    for note in shown:
        yield Text(f"note: {note}", style="yellow")


def opening(start: SessionStart) -> str:
    """`[1*32] on mnist: 25,450 parameters, 3 modes x 8 trials, to loop 10, seed 0`."""
    spec = start.specs[0]
    labels = list(dict.fromkeys(spec.label for spec in start.specs))
    each = len(start.specs) // len(labels)
    modes = f'mode "{labels[0]}"' if len(labels) == 1 else f"{len(labels)} modes"
    trials = f" x {each} trials" if each > 1 else ""
    return (
        f"{spec.architecture} on {spec.dataset}: {start.parameters:,} parameters, {modes}{trials}, "
        f"to loop {spec.meta_loops}, seed {spec.seed}"
    )


def _loop_line(mode: ModeTally, event: LoopDone, metric: Metric) -> str:
    entry = event.entry
    return "  ".join(
        [
            _counted(mode, entry.loop),
            f"validation {scored(entry.accuracy, metric):>7}",
            f"bounty {scored(event.bounty, metric):>7} @ {event.bounty_loop or DASH}",
            f"{verdict(entry):<9}",
            *harm_and_recovery(entry, metric),
            *growth(entry),
        ]
    )


def _mode_line(mode: ModeTally, loop: int, metric: Metric) -> str:
    tally = mode.loops[loop]
    return "  ".join(
        [
            _counted(mode, loop),
            f"mean validation {scored(tally.accuracy.value, metric):>7}",
            f"mean bounty {scored(tally.bounty.value, metric):>7}",
            f"accepted {tally.accepted}/{tally.trials}",
            *([f"dendrites {mode.dendrites} ({mode.parameters} parameters)"] if mode.sizes else []),
        ]
    )


def _counted(mode: ModeTally, loop: int) -> str:
    return f"loop {loop:>{len(str(mode.target))}}/{mode.target}"


def growth(entry: LoopEntry) -> list[str]:
    """`dendrites 1 (50,942 parameters)`, and a `+` where the last one is new."""
    if entry.dendrites is None:
        return []
    new = "+" if any("dendrites" in done for done in entry.evidence.values()) else ""
    return [f"dendrites {entry.dendrites}{new} ({entry.parameters:,} parameters)"]


def harm_and_recovery(entry: LoopEntry, metric: Metric) -> list[str]:
    """What it lost and won back, where the candidate was damaged: `damage 3.10`, `recovery 3.55`."""
    named = {"damage": entry.harm, "recovery": entry.recovery}
    return [
        f"{name} {score(metric.sign * value, metric)}" for name, value in named.items() if value is not None
    ]
