"""What a running study shows: JSON lines, plain lines in a pipe, or a view that is redrawn in a terminal."""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from frustration.commands.scoreboard import clock_face
from frustration.commands.study_board import StudyBoard
from frustration.runners.work import LoopDone, TrialDone, TrialFailed
from frustration.study.run import StudyEvent, StudyOutcome, StudyStart

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.live import Live

    from frustration.study.store import Store

LOOK_SECONDS = 5.0
"""How often the records of other processes are looked for."""
PLAIN_SHARE, PLAIN_SECONDS, LEAST_SECONDS = 0.05, 30.0, 1.0
"""A plain line comes with every twentieth of the work, or half a minute, but not more than one a second."""
GROUPS_SHOWN = 6


class StudyView(Protocol):
    """Is told what happens in a study, in the order in which it happens."""

    def tell(self, event: StudyEvent) -> None: ...
    def end(self, outcome: StudyOutcome) -> None: ...
    def close(self) -> None:
        """Always, and last: leave the terminal as it was."""


def view_for(as_json: bool, store: Store, costs: Mapping[str, float], stop: threading.Event) -> StudyView:
    """The view that fits where stdout goes."""
    if as_json:
        return JsonView()
    if sys.stdout.isatty() and os.environ.get("TERM") not in (None, "", "dumb", "unknown"):
        return LiveView(store, costs, stop)
    return PlainView(store, costs)


