"""The forest plot of the first screen: every effect with its interval, drawn without a script."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final

from markupsafe import Markup

from frustration.metric import ACCURACY, POINTS, Metric
from frustration.report.effect_scale import TICKS, ends, state_of, unit_of
from frustration.report.figures.markers import path_of
from frustration.report.figures.mode_style import looks_of
from frustration.report.findings import Analysis, Comparison
from frustration.report.formatting import DASH, digits_of, many, points, with_interval
from frustration.report.html.payload import Names
from frustration.report.html.templates import drawn
from frustration.report.table import of_metric
from frustration.report.topics import Topic, topics

MOST: Final = 16
"""From more rows on, the architectures of a treatment share one."""
ALONE: Final = 5
AMONG: Final = 3
"""Half the width of a mark in pixels, of one and of many in a row."""
APART: Final = 18.0
"""Percent of the width that the words of two ticks need between them on a phone."""


@dataclass(frozen=True)
class Mark:
    """One effect: where it and the ends of its interval are, in percent of the width."""

    state: str
    at: float
    radius: int
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class Tick:
    """A number of the scale; one between zero and the end is left out where a phone has no room."""

    at: float
    words: str
    between: bool


@dataclass(frozen=True)
class Row:
    """One architecture, or all of a treatment's together, which have no state of their own."""

    where: str
    effect: str
    marks: Sequence[Mark]
    state: str = ""
    interval: str = ""
    note: str = ""
    needs: str = ""
    """`n = 10`, where the trials are too few."""


@dataclass(frozen=True)
class Effects:
    """The rows of one treatment against one control."""

    index: int
    treatment: str
    against: str
    rows: Sequence[Row]
    setting: str = ""
    """Where the rows below, up to the next that has one, are of this setting."""


@dataclass(frozen=True)
class Plot:
    """The effects on one metric, on one scale."""

    name: str
    unit: str
    ticks: Sequence[Tick]
    groups: Sequence[Effects]
    where: str
    single: bool
    """Every treatment has one row, and all rows are about `where`: they need no head of their own."""


def forest(analysis: Analysis, names: Names) -> Markup:
    """Nothing where there is nothing to compare."""
    every = topics(analysis)
    if not every:
        return Markup()
    metrics = dict.fromkeys(topic.setting.metric for topic in every)
    plots = [_plot(metric, every, names) for metric in metrics]
    looks = looks_of(names.labels)
    shapes = [
        (index, radius, path_of(looks[label].marker, radius))
        for label, index in names.labels.items()
        for radius in (ALONE, AMONG)
    ]
    some = any(one.successes for topic in every for one in topic.comparisons)
    learn = " Where only some trials learn, the verdict is about how many do." if some else ""
    return drawn("forest.html", plots=plots, shapes=shapes, alpha=f"{analysis.alpha:g}", learn=learn)


def _plot(metric: Metric, every: Sequence[Topic], names: Names) -> Plot:
    each = sum(len(topic.comparisons) for topic in every) <= MOST
    several = len({topic.setting for topic in every}) > 1
    shown = [topic for topic in every if topic.setting.metric == metric]
    first = metric == every[0].setting.metric
    scale = _Scale(max(abs(end) for topic in shown for one in topic.comparisons for end in ends(one)), metric)
    if several and not each:
        groups = list(_by_setting(shown, scale, names))
    else:
        groups = [_effects(topic, scale, names, several, each) for topic in shown]
    places = {row.where for group in groups for row in group.rows}
    single = len(places) == 1 and all(len(group.rows) == 1 for group in groups)
    return Plot(
        name="forest-title" if first else f"forest-{names.settings[shown[0].setting]}-title",
        unit=POINTS if metric == ACCURACY else of_metric(metric),
        ticks=scale.ticks(),
        groups=groups,
        where=places.pop() if single else "where",
        single=single,
    )


def _by_setting(shown: Sequence[Topic], scale: _Scale, names: Names) -> Iterator[Effects]:
    """The treatments of one setting under its name, then those of the next."""
    settings = list(dict.fromkeys(topic.setting for topic in shown))
    for setting in settings:
        heading = setting.name if len(settings) > 1 else ""
        for topic in shown:
            if topic.setting == setting:
                yield replace(_effects(topic, scale, names, len(settings) == 1, False), setting=heading)
                heading = ""


class _Scale:
    """Differences -> percent of the width, zero in the middle."""

    def __init__(self, most: float, metric: Metric) -> None:
        self._unit = unit_of(most, metric)
        self._most = math.asinh(max(0.1, most / self._unit))

    def at(self, value: float) -> float:
        return 50.0 + 46.0 * max(-1.0, min(1.0, math.asinh(value / self._unit) / self._most))

    def ticks(self) -> list[Tick]:
        """Symmetric about zero: the last round number, and one between where there is room."""
        within = [tick for tick in TICKS if math.asinh(tick) <= self._most]
        doubled = [2 * tick for tick in within if math.asinh(2 * tick) <= self._most]
        last = max(within + doubled) * self._unit
        end = self.at(last) - 50.0
        room = [tick * self._unit for tick in within]
        room = [value for value in room if APART <= self.at(value) - 50.0 <= end - APART]
        values = [(-last, False), *((-value, True) for value in room[-1:]), (0.0, False)]
        values += [*((value, True) for value in room[-1:]), (last, False)]
        return [Tick(self.at(value), _short(value), between) for value, between in values]


def _short(tick: float) -> str:
    return f"{tick:+g}".replace("-", "−") if tick else "0"


def _effects(topic: Topic, scale: _Scale, names: Names, several: bool, each: bool) -> Effects:
    """A treatment against its control: a row for each architecture or one for all."""
    where = f" · {topic.setting.name}" if several else ""
    against = "at equal parameters, against" if topic.kind == "size" else "against"
    missing = " (not its control, which is missing)" if topic.kind == "substitute" else ""
    return Effects(
        index=names.labels[topic.treatment],
        treatment=topic.treatment,
        against=f"{against} {topic.control}{missing}{where}",
        rows=[_row(one, scale) for one in topic.comparisons] if each else [_joint(topic, scale)],
    )


def _row(one: Comparison, scale: _Scale) -> Row:
    said = one.verdict if one.idle or one.finding in ("n too small", "identical") else ""
    note, _, needs = said.partition(": ")
    effect, _, interval = with_interval(one.difference, metric=one.setting.metric).partition(" ")
    marks = list(_marks([one], scale))
    return Row(str(one.architecture), effect, marks, state_of(one), interval, note, needs)


def _joint(topic: Topic, scale: _Scale) -> Row:
    """All architectures in one row: a mark for each, and how many verdicts there are."""
    up, down = len(topic.having("better")), len(topic.having("worse"))
    values = sorted(one.difference.value for one in topic.comparisons)
    middle = values[len(values) // 2] if values else math.nan
    metric = topic.setting.metric
    words = ("above", "below") if metric.sign > 0 else ("better", "worse")
    median = points(middle, digits_of(metric, middle))
    counted = f"{up} {words[0]}, {down} {words[1]}; median {median}" if values else DASH
    marks = list(_marks(topic.comparisons, scale, alone=False))
    return Row(many(len(topic.comparisons), "architecture"), counted, marks)


def _marks(comparisons: Sequence[Comparison], scale: _Scale, alone: bool = True) -> Iterator[Mark]:
    for one in comparisons:
        low, value, high = ends(one)
        interval = (scale.at(low), scale.at(high)) if alone and high > low else None
        yield Mark(state_of(one), scale.at(value), ALONE if alone else AMONG, interval)
