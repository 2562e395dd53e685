"""What a running study shows: JSON lines, plain lines in a pipe, or a view that is redrawn in a terminal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol

from frustration.commands.scoreboard import clock_face
from frustration.commands.study_board import StudyBoard
from frustration.runners.events import LoopDone, StudyEvent, StudyStart, TrialDone, TrialFailed
from frustration.study.run import StudyOutcome

if TYPE_CHECKING:
    from frustration.study.store import Store

LOOK_SECONDS = 5.0
"""How often the records of other processes are looked for."""
PLAIN_SHARE, PLAIN_SECONDS, LEAST_SECONDS = 0.05, 30.0, 1.0
"""A plain line comes with every twentieth of the work, or half a minute, but not more than one a second."""


class StudyView(Protocol):
    """Is told what happens in a study, in the order in which it happens."""

    def tell(self, event: StudyEvent) -> None: ...
    def end(self, outcome: StudyOutcome) -> None: ...
    def close(self) -> None:
        """Always, and last: leave the terminal as it was."""


class Watching:
    """A board that hears of every event, and now and then of what other processes have finished."""

    def __init__(
        self, store: Store, costs: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._costs, self._clock = store, costs, clock
        self._looked = clock()

    def count(self, event: StudyEvent) -> None:
        if isinstance(event, StudyStart):
            self.board = StudyBoard(event, self._costs, self._clock)
        elif isinstance(event, LoopDone):
            self.board.loop_done(event)
        elif isinstance(event, TrialDone):
            self.board.trial_done(event)
        else:
            self.board.trial_failed(event)

    def look_around(self) -> None:
        if self._clock() - self._looked > LOOK_SECONDS:
            self._looked = self._clock()
            self.board.mark_finished(self._store.ids()[0])


class PlainView(Watching):
    """A line now and then, written out at once."""

    def __init__(
        self, store: Store, costs: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(store, costs, clock)
        self._share, self._last = -1.0, clock() - PLAIN_SECONDS

    def tell(self, event: StudyEvent) -> None:
        self.count(event)
        if isinstance(event, StudyStart):
            print(opening(event), flush=True)
            self._share, self._last = self.board.share, self._clock()
            return
        if isinstance(event, TrialFailed):
            print(failure_line(self.board, event), flush=True)
        self.look_around()
        since = self._clock() - self._last
        gained = self.board.share - self._share
        if since >= LEAST_SECONDS and (gained >= PLAIN_SHARE or since >= PLAIN_SECONDS):
            self._share, self._last = self.board.share, self._clock()
            print(progress_line(self.board), flush=True)

    def end(self, outcome: StudyOutcome) -> None:
        pass

    def close(self) -> None:
        pass


def opening(start: StudyStart) -> str:
    """`quickstart: 96 trials (2 architectures x 6 modes x 8 trials), 12 done; 2 workers on cpu`."""
    specs = start.specs
    axes = [
        (len({spec.architecture for spec in specs}), "architecture"),
        (len({spec.dataset for spec in specs}), "data set"),
        (len({spec.train_fraction for spec in specs}), "fraction"),
        (len({spec.learning_rate for spec in specs}), "learning rate"),
        (len({spec.label for spec in specs}), "mode"),
        (len({spec.trial for spec in specs}), "trial"),
    ]
    grid = " x ".join(
        f"{count} {what}{'s' if count > 1 else ''}"
        for count, what in axes
        if count > 1 or what in ("architecture", "mode", "trial")
    )
    ids = {spec.id for spec in specs}
    done, failed = len(ids & start.done), len(ids & start.failed)
    there = f", {done:,} done" if done else ""
    there += f", {failed:,} failed before (study retry {start.name} runs them again)" if failed else ""
    loops = max((spec.meta_loops for spec in specs), default=0)
    what = f"{start.name}: {len(ids):,} trials ({grid}, to loop {loops}){there}"
    if not start.workers:
        return what  # only looked at
    return f"{what}; {start.workers} worker{'s' if start.workers > 1 else ''} on {start.device}"


def counted(board: StudyBoard) -> str:
    """`12/96 trials  43 %  8.1 trials/min  0:12 elapsed, 0:16 left`."""
    failed = f", {len(board.failed)} failed" if board.failed else ""
    trials = f"{len(board.done):,}/{board.total:,} trials{failed}  {100 * board.share:3.0f} %"
    if not board.moved and board.share == 1:
        return trials  # all was done before we looked
    elapsed = f"{clock_face(board.elapsed)} elapsed, " if board.start.workers else ""  # a viewer's is its own
    return f"{trials}  {board.per_minute:.1f} trials/min  {elapsed}{clock_face(board.left)} left"


def progress_line(board: StudyBoard) -> str:
    running = ", ".join(list(board.running)[:3])
    more = len(board.running) - 3
    running += f" and {more} more" if more > 0 else ""
    return "  ".join(
        [
            counted(board),
            *([f"running {running}"] if running else []),
            *([f"best {board.best}"] if board.best else []),
        ]
    )


def failure_line(board: StudyBoard, event: TrialFailed) -> str:
    spec = board.specs[event.trial_id]
    what = (event.traceback.strip().splitlines() or ["an unknown error"])[-1]
    return f"failed: {spec.architecture} {spec.label}, trial {spec.trial}: {what}"
