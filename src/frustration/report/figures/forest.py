"""Every effect with its interval, one row each: the forest plot of the page, for papers and slides."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter

from frustration.metric import POINTS, Metric
from frustration.report.effect_scale import TICKS, ends, state_of, unit_of
from frustration.report.figures import style
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput
from frustration.report.findings import Comparison
from frustration.report.topics import Topic, topics

MOST: Final = 40
"""Rows; more are for the page's own chart and for the map."""
ROW: Final = 0.2
"""Inches."""
LETTERS: Final = 36
"""Of a head, at most."""


def forest(given: FigureInput) -> Iterator[Figure]:
    """Treatments as on the page: the study's main contrast first, a row for each architecture."""
    name, title = "effects", "Effect of each treatment"
    own = [topic for topic in topics(given.analysis) if topic.setting == given.setting]
    rows = [(topic, one) for topic in own for one in topic.comparisons]
    if not rows or len(rows) > MOST:
        reason = "no treatment has a control" if not rows else f"more than {MOST} effects"
        yield Figure(name=name, title=title, left_out=reason)
        return
    height = ROW * (len(rows) + len(own)) + 0.55
    figure = style.sheet(style.PAGE, height)
    axes = figure.add_axes((0.3, 0.42 / height, 0.68, 1.0 - 0.5 / height))
    places = _draw(axes, given, own)
    axes.set_ylim(max(places) + 0.7, -0.7)
    axes.axvline(0.0, color=style.QUIET, linewidth=0.8, zorder=1)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(f"difference to control ({_unit(given)})", labelpad=2)
    _scale(axes, [one for _, one in rows], given.metric)
    yield Figure(
        name=name,
        title=title,
        caption=f"Mean difference of the {given.metric_name} of each treatment to its control, with its 95 % "
        f"interval.{given.direction} Filled: better or worse than control by exact tests, all verdicts "
        f"together at {given.analysis.alpha:g}; hollow: not distinguished; grey: inert, in all trials or in "
        "most. The scale is even near zero and logarithmic beyond.",
        figure=figure,
    )


def _unit(given: FigureInput) -> str:
    metric = given.setting.metric
    return POINTS if metric.in_points else metric.unit or metric.name


def _draw(axes: Axes, given: FigureInput, own: Sequence[Topic]) -> list[float]:
    """A head and its rows for each topic; the places used, from the top."""
    at, places, words, heads = 0.0, [], [], []
    for topic in own:
        against = "at equal size, vs" if topic.kind == "size" else "vs"
        places.append(at)
        words.append(_fitting(topic.treatment, f" {against} {topic.control.replace('`', '')}"))
        heads.append(True)
        for one in topic.comparisons:
            at += 1.0
            _mark(axes, given, one, at)
            places.append(at)
            words.append(short(one.architecture))
            heads.append(False)
        at += 1.0
    axes.set_yticks(places, words)
    axes.tick_params(axis="y", length=0)
    for label, head in zip(axes.get_yticklabels(), heads, strict=True):
        label.set_fontweight("bold" if head else "normal")
    return places


def _fitting(treatment: str, behind: str) -> str:
    """A head that has room at the left; knobs go first."""
    room = LETTERS - len(behind)
    return (treatment if len(treatment) <= room else f"{treatment[: room - 1]}…") + behind


def _mark(axes: Axes, given: FigureInput, one: Comparison, at: float) -> None:
    look = given.looks[one.treatment]
    state = state_of(one)
    colour = style.NOTHING if state == "idle" else look.colour
    low, value, high = ends(one)
    if high > low:
        axes.plot([low, high], [at, at], color=colour, linewidth=1.2, solid_capstyle="butt", zorder=2)
    axes.plot(
        [value],
        [at],
        marker=look.marker,
        markersize=5.0,
        markerfacecolor="white" if state == "open" else colour,
        markeredgecolor=colour,
        markeredgewidth=1.0,
        zorder=3,
    )


def _scale(axes: Axes, rows: Sequence[Comparison], metric: Metric) -> None:
    largest = max(abs(end) for one in rows for end in ends(one))
    unit = unit_of(largest, metric)
    most = max(0.1, largest / unit) * 1.15
    axes.set_xscale("asinh", linear_width=unit)
    axes.set_xlim(-most * unit, most * unit)
    far = [tick for tick in TICKS if tick <= most]
    ticks = [tick * unit for tick in far if tick >= 1.0 or most < 3.0]
    axes.xaxis.set_major_locator(FixedLocator([*(-tick for tick in reversed(ticks)), 0.0, *ticks]))
    axes.xaxis.set_minor_locator(FixedLocator([]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:+g}" if value else "0"))
