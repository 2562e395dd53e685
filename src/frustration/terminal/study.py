"""The view of a study: its modes and their progress, while it runs here or in other processes."""

from __future__ import annotations

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from rich.text import Text

from frustration.errors import last_line
from frustration.report.formatting import many, score
from frustration.runners.board import Board
from frustration.runners.events import LoopDone, StudyEvent, StudyStart, TrialDone, TrialFailed
from frustration.runners.json_lines import JsonLines
from frustration.runners.meter import Clock, Pace, elapsed_and_left
from frustration.study import manifest
from frustration.study.pilot import chosen_rates, due
from frustration.study.run import StudyOutcome, digests, load_data
from frustration.terminal.failures import Failures
from frustration.terminal.pictures import bar, modes_table
from frustration.terminal.study_tables import main_table, own_lines
from frustration.terminal.view import Show, View

if TYPE_CHECKING:
    from rich.console import RenderableType

    from frustration.study.store import Store

LOOK_SECONDS = 5.0
"""How often a run looks for the records of other processes."""
FOLLOW_SECONDS = 2.0
"""How often a viewer looks at a study that others run."""
GROUPS_SHOWN = 3
MODES_IN_LINE = 6


@dataclass(frozen=True, kw_only=True)
class Looked:
    """What the files of a study say: nothing is written and no lock is held for it."""

    done: frozenset[str]
    failed: frozenset[str]
    under_way: tuple[tuple[str, int, float | None], ...] = ()
    """(id, loops completed, bounty) of each trial that has a checkpoint."""
    opening: bool = False
    """Whether this is the first look, so that nothing of it was done while we watched."""


