"""A study in a terminal: while it is run, and from outside, while others run it or when it is done."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from rich.console import Console, Group, RenderableType
from rich.text import Text

from frustration.commands.frame import Frame, bar
from frustration.commands.study_board import StudyBoard
from frustration.commands.study_views import Watching, counted, failure_line, opening, progress_line
from frustration.commands.views import in_terminal
from frustration.runners.events import StudyEvent, StudyStart, TrialFailed
from frustration.study.run import StudyOutcome, digests, load_data

if TYPE_CHECKING:
    from frustration.study.store import Store

GROUPS_SHOWN = 6
FOLLOW_SECONDS = 2.0
"""How often the files of a study are looked at that others run."""


class LiveView(Watching, Frame):
    """Progress, the groups that are being trained and the best so far."""

    def __init__(
        self,
        store: Store,
        costs: Mapping[str, float],
        stop: threading.Event,
        console: Console | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        Watching.__init__(self, store, costs, clock)
        Frame.__init__(self, console)
        self._stop = stop

    def tell(self, event: StudyEvent) -> None:
        with self.drawing:
            self.count(event)
            if not isinstance(event, StudyStart):
                self.look_around()
        if isinstance(event, StudyStart):
            self.console.print(opening(event), style="bold")
            self.open(transient=True)
        elif isinstance(event, TrialFailed):
            self.console.print(failure_line(self.board, event), style="red")

    def end(self, outcome: StudyOutcome) -> None:
        self.close()

    def picture(self) -> RenderableType:
        width, height = self.console.size
        with self.drawing:
            return picture(self.board, width, height, self._stop.is_set())


def picture(board: StudyBoard, width: int, height: int, stopping: bool = False) -> RenderableType:
    """How far it is, what is being trained, and the best so far."""
    lines: list[RenderableType] = [bar(board.share, counted(board), width)]
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
    if stopping:
        lines.append(Text("stopping; what is done is kept", style="yellow"))
    return Group(*lines)


class Onlooker(Frame):
    """The same picture from the files alone. It writes nothing and holds no lock."""

    def __init__(self, store: Store, console: Console | None = None) -> None:
        super().__init__(console)
        self._store = store
        study = store.study()
        done, failed = store.ids()
        specs = tuple(study.specs(digests(study, load_data(study))))
        self.start = StudyStart(
            name=study.name,
            specs=specs,
            done=frozenset(done),
            failed=frozenset(failed),
            backend="",
            device="",
            workers=0,
        )
        self.board = StudyBoard(self.start)
        self._told: set[str] = set()
        self._look(opening=True)

    @property
    def over(self) -> bool:
        """Whether nothing is left, or nobody is at work on it."""
        return self.board.total == len(self.board.done | self.board.failed) or not self._store.at_work()

    def follow(self, stop: threading.Event) -> None:
        """Draw until the study is over or `stop` is set; the last picture stays."""
        live = in_terminal()  # asked once: a picture puts a stream of its own in the place of stdout
        if live:
            self.console.print(opening(self.start), style="bold")
            self.open(transient=False)
        else:
            print(opening(self.start), flush=True)
            print(progress_line(self.board), flush=True)
        try:
            while not self.over and not stop.wait(FOLLOW_SECONDS):
                with self.drawing:
                    self._look()
                if not live:
                    print(progress_line(self.board), flush=True)
        finally:
            self.close()

    def picture(self) -> RenderableType:
        with self.drawing:
            return picture(self.board, *self.console.size)

    def _look(self, opening: bool = False) -> None:
        done, failed = self._store.ids()
        for trial_id, loop, bounty in self._store.under_way():
            self.board.advance(trial_id, loop, opening)
            self.board.update_bounty(trial_id, bounty)
        if done - self._told:
            for line in self._store.summaries(complain=lambda sentence: None):
                self.board.update_bounty(line["id"], line["bounty"])
            self._told = done
        self.board.mark_finished(done, failed)
