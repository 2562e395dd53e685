"""What `probe` shows: plain lines in a pipe, a bar that is redrawn in a terminal, and a table at its end."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

from frustration.commands.frame import Frame, bar
from frustration.commands.scoreboard import clock_face
from frustration.commands.study_tables import cells
from frustration.commands.tables import plain_table
from frustration.commands.views import in_terminal
from frustration.probes.events import Event, Measured, NotMeasured
from frustration.probes.run import Start
from frustration.report.formatting import number

if TYPE_CHECKING:
    from rich.console import Console, RenderableType
    from rich.table import Table

    from frustration.probes.read import Floats, Probes
    from frustration.study.definition import Study

PLAIN_SECONDS = 10.0
PLAIN_SHARE = 0.1
LEAST_SECONDS = 1.0

COLUMNS = (
    ("test_accuracy", "test %", 2),
    ("knockout_area", "knock-outs\narea %", 2),
    ("weight_noise_area", "weight\nnoise %", 2),
    ("corruption_mean", "corrup-\ntions %", 2),
    ("ece", "ECE %", 2),
    ("dead", "dead\n%", 1),
    ("effective_rank", "rank\n%", 1),
    ("latency_1_us", "µs\nbatch 1", 1),
    ("latency_256_us", "µs\nbatch 256", 1),
)


class Board:
    """How far a run is, counted from its events. It draws nothing."""

    def __init__(self, start: Start, clock: Callable[[], float] = time.monotonic) -> None:
        self.start, self._clock = start, clock
        self._began = clock()
        self._left = {one.spec.id: set(one.measures) for one in start.plan.missing}
        self._costs = {one.spec.id: one.cost / len(one.measures) for one in start.plan.missing}
        self._whole = sum(one.cost for one in start.plan.missing)
        self._gained = 0.0
        self.total = sum(map(len, self._left.values()))
        self.done = self.failed = 0
        self.last = ""
        self._names = {
            one.spec.id: f"{one.spec.architecture} {one.spec.label}, trial {one.spec.trial}"
            for one in start.plan.missing
        }

    def tell(self, event: Event) -> None:
        left = self._left.get(event.trial_id)
        if left is None:
            return
        if isinstance(event, NotMeasured):
            self._gained += self._costs[event.trial_id] * len(left)
            del self._left[event.trial_id]
            self.failed += 1
            return
        if event.measure in left:
            left.discard(event.measure)
            self._gained += self._costs[event.trial_id]
            self.last = f"{event.measure} of {self._names[event.trial_id]}"
            self.done += 1

    @property
    def share(self) -> float:
        """Of the work, 0 to 1."""
        return min(1.0, self._gained / self._whole) if self._whole else 1.0

    def __str__(self) -> str:
        elapsed = self._clock() - self._began
        left = elapsed * (1 - self.share) / self.share if self.share > 0 else None
        failed = (
            f", {self.failed} {'network' if self.failed == 1 else 'networks'} left out" if self.failed else ""
        )
        return (
            f"{self.done:,}/{self.total:,} measures{failed}  {100 * self.share:3.0f} %  "
            f"{clock_face(elapsed)} elapsed, {clock_face(left)} left"
        )


class View(Protocol):
    """Is told of everything in a run."""

    def tell(self, event: Start | Event) -> None: ...

    def close(self) -> None:
        """Always, and last: leave the terminal as it was."""


def view_for(stop: threading.Event) -> View:
    """The view that fits where stdout goes."""
    if in_terminal():
        return LiveView(stop)
    return PlainView()


class PlainView:
    """A line now and then, written out at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock, self._share, self._last = clock, 0.0, clock()

    def tell(self, event: Start | Event) -> None:
        if isinstance(event, Start):
            print(opening(event), flush=True)
            self._board, self._last = Board(event, self._clock), self._clock()
            return
        self._board.tell(event)
        since, gained = self._clock() - self._last, self._board.share - self._share
        if since >= LEAST_SECONDS and (gained >= PLAIN_SHARE or since >= PLAIN_SECONDS):
            self._share, self._last = self._board.share, self._clock()
            print(self._board, flush=True)

    def close(self) -> None:
        pass


class LiveView(Frame):
    """A bar and what was measured last."""

    def __init__(self, stop: threading.Event, console: Console | None = None) -> None:
        super().__init__(console)
        self._stop = stop

    def tell(self, event: Start | Event) -> None:
        if isinstance(event, Start):
            self.console.print(opening(event), style="bold")
            self._board = Board(event)
            self.open(transient=True)
            return
        with self.drawing:
            self._board.tell(event)

    def picture(self) -> RenderableType:
        from rich.console import Group
        from rich.text import Text

        with self.drawing:
            lines: list[RenderableType] = [bar(self._board.share, str(self._board), self.console.width)]
            if self._board.last:
                lines.append(Text(self._board.last, style="dim", no_wrap=True))
            if self._stop.is_set():
                lines.append(Text("stopping; what is done is kept", style="yellow"))
            return Group(*lines)


class Times:
    """Seconds of CPU time by measure."""

    def __init__(self) -> None:
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()

    def tell(self, event: Start | Event) -> None:
        if isinstance(event, Measured):
            self._seconds[event.measure] += event.seconds
            self._counts[event.measure] += 1

    def __str__(self) -> str:
        """`cost of a network: 0.74 s of CPU time (corruptions 0.34, knockout 0.19, …)`, or nothing."""
        means = {name: self._seconds[name] / count for name, count in self._counts.items()}
        if not means:
            return ""
        parts = sorted(means, key=lambda name: -means[name])
        each = ", ".join(f"{name} {means[name]:.2f}" for name in parts)
        return f"cost of a network: {sum(means.values()):.2f} s of CPU time ({each})"


def opening(start: Start) -> str:
    """`96 networks to measure, 0 done (7 measures, 50 draws, all test images); 2 workers`."""
    plan, wanted = start.plan, start.wanted
    images = "all test images" if wanted.images is None else f"{wanted.images:,} test images"
    what = "1 measure" if len(wanted.measures) == 1 else f"{len(wanted.measures)} measures"
    without = f", {plan.without:,} finished trials have none" if plan.without else ""
    workers = "1 worker" if start.workers == 1 else f"{start.workers} workers"
    return (
        f"{len(plan.missing):,} networks to measure, {plan.done:,} done{without} "
        f"({what}, {wanted.draws:,} draws, {images}); {workers}"
    )


def table(probes: Probes, study: Study) -> Table:
    """Means over trials, a row for every architecture and mode, in the study's order."""
    cells_ = [(cell["architecture"], cell["mode"]) for cell in cells(study)]
    place = {key: number for number, key in reversed(list(enumerate(cells_)))}
    found: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(probes.architecture.tolist(), probes.mode.tolist(), strict=True)):
        found.setdefault(key, []).append(row)
    shown = [column for column in COLUMNS if column[0] in probes.scalars]
    result = plain_table("architecture", "mode", "n", *(head for _, head, _ in shown), left=(0, 1))
    for (architecture, mode), rows in sorted(found.items(), key=lambda one: place.get(one[0], len(place))):
        means = [_mean(probes.scalars[name][rows], digits) for name, _, digits in shown]
        result.add_row(architecture, mode, str(len(rows)), *means)
    return result


def _mean(values: Floats, digits: int) -> str:
    there = values[values == values]  # NaN is what was not measured
    return number(float(there.mean()) if there.size else None, digits)
