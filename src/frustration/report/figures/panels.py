"""Small multiples, their shared legend, and the axes that several figures use."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Final, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator
from numpy.typing import NDArray

from frustration.metric import PERCENT, Metric
from frustration.report.figures import style
from frustration.report.figures.mode_style import Look

LEFT: Final = 0.5
_BOTTOM: Final = 0.42
_GAP_X: Final = 0.42
_GAP_Y: Final = 0.36
_TOP: Final = 0.24
_LEGEND: Final = 0.2


def grid(
    count: int,
    *,
    columns: int,
    height: float,
    width: float = style.PAGE,
    legend_rows: int = 1,
    left: float = LEFT,
) -> tuple[Figure, list[Axes]]:
    """`count` panels of `height` inches, `columns` in a row of `width` inches, room for a legend on top.

    left: inches for the labels of the leftmost axes.
    """
    columns = min(columns, count)
    rows = math.ceil(count / columns)
    top = _TOP + legend_rows * _LEGEND
    total = top + rows * height + (rows - 1) * _GAP_Y + _BOTTOM
    figure = style.sheet(width, total)
    inner = (width - left - 0.14 - (columns - 1) * _GAP_X) / columns
    axes = []
    for index in range(count):
        row, column = divmod(index, columns)
        bottom = total - top - (row + 1) * height - row * _GAP_Y
        start = left + column * (inner + _GAP_X)
        axes.append(figure.add_axes((start / width, bottom / total, inner / width, height / total)))
    return figure, axes


def legend_rows(names: Sequence[str], width: float = style.PAGE) -> int:
    return math.ceil(len(names) / _legend_columns(names, width)) if names else 0


def _legend_columns(names: Sequence[str], width: float) -> int:
    longest = max(len(name) for name in names) * 0.062 + 0.42
    return max(1, min(len(names), int((width - 0.2) / longest)))


def legend(figure: Figure, names: Sequence[str], looks: Mapping[str, Look], *, line: bool = True) -> None:
    """What the modes look like, along the top of the figure."""
    handles = [
        Line2D(
            [],
            [],
            color=looks[name].colour,
            linestyle=looks[name].dash if line else "none",
            marker="" if line else looks[name].marker,
            markersize=4,
            label=name,
        )
        for name in names
    ]
    width, height = figure.get_size_inches()
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.08 / width, 1 - 0.02 / height),
        ncols=_legend_columns(names, width),
        handlelength=2.0 if line else 0.8,
        borderaxespad=0.1,
        columnspacing=1.4,
        handletextpad=0.5,
    )


_TICKS: Final = (90, 99, 50, 97, 80, 95, 98, 20, 70, 60, 94, 96, 92, 99.5, 98.5, 97.5, 85, 40, 30, 10, 0)
"""Accuracies worth a tick, best first."""


def _stretch(accuracy: NDArray[np.float64]) -> NDArray[np.float64]:
    return -np.log10(np.maximum(100.05 - np.asarray(accuracy, dtype=float), 1e-6))


def _shrink(stretched: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(100.05 - np.power(10.0, -np.asarray(stretched, dtype=float)))


def short_ticks(axes: Axes, metric: Metric, axis: Literal["x", "y", "both"] = "both") -> None:
    """Where scores are no points, they may be small: powers of ten go to the end of the axis."""
    if not metric.in_points:
        axes.ticklabel_format(axis=axis, style="sci", scilimits=(-2, 4), useMathText=True)


def is_percentage(metric: Metric) -> bool:
    """Whether what is missing to 100 is an error."""
    return metric.unit == PERCENT and metric.sign > 0


def score_axis(axes: Axes, values: Sequence[float] | NDArray[np.float64], metric: Metric) -> None:
    """The y axis for scores."""
    if is_percentage(metric):
        accuracy_axis(axes, values)
        return
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if finite.size:
        low, high = float(finite.min()), float(finite.max())
        room = 0.06 * (high - low) or 0.05 * abs(high) or 1.0
        axes.set_ylim(low - room, high + room)
        axes.yaxis.set_major_locator(MaxNLocator(5))
        short_ticks(axes, metric, "y")


def accuracy_axis(axes: Axes, values: Sequence[float] | NDArray[np.float64]) -> None:
    """The y axis for accuracies (percent): errors on a log scale where networks are good, else plain.

    Halving the error from 4 to 2 % is then as far as from 40 to 20 %.
    """
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not finite.size:
        return
    low, high = float(finite.min()), float(finite.max())
    if high < 85 or high - low < 2.0:
        room = max(0.06 * (high - low), 0.05)
        axes.set_ylim(low - room, min(high + room, 100.0))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        return
    axes.set_yscale("function", functions=(_stretch, _shrink))
    ends = _stretch(np.array([low, high]))
    room = 0.05 * (ends[1] - ends[0])
    bottom, top = _shrink(np.array([ends[0] - room, ends[1] + room]))
    axes.set_ylim(max(float(bottom), -5.0), float(top))
    span = ends[1] - ends[0] + 2 * room
    chosen: list[float] = []
    # Round numbers first; whole ones and halves where those are too few.
    for tick in (*_TICKS, *range(101), *(n / 2 for n in range(201))):
        place = float(_stretch(np.array(tick)))
        apart = all(
            abs(place - float(_stretch(np.array(other))))
            > (0.13 if tick in _TICKS or len(chosen) < 3 else 1.0) * span
            for other in chosen
        )
        if bottom <= tick <= top and apart:
            chosen.append(tick)
    axes.yaxis.set_major_locator(FixedLocator(sorted(chosen)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))


def count_axis(axes: Axes) -> None:
    """A log x axis of counts, once everything is drawn: 1k, 10k, 1M."""
    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 1.3 * low:  # one size of network only
        low, high = low / 1.5, high * 1.5
        axes.set_xlim(low, high)
    tens = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for steps in ((1.0,), (1.0, 2.0, 5.0), (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)):
        ticks = [step * 10.0**ten for ten in tens for step in steps if low <= step * 10.0**ten <= high]
        if len(ticks) >= 3:
            break
    else:  # a range so small that it is nearly linear
        ticks = [tick for tick in MaxNLocator(3).tick_values(low, high) if low <= tick <= high]
    axes.xaxis.set_major_locator(FixedLocator(ticks[:: math.ceil(len(ticks) / 7)]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: short_count(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def short_count(value: float) -> str:
    """`1.63M`, `20.1k`, `807`."""
    for limit, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= limit * 0.9995:
            return f"{value / limit:.3g}{letter}"
    return f"{value:.3g}"


def mark_panel(axes: Axes, title: str) -> None:
    axes.set_title(title, fontsize=style.TEXT, pad=3)
