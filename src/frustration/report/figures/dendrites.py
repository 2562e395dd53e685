"""Dendrites over time, in the three pictures that users of PerforatedAI know: scores with the loops at which
dendrites came, parameters, and the best score of each architecture that growth went through."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, MaxNLocator
from numpy.typing import NDArray

from frustration.metric import Metric
from frustration.report.cells import mean_of
from frustration.report.figures import panels, style
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput, ends
from frustration.report.figures.mode_style import Look
from frustration.report.figures.quartiles import quartiles
from frustration.report.results import Cell

_MOST = 6
"""Cells drawn at most: a row of three panels each."""
_LONGEST = 20
"""Letters of a label above a panel; of longer ones, the treatment without its knobs."""


def dendrites_over_time(given: FigureInput) -> Iterator[Figure]:
    """A row per architecture and treatment that grew: scores, parameters, best score per architecture."""
    name, title = "dendrites", "Dendrites over time"
    grown = [
        cell
        for cell in given.curved
        if cell.grows and cell.curves is not None and np.any(cell.curves.dendrites > 0)
    ]
    if not grown:
        able = any(cell.grows for cell in given.curved)
        why = "no trial grew a dendrite" if able else "no treatment of this study grows dendrites"
        yield Figure(name=name, title=title, left_out=why)
        return
    chosen = sorted(grown, key=lambda cell: -float(np.mean(np.max(cell.curves.dendrites, axis=1))))[:_MOST]  # type: ignore[union-attr]
    figure, axes = panels.grid(3 * len(chosen), columns=3, height=1.75, legend_rows=1)
    for row, cell in enumerate(chosen):
        look = given.looks[cell.label]
        scores, parameters, best = axes[3 * row : 3 * row + 3]
        _scores(scores, cell, look, given)
        _parameters(parameters, cell, look)
        _best_of_each(best, cell, look, given.metric)
        label = cell.label if len(cell.label) <= _LONGEST else cell.program
        panels.mark_panel(scores, f"{short(cell.architecture)}  {label}")
        panels.mark_panel(parameters, "parameters")
        panels.mark_panel(best, "best score per architecture")
    for panel in axes[-3:-1]:
        panel.set_xlabel("meta-loop", labelpad=2)
    axes[-1].set_xlabel("parameters", labelpad=2)
    _key(figure)
    left = len(grown) - len(chosen)
    more = f" The {_MOST} that grew most; {left} more grew." if left else ""
    yield Figure(
        name=name,
        title=title,
        caption=f"Left: validation {given.metric.name} of each trial after every loop (thin), with a mark "
        "where dendrites were added, and the median of the best so far (thick). Middle: parameters of the "
        f"network in training. Right: the best validation {given.metric.name} that each trial reached with "
        "each number of dendrites per neuron, against its parameters; bars are means with 95 % t intervals. "
        "A network with "
        "more dendrites has also "
        "trained longer." + more,
        figure=figure,
    )


def _scores(axes: Axes, cell: Cell, look: Look, given: FigureInput) -> None:
    curves = cell.curves
    assert curves is not None
    loops = np.arange(1, curves.accuracy.shape[1] + 1)
    for trial in range(cell.n):
        axes.plot(loops, curves.accuracy[trial], color=look.colour, linewidth=0.4, alpha=0.45)
        for loop in switches(curves.dendrites[trial]):
            axes.axvline(loop, color=style.QUIET, linewidth=0.35, alpha=0.4, zorder=1)
            axes.plot(
                loop, curves.accuracy[trial, loop - 1], marker="^", markersize=2.6, color=style.INK, zorder=4
            )
    axes.plot(loops, quartiles(curves.best)[0], color=look.colour, linewidth=1.3, zorder=3)
    panels.score_axis(axes, curves.accuracy[:, min(2, len(loops) - 1) :], given.metric)
    axes.set_ylabel(f"validation{given.unit}", labelpad=2)
    axes.set_xlim(1, len(loops))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _parameters(axes: Axes, cell: Cell, look: Look) -> None:
    curves = cell.curves
    assert curves is not None
    loops = np.arange(1, curves.parameters.shape[1] + 1)
    for trial in range(cell.n):
        axes.step(loops, curves.parameters[trial], where="mid", color=look.colour, linewidth=0.7, alpha=0.6)
    axes.set_ylim(bottom=0)
    axes.set_xlim(1, len(loops))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: panels.short_count(value)))
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))


def _best_of_each(axes: Axes, cell: Cell, look: Look, metric: Metric) -> None:
    """Per number of dendrites: each trial's best, and their mean."""
    curves = cell.curves
    assert curves is not None
    seen = []
    for dendrites in np.unique(curves.dendrites[curves.trained]):
        there = (curves.dendrites == dendrites) & curves.trained & np.isfinite(curves.accuracy)
        trials = there.any(axis=1)
        reached = np.where(there, metric.sign * curves.accuracy, -np.inf).max(axis=1)
        best = metric.sign * reached[trials]
        size = float(np.median(curves.parameters[there]))
        axes.scatter(np.full(best.size, size), best, s=7, color=look.colour, alpha=0.5, linewidths=0)
        if mean := mean_of(best):
            low, high = ends(mean)
            axes.errorbar(
                size,
                mean.value,
                yerr=[[low], [high]],
                color=style.INK,
                marker="_",
                markersize=9,
                elinewidth=0.8,
                capsize=2,
            )
            axes.annotate(
                f"{dendrites:g}", (size, mean.value), xytext=(7, 0), textcoords="offset points", va="center",
                fontsize=style.TINY,
            )  # fmt: skip
            seen += [*best, mean.value]
    panels.score_axis(axes, seen, metric)
    axes.margins(x=0.15)
    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: panels.short_count(value)))


def _key(figure) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.lines import Line2D

    height = figure.get_size_inches()[1]
    handles = [
        Line2D([], [], color=style.QUIET, linewidth=0.5, label="a trial"),
        Line2D([], [], color=style.QUIET, linewidth=1.4, label="median of the best so far"),
        Line2D([], [], color=style.INK, marker="^", markersize=3, linestyle="none", label="dendrites added"),
        Line2D(
            [],
            [],
            color=style.INK,
            marker="_",
            markersize=7,
            linestyle="none",
            label="mean; number of dendrites",
        ),
    ]
    figure.legend(
        handles=handles,
        loc="upper left",
        bbox_to_anchor=(0.01, 1 - 0.02 / height),
        ncols=4,
        borderaxespad=0.1,
    )


def switches(dendrites: NDArray[np.float64]) -> Sequence[int]:
    """Loops (from 1) whose network has more dendrites than that of the loop before, (loops,) of one trial."""
    return [int(index) + 2 for index in np.flatnonzero(np.diff(dendrites) > 0)]