class StudyShow(Show[StudyEvent | Looked, StudyOutcome]):
    """A run of a study; with `StudyStart.workers` 0 one that others run."""

    def __init__(self, store: Store, costs: Mapping[str, float], clock: Clock = time.monotonic) -> None:
        """`costs`: of each trial by its id, in any unit, as far as they are known."""
        self._store, self._costs, self._clock = store, costs, clock
        self._objects = JsonLines()
        self._looked = clock()
        self._pace = Pace(clock)
        self._failures = Failures()

    @property
    def stays(self) -> bool:
        return not self.start.workers  # after a run comes its table

    def tell(self, event: StudyEvent | Looked) -> Iterator[RenderableType]:
        match event:
            case StudyStart():
                self.start, self.board = event, Board.of_study(event, self._costs, self._clock)
                self._take_bounties(event.done)
                self._began_before = None if event.workers else _seconds_since_begin(self._store)
                yield Text(opening(event), style="bold")
            case LoopDone():
                self.board.loop_done(event)
                self._look_around()
            case TrialDone():
                self.board.trial_done(event)
            case TrialFailed():
                self.board.mark_finished((), [event.trial_id])
                yield from self._failures.said(self.board.specs[event.trial_id], event.traceback)
            case Looked():
                self._take(event)

    def lines(self, event: StudyEvent | Looked) -> Iterator[str]:
        first = isinstance(event, Looked) and event.opening
        if first or (not isinstance(event, StudyStart) and self._pace.due(self.board.meter.share)):
            yield progress_line(self.board, self._elapsed)

    def picture(self, width: int, height: int) -> list[RenderableType]:
        groups = [group_line(*group) for group in self.board.running.items()]
        shown = groups if len(groups) <= GROUPS_SHOWN else groups[: GROUPS_SHOWN - 1]
        more = len(groups) - len(shown)
        notes = [*([f"and {more} more architectures"] if more else []), self.board.settings.note]
        below = [Text(line, no_wrap=True) for line in shown]
        below += [Text(note, style="dim") for note in notes if note]
        words = counted(self.board, self._elapsed)
        if len(words) + 10 > width:
            words = counted(self.board, self._elapsed, short=True)
        return [
            modes_table(self.board, width, max(1, height - 6 - len(below)), one_network=False),
            Text(),
            bar(self.board.meter.share, words, width),
            *below,
        ]

    def ending(self, outcome: StudyOutcome) -> Iterator[RenderableType]:
        """The answer of the report, the main table, warnings, and where everything is saved."""
        from frustration.report import answer_of, report_line

        written = "" if outcome.interrupted else report_line(self._store.root)
        yield ""
        if answer := answer_of(self._store.root) if written else ():
            yield from (*(one.replace("`", "") for one in answer), "")
        yield from results(self._store)
        if outcome.failed:
            causes = sorted({last_line(failure["traceback"]) for failure in self._store.failures()})
            yield (
                f"{many(outcome.failed, 'trial')} failed ({'; '.join(causes[:3])}); "
                f"`frustration study retry {self.start.name}` runs "
                f"{'it' if outcome.failed == 1 else 'them'} again"
            )
        if outcome.interrupted:
            yield (
                f"interrupted: {outcome.done:,} of {outcome.total:,} trials are done; the same command "
                f"resumes those under way where they were"
            )
        yield f"records: {self._store.root / 'trials'} ({outcome.done:,} of {outcome.total:,} trials)"
        if written:
            yield written

    def json(self, event: StudyEvent | Looked) -> dict[str, Any] | None:
        return None if isinstance(event, Looked) else self._objects.of(event)

    def json_ending(self, outcome: StudyOutcome) -> dict[str, Any]:
        return {"type": "end", **outcome.to_dict()}

    @property
    def _elapsed(self) -> float | None:
        """Seconds: of this run, or of the whole study where others run it."""
        if self.start.workers:
            return self.board.meter.elapsed
        return None if self._began_before is None else self._began_before + self.board.meter.elapsed

    def _look_around(self) -> None:
        """Other processes may work on the same study."""
        if self._clock() - self._looked > LOOK_SECONDS:
            self._looked = self._clock()
            done, _ = self._store.ids()
            self._take(Looked(done=frozenset(done), failed=frozenset()))

    def _take(self, look: Looked) -> None:
        for trial_id, loop, bounty in look.under_way:
            self.board.advance(trial_id, loop, bounty, look.opening)
        if new := look.done & self.board.specs.keys() - self.board.done:
            self._take_bounties(new)
        self.board.mark_finished(look.done, look.failed, look.opening)

    def _take_bounties(self, trial_ids: Iterable[str]) -> None:
        """What trials came to that this process has not trained."""
        wanted = set(trial_ids) & self.board.specs.keys()
        if wanted:
            for line in self._store.summaries(complain=lambda sentence: None):
                if line["id"] in wanted:
                    self.board.mode_of[line["id"]].ended(line["id"], line["bounty"])