class _Watching:
    """A board that hears of every event, and now and then of what other processes have finished."""

    def __init__(
        self, store: Store, costs: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._store, self._costs, self._clock = store, costs, clock
        self._looked = clock()

    def _count(self, event: StudyEvent) -> None:
        if isinstance(event, StudyStart):
            self.board = StudyBoard(event, self._costs, self._clock)
        elif isinstance(event, LoopDone):
            self.board.loop_done(event)
        elif isinstance(event, TrialDone):
            self.board.trial_done(event)
        else:
            self.board.trial_failed(event)

    def _look_around(self) -> None:
        if self._clock() - self._looked > LOOK_SECONDS:
            self._looked = self._clock()
            self.board.seen(self._store.ids()[0])


class PlainView(_Watching):
    """A line now and then, written out at once."""

    def __init__(
        self, store: Store, costs: Mapping[str, float], clock: Callable[[], float] = time.monotonic
    ) -> None:
        super().__init__(store, costs, clock)
        self._share, self._last = -1.0, clock() - PLAIN_SECONDS

    def tell(self, event: StudyEvent) -> None:
        self._count(event)
        if isinstance(event, StudyStart):
            print(opening(event), flush=True)
            self._share, self._last = self.board.share, self._clock()
            return
        if isinstance(event, TrialFailed):
            print(failure_line(self.board, event), flush=True)
        self._look_around()
        since = self._clock() - self._last
        gained = self.board.share - self._share
        if since >= LEAST_SECONDS and (gained >= PLAIN_SHARE or since >= PLAIN_SECONDS):
            self._share, self._last = self.board.share, self._clock()
            print(progress_line(self.board), flush=True)

    def end(self, outcome: StudyOutcome) -> None:
        pass

    def close(self) -> None:
        pass


class LiveView(_Watching):
    """Progress, the groups that are being trained and the best so far, redrawn four times a second."""

    def __init__(
        self,
        store: Store,
        costs: Mapping[str, float],
        stop: threading.Event,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        from rich.console import Console

        super().__init__(store, costs, clock)
        self._stop = stop
        self._console = console or Console(file=sys.stdout, highlight=False, markup=False, emoji=False)
        self._live: Live | None = None
        self._drawing = threading.Lock()  # the view is redrawn by a thread of its own

    def tell(self, event: StudyEvent) -> None:
        with self._drawing:
            self._count(event)
            if not isinstance(event, StudyStart):
                self._look_around()
        if isinstance(event, StudyStart):
            from rich.live import Live

            self._console.print(opening(event), style="bold")
            self._live = Live(
                get_renderable=self.picture, console=self._console, refresh_per_second=4, transient=True
            )
            self._live.start()
        elif isinstance(event, TrialFailed):
            self._console.print(failure_line(self.board, event), style="red")

    def end(self, outcome: StudyOutcome) -> None:
        self.close()

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def picture(self) -> RenderableType:
        """What is redrawn."""
        from rich.console import Group
        from rich.text import Text

        width, height = self._console.size
        with self._drawing:
            board = self.board
            words = f"  {counted(board)}"
            room = max(4, min(40, width - len(words) - 1))
            full = int(board.share * room)
            bar = Text.assemble(("━" * full, "green"), ("─" * (room - full), "dim"), words, no_wrap=True)
            lines: list[RenderableType] = [bar]
            groups = list(board.running.items())
            shown = groups[: max(1, min(GROUPS_SHOWN, height - 5))]
            for architecture, (count, low, high, target) in shown:
                loops = f"{low}" if low == high else f"{low}-{high}"
                trials = "1 trial" if count == 1 else f"{count} trials"
                lines.append(Text(f"{architecture}: {trials} at loop {loops}/{target}", no_wrap=True))
            if len(groups) > len(shown):
                lines.append(Text(f"and {len(groups) - len(shown)} more architectures", style="dim"))
            if board.best:
                lines.append(Text(f"best so far: {board.best}", no_wrap=True))
            if self._stop.is_set():
                lines.append(Text("stopping; what is done is kept", style="yellow"))
            return Group(*lines)


class JsonView:
    """One object a line, each with a "type": start, loop, trial, failed, end."""

    def __init__(self) -> None:
        self._specs: dict[str, Any] = {}

    def tell(self, event: StudyEvent) -> None:
        if isinstance(event, StudyStart):
            self._specs = {spec.id: spec for spec in event.specs}
            ids = self._specs.keys()
            _write(
                type="start",
                study=event.study.name,
                trials=len(ids),
                done=len(event.done & ids),
                failed=len(event.failed & ids),
                backend=event.backend,
                device=event.device,
                workers=event.workers,
            )
        elif isinstance(event, LoopDone):
            entry = event.entry
            _write(
                type="loop",
                **self._who(event.trial_id),
                loop=entry.loop,
                accuracy=entry.accuracy,
                loss=entry.loss,
                accepted=entry.accepted,
                lkg_accuracy=event.bounty,
                lkg_loop=event.bounty_loop,
            )
        elif isinstance(event, TrialDone):
            record = event.record
            _write(
                type="trial",
                **self._who(event.trial_id),
                bounty=record.bounty,
                bounty_loop=record.bounty_loop,
                test_accuracy=record.test_accuracy,
                inert=list(record.inert),
                seconds=round(record.seconds, 3),
            )
        else:
            _write(type="failed", **self._who(event.trial_id), traceback=event.traceback)

    def end(self, outcome: StudyOutcome) -> None:
        _write(
            type="end",
            trials=outcome.total,
            done=outcome.done,
            failed=outcome.failed,
            interrupted=outcome.interrupted,
        )

    def close(self) -> None:
        pass

    def _who(self, trial_id: str) -> dict[str, Any]:
        spec = self._specs[trial_id]
        return {
            "id": trial_id,
            "architecture": str(spec.architecture),
            "mode": spec.label,
            "trial": spec.trial,
            "target": spec.meta_loops,
        }


def opening(start: StudyStart) -> str:
    """`quickstart: 96 trials (2 architectures x 6 modes x 8 trials), 12 done; 2 workers on cpu`."""
    study = start.study
    axes = [
        (len(study.architectures), "architecture"),
        (len(study.datasets), "data set"),
        (len(study.train_fractions), "fraction"),
        (len(study.learning_rates), "learning rate"),
        (len(study.modes), "mode"),
        (study.trials, "trial"),
    ]
    grid = " x ".join(
        f"{count} {what}{'s' if count > 1 else ''}"
        for count, what in axes
        if count > 1 or what in ("architecture", "mode", "trial")
    )
    ids = {spec.id for spec in start.specs}
    done, failed = len(ids & start.done), len(ids & start.failed)
    there = f", {done:,} done" if done else ""
    there += f", {failed:,} failed before (study retry {study.name} runs them again)" if failed else ""
    workers = "1 worker" if start.workers == 1 else f"{start.workers} workers"
    loops = f"to loop {study.meta_loops}"
    return f"{study.name}: {len(ids):,} trials ({grid}, {loops}){there}; {workers} on {start.device}"


def counted(board: StudyBoard) -> str:
    """`12/96 trials  43 %  8.1 trials/min  0:12 elapsed, 0:16 left`."""
    failed = f", {len(board.failed)} failed" if board.failed else ""
    return (
        f"{len(board.done):,}/{board.total:,} trials{failed}  {100 * board.share:3.0f} %  "
        f"{board.per_minute:.1f} trials/min  {clock_face(board.elapsed)} elapsed, "
        f"{clock_face(board.left)} left"
    )


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


def _write(**fields: Any) -> None:
    print(json.dumps(fields, allow_nan=False), flush=True)
