"""The forest plot of the first screen: every effect with its interval, drawn without a script.

The scale is that of asinh: it is even below a point, and an effect of -24 points hides none of -0.05.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final

from frustration.metric import ACCURACY, POINTS, Metric
from frustration.report.findings import Analysis, Comparison
from frustration.report.formatting import DASH, digits_of, many, points, with_interval
from frustration.report.html.markup import marked, text
from frustration.report.html.payload import Names
from frustration.report.sentences import Topic, topics
from frustration.report.table import of_metric

MOST: Final = 16
"""From more rows on, the architectures of a treatment share one."""
TICKS: Final = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
_IDLE: Final = ("inert", "mostly inert", "identical")


def forest(analysis: Analysis, names: Names) -> str:
    """Nothing where there is nothing to compare."""
    every = topics(analysis)
    if not every:
        return ""
    each = sum(len(topic.comparisons) for topic in every) <= MOST
    several = len({topic.setting for topic in every}) > 1
    metrics = list(dict.fromkeys(topic.setting.metric for topic in every))
    return "".join(_plot(metric, every, analysis, names, several, each) for metric in metrics)


def _plot(
    metric: Metric, every: Sequence[Topic], analysis: Analysis, names: Names, several: bool, each: bool
) -> str:
    """The effects on one metric, on one scale."""
    shown = [topic for topic in every if topic.setting.metric == metric]
    first = metric == every[0].setting.metric
    ends = [end for topic in shown for one in topic.comparisons for end in _ends(one)]
    scale = _Scale(max(abs(end) for end in ends), metric)
    body = "".join(_topic(topic, scale, names, several, each) for topic in shown)
    name = "forest-title" if first else f"forest-{names.settings[shown[0].setting]}-title"
    unit = POINTS if metric == ACCURACY else of_metric(metric)
    return (
        f'<div class="table"><h3 id="{name}">Effect of each treatment against its control ({text(unit)})</h3>'
        f'<table class="forest" aria-labelledby="{name}"><caption class="away">Effects</caption>'
        f'<thead><tr><th scope="col">where</th>'
        f'<th scope="col">{scale.axis()}</th><th scope="col" class="n">effect (95 % interval)</th></tr>'
        "</thead>"
        f"{body}</table><p class=note>Filled: better or worse than control, all verdicts together at "
        f"{analysis.alpha:g}. Hollow: not distinguished. Grey: inert, in all trials or in most. Where only "
        "some trials learn, the verdict is about how many do.</p></div>"
    )


def _ends(one: Comparison) -> tuple[float, float, float]:
    bounded = math.isfinite(one.difference.low) and math.isfinite(one.difference.high)
    value = one.difference.value
    return (one.difference.low, value, one.difference.high) if bounded else (value, value, value)


class _Scale:
    """Differences -> percent of the width, zero in the middle.

    What is not counted in points is measured in a tenth of the largest effect.
    """

    def __init__(self, most: float, metric: Metric) -> None:
        tenth = 10.0 ** math.floor(math.log10(most / 10)) if most else 1.0
        self._unit = 1.0 if metric.in_points else tenth
        self._most = math.asinh(max(0.1, most / self._unit))

    def at(self, value: float) -> float:
        return 50.0 + 46.0 * max(-1.0, min(1.0, math.asinh(value / self._unit) / self._most))

    def axis(self) -> str:
        far = [tick * self._unit for tick in TICKS if math.asinh(tick) <= self._most]
        far = sorted({*far[-1:], *far[-3:-2]})
        ticks = [-tick for tick in reversed(far)] + [0.0, *far]
        marks = "".join(
            f'<text x="{self.at(tick):.1f}%" y="12" text-anchor="middle">{text(_short(tick))}</text>'
            for tick in ticks
        )
        return f'<svg class="axis" height="16" aria-hidden="true">{marks}</svg>'


def _short(tick: float) -> str:
    return f"{tick:+g}".replace("-", "−") if tick else "0"


def _topic(topic: Topic, scale: _Scale, names: Names, several: bool, each: bool) -> str:
    """A treatment against its control: a head, and a row for each architecture or one for all."""
    where = f" · {topic.setting.name}" if several else ""
    against = "at equal parameters, against" if topic.kind == "size" else "against"
    missing = " (not its control, which is missing)" if topic.kind == "substitute" else ""
    index = names.labels[topic.treatment]
    head = (
        f'<tr class="head"><th colspan="3" scope="rowgroup">'
        f'<span class="swatch m{index}" aria-hidden="true"></span>'
        f"{text(topic.treatment)} <span>{against} {marked(topic.control)}{missing}{text(where)}</span>"
        "</th></tr>"
    )
    rows = (
        "".join(_row(one, scale, index) for one in topic.comparisons) if each else _joint(topic, scale, index)
    )
    return f"<tbody>{head}{rows}</tbody>"


def _row(one: Comparison, scale: _Scale, index: int) -> str:
    state = _state(one)
    note = f" · {text(one.verdict)}" if one.idle or one.finding in ("n too small", "identical") else ""
    drawing = _svg(_marks([one], scale), f"m{index} {state}")
    return (
        f'<tr class="{state}"><th scope="row">{text(one.architecture)}</th><td>{drawing}</td>'
        f'<td class="n">{text(with_interval(one.difference, metric=one.setting.metric))}{note}</td></tr>'
    )


def _joint(topic: Topic, scale: _Scale, index: int) -> str:
    """All architectures in one row: a mark for each, and how many verdicts there are."""
    up, down = len(topic.having("better")), len(topic.having("worse"))
    values = sorted(one.difference.value for one in topic.comparisons)
    middle = values[len(values) // 2] if values else math.nan
    drawing = _svg(_marks(topic.comparisons, scale, alone=False), f"m{index}")
    metric = topic.setting.metric
    words = ("above", "below") if metric.sign > 0 else ("better", "worse")
    median = points(middle, digits_of(metric, middle))
    counted = f"{up} {words[0]}, {down} {words[1]}; median {median}" if values else DASH
    return (
        f'<tr><th scope="row">{many(len(topic.comparisons), "architecture")}</th><td>{drawing}</td>'
        f'<td class="n">{text(counted)}</td></tr>'
    )


def _state(one: Comparison) -> str:
    if one.finding in _IDLE:
        return "idle"
    return "found" if one.finding in ("better", "worse") else "open"


def _svg(marks: Iterator[str], kind: str) -> str:
    return (
        f'<svg class="effect {kind}" height="18" aria-hidden="true">'
        f'<line class="zero" x1="50%" x2="50%" y1="0" y2="18"/>{"".join(marks)}</svg>'
    )


def _marks(comparisons: Sequence[Comparison], scale: _Scale, alone: bool = True) -> Iterator[str]:
    for one in comparisons:
        low, value, high = _ends(one)
        if alone and high > low:
            yield f'<line x1="{scale.at(low):.2f}%" x2="{scale.at(high):.2f}%" y1="9" y2="9"/>'
        size = 5 if alone else 3
        yield f'<circle class="{_state(one)}" cx="{scale.at(value):.2f}%" cy="9" r="{size}"/>'