class Onlooker:
    """Watches a study from outside, by its files alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        study = store.study()
        done, failed = store.ids()
        specs = list(study.specs(digests(study, load_data(study))))
        self.start = StudyStart(
            name=study.name,
            specs=tuple(due(study, specs, chosen_rates(study, store, specs))),
            done=frozenset(done),
            failed=frozenset(failed),
            backend="",
            device="",
            workers=0,
        )
        self._ids = {spec.id for spec in self.start.specs}

    @property
    def over(self) -> bool:
        """Whether nothing is left, or nobody is at work on it."""
        done, failed = self._store.ids()
        return self._ids <= done | failed or not self._store.at_work()

    def look(self, opening: bool = False) -> Looked:
        done, failed = self._store.ids()
        return Looked(
            done=frozenset(done),
            failed=frozenset(failed),
            under_way=tuple(self._store.under_way()),
            opening=opening,
        )

    def follow(self, view: View[StudyEvent | Looked, StudyOutcome], stop: threading.Event) -> None:
        """Tell a view until the study is over or `stop` is set."""
        view.tell(self.start)
        view.tell(self.look(opening=True))
        while not self.over and not stop.wait(FOLLOW_SECONDS):
            view.tell(self.look())


def results(store: Store) -> Iterator[RenderableType]:
    """The main table of a study and how to read it."""
    study = store.study()
    yield main_table(study, store, own_lines(study, store))
    yield "std: over trials, divided by n (ddof 0)."


def opening(start: StudyStart) -> str:
    """`quickstart: 96 trials (2 architectures x 6 modes x 8 trials), 12 done; 2 workers on cpu`."""
    specs = start.specs
    own = {spec.architecture for spec in specs if spec.problem}  # they bring data: no axis of the grid
    given = {spec.architecture for spec in specs if not spec.problem}
    axes = [
        (len(own | given), noun(own, given)),
        (len({spec.dataset for spec in specs if not spec.problem}), "data set"),
        (len({spec.train_fraction for spec in specs if not spec.problem}), "fraction"),
        (len({spec.learning_rate for spec in specs}), "learning rate"),
        (len({spec.label for spec in specs}), "mode"),
        (len({spec.trial for spec in specs}), "trial"),
    ]
    shown = (axes[0][1], "mode", "trial")
    grid = " x ".join(many(count, what) for count, what in axes if count > 1 or what in shown)
    ids = {spec.id for spec in specs}
    done, failed = len(ids & start.done), len(ids & start.failed)
    there = f", {done:,} done" if done else ""
    again = f"frustration study retry {start.name} runs them again"
    there += f", {failed:,} failed before ({again})" if failed else ""
    loops = max((spec.meta_loops for spec in specs), default=0)
    what = f"{start.name}: {len(ids):,} trials ({grid}, to loop {loops}){there}"
    return f"{what}; {many(start.workers, 'worker')} on {start.device}" if start.workers else what


def noun(problems: Collection[object], architectures: Collection[object]) -> str:
    """What one network of such a study is called."""
    return "network" if problems and architectures else "problem" if problems else "architecture"


def counted(board: Board, elapsed: float | None, short: bool = False) -> str:
    """`12/96 trials  43 %  8.1 trials/min  0:12 elapsed, 0:16 left`; `short`: without the speed."""
    failed = f", {len(board.failed)} failed" if board.failed else ""
    trials = f"{len(board.done):,}/{board.total:,} trials{failed}  {100 * board.meter.share:3.0f} %"
    if not board.meter.moved and board.meter.share == 1:
        return trials  # all was done before we looked
    speed = "" if short else f"{board.per_minute:.1f} trials/min  "
    return f"{trials}  {speed}{elapsed_and_left(elapsed, board.meter.left)}"


def progress_line(board: Board, elapsed: float | None) -> str:
    """How far it is, what is being trained, and the mean bounty of each mode so far."""
    running = _some(list(board.running), 3)
    settings = board.settings
    curves = {mode.label: mode.curve(settings.names) for mode in board.modes.values()}
    bounties = _some(
        [f"{label} {score(curve[-1], board.metric)}" for label, curve in curves.items() if curve],
        MODES_IN_LINE,
    )
    parts = [
        counted(board, elapsed),
        f"running {running}" if running else "",
        f"mean {board.metric.column('bounty')} {bounties}" if bounties else "",
        f"({settings.note})" if settings.note else "",
    ]
    return "  ".join(filter(None, parts))


def _some(names: list[str], most: int) -> str:
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more} more" if more > 0 else "")


def group_line(architecture: str, group: tuple[int, int, int, int]) -> str:
    """`[1*32]: 12 trials at loop 3-5/100`."""
    count, low, high, target = group
    loops = f"{low}" if low == high else f"{low}-{high}"
    return f"{architecture}: {many(count, 'trial')} at loop {loops}/{target}"


def _seconds_since_begin(store: Store) -> float | None:
    """Since the first run of a study; None where its manifest does not say when that was."""
    begun = manifest.begun(store.root)
    return None if begun is None else max(0.0, (datetime.now(UTC) - begun).total_seconds())
