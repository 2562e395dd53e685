"""The view of `probe`: a bar with the latest measure, and a table at the end."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.text import Text

from frustration.probes.events import Event, Measured, NotMeasured
from frustration.probes.read import read_probes
from frustration.probes.run import Outcome, Start
from frustration.report.formatting import many, number
from frustration.runners.meter import Clock, Meter, Pace, elapsed_and_left
from frustration.terminal.pictures import bar
from frustration.terminal.study_tables import cells
from frustration.terminal.table import plain_table
from frustration.terminal.view import Show

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from frustration.probes.read import Floats, Probes
    from frustration.study.definition import Study
    from frustration.study.store import Store

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


class ProbeShow(Show[Start | Event, Outcome]):
    """A run of probes."""

    def __init__(self, store: Store, clock: Clock = time.monotonic) -> None:
        self._store, self._clock, self._pace = store, clock, Pace(clock)
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._counts: Counter[str] = Counter()
        """Of each measure; the seconds are of CPU time."""

    def tell(self, event: Start | Event) -> Iterator[RenderableType]:
        match event:
            case Start():
                missing = event.plan.missing
                self._left = {one.spec.id: set(one.measures) for one in missing}
                self._costs = {one.spec.id: one.cost / len(one.measures) for one in missing}
                self._names = {
                    one.spec.id: f"{one.spec.architecture} {one.spec.label}, trial {one.spec.trial}"
                    for one in missing
                }
                self._meter = Meter(sum(one.cost for one in missing), self._clock)
                self._total, self._done, self._failed = sum(map(len, self._left.values())), 0, 0
                self._last = ""
                yield Text(opening(event), style="bold")
            case Measured():
                self._seconds[event.measure] += event.seconds
                self._counts[event.measure] += 1
                if event.measure in self._left.get(event.trial_id, ()):
                    self._left[event.trial_id].discard(event.measure)
                    self._meter.gain(self._costs[event.trial_id])
                    self._last = f"{event.measure} of {self._names[event.trial_id]}"
                    self._done += 1
            case NotMeasured():
                if event.trial_id in self._left:
                    self._meter.gain(self._costs[event.trial_id] * len(self._left.pop(event.trial_id)))
                    self._failed += 1

    def lines(self, event: Start | Event) -> Iterator[str]:
        if not isinstance(event, Start) and self._pace.due(self._meter.share):
            yield self.counted()

    def picture(self, width: int, height: int) -> list[RenderableType]:
        last = [Text(self._last, style="dim", no_wrap=True)] if self._last else []
        return [bar(self._meter.share, self.counted(), width), *last]

    def ending(self, outcome: Outcome) -> Iterator[RenderableType]:
        """The table, what it cost, what is left, and where everything is saved."""
        probes = read_probes(self._store.root)
        if len(probes):
            yield ""
            yield table(probes, self._store.study())
            yield "means over trials; docs/probes.md says what each number is"
        if cost := self.cost():
            yield cost
        for problem in (*probes.problems, *outcome.notes):
            yield f"note: {problem}"
        if outcome.interrupted:
            yield f"interrupted: {outcome.left:,} networks still lack something; the same command continues"
        elif outcome.elsewhere:
            yield f"{outcome.elsewhere:,} networks are being measured by another process"
        yield f"probes: {self._store.root / 'probes'} ({outcome.done:,} networks done)"

    def counted(self) -> str:
        """`12/96 measures  43 %  0:12 elapsed, 0:16 left`."""
        failed = f", {many(self._failed, 'network')} left out" if self._failed else ""
        return (
            f"{self._done:,}/{self._total:,} measures{failed}  {100 * self._meter.share:3.0f} %  "
            f"{elapsed_and_left(self._meter.elapsed, self._meter.left)}"
        )

    def cost(self) -> str:
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
    without = f", {plan.without:,} finished trials have none" if plan.without else ""
    return (
        f"{len(plan.missing):,} networks to measure, {plan.done:,} done{without} "
        f"({many(len(wanted.measures), 'measure')}, {wanted.draws:,} draws, {images}); "
        f"{many(start.workers, 'worker')}"
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
