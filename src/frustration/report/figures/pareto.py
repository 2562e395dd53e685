"""Accuracy against what it costs: parameters, operations, training time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes

from frustration.report.cells import mean_of
from frustration.report.figures import panels, style
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput, bars
from frustration.report.figures.labels import label_points
from frustration.report.results import Cell, Floats
from frustration.statistics.results import Estimate

LABELS: Final = 9
"""Points of the line that are named at most, evenly along it."""
_COSTS: tuple[tuple[str, Callable[[Cell], Floats]], ...] = (
    ("parameters", lambda cell: cell.parameters),
    ("FLOPs of one forward pass", lambda cell: cell.flops),
    ("training time (CPU seconds)", lambda cell: cell.seconds),
)


def pareto(given: FigureInput) -> Iterator[Figure]:
    """Mean accuracy against mean cost, both with intervals; a line joins those that nothing dominates."""
    name, title = "pareto", f"{given.metric.name.capitalize()} against cost"
    cells = [cell for cell in given.cells if mean_of(cell.values(given.results.metric))]
    costs = [(label, cost) for label, cost in _COSTS if _known(cells, cost)]
    if len(cells) < 2 or not costs:
        yield Figure(name=name, title=title, left_out="fewer than two treatments with a known score and cost")
        return
    labels = tuple(label for label in given.labels if any(cell.label == label for cell in cells))
    figure, axes = panels.grid(
        len(costs), columns=3, height=2.7, legend_rows=panels.legend_rows(labels),
        width=style.PAGE if len(costs) > 1 else 4.2,
    )  # fmt: skip
    for panel, (label, cost) in zip(axes, costs, strict=True):
        points = [
            (cell, x, y)
            for cell in cells
            if (x := mean_of(cost(cell)))
            and x.value > 0
            and (y := mean_of(cell.values(given.results.metric)))
        ]
        _panel(panel, given, points, labels)
        panel.set_xlabel(label, labelpad=2)
    axes[0].set_ylabel(given.metric_axis)
    panels.legend(figure, labels, given.looks, line=False)
    yield Figure(
        name=name,
        title=title,
        caption=f"Mean {given.metric_name} of every architecture and treatment with 95 % t intervals "
        "over trials, against mean cost. The line joins the means that no other beats at the same or lower "
        "cost: it is drawn through point estimates, so neighbours whose intervals overlap may change "
        f"places.{given.direction}",
        figure=figure,
    )


def _known(cells: Sequence[Cell], cost: Callable[[Cell], Floats]) -> bool:
    return any(np.any(cost(cell) > 0) for cell in cells)


def _panel(
    axes: Axes, given: FigureInput, points: Sequence[tuple[Cell, Estimate, Estimate]], labels: Sequence[str]
) -> None:
    many = len(points) > 150
    axes.set_xscale("log")
    panels.score_axis(axes, np.array([y.value for _, _, y in points]), given.metric)
    for label in labels:
        own = [(x, y) for cell, x, y in points if cell.label == label]
        if not own:
            continue
        look = given.looks[label]
        xs, ys = zip(*own, strict=True)
        axes.errorbar(
            [x.value for x in xs],
            [y.value for y in ys],
            xerr=bars(xs) if any(x.high > x.low for x in xs) else None,
            yerr=np.minimum(bars(ys), 100.0) if given.metric.in_points else bars(ys),
            color=look.colour,
            marker=look.marker,
            markersize=2.4 if many else 3.8,
            markeredgewidth=0,
            linestyle="none",
            elinewidth=0.3 if many else 0.6,
            alpha=0.7 if many else 0.9,
            rasterized=many,
        )
    front = undominated([(x.value, given.metric.sign * y.value) for _, x, y in points])
    best = [points[i] for i in front]
    axes.plot(
        [x.value for _, x, _ in best],
        [y.value for _, _, y in best],
        color=style.INK,
        linewidth=0.7,
        zorder=4,
        drawstyle="steps-post",
    )
    panels.count_axis(axes)
    step = max(1, -(-len(best) // LABELS))
    order = best[::-1][::step]
    label_points(
        axes,
        [x.value for _, x, _ in order],
        [y.value for _, _, y in order],
        [f"{short(cell.architecture)} {cell.label}" for cell, _, _ in order],
        angles=(
            150,
            180,
            120,
            90,
            -30,
            0,
            -60,
            -90,
        ),  # the line rises to the right: room is above and below it
        obstacles=[] if many else [(x.value, y.value) for _, x, y in points],
    )


def undominated(points: Sequence[tuple[float, float]]) -> list[int]:
    """Indices of the (cost, score) that no other matches at lower or equal cost, by rising cost.

    Of scores, higher ones are better here.
    """
    front: list[int] = []
    for index in sorted(range(len(points)), key=lambda i: (points[i][0], -points[i][1])):
        if not front or points[index][1] > points[front[-1]][1]:
            front.append(index)
    return front
