"""What the interventions cost at once, and what an epoch of training wins back."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from frustration.report.figures import panels, style
from frustration.report.figures.curves import BINS, SHORTEST
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput, bars
from frustration.report.figures.labels import label_points
from frustration.report.figures.mode_style import Look
from frustration.report.figures.quartiles import quartiles
from frustration.report.results import Cell
from frustration.statistics.results import Estimate

_MOST_LABELS: Final = 24


def harm_and_recovery(given: FigureInput) -> Iterator[Figure]:
    """Harm against recovery of each architecture and treatment, and harm as training proceeds."""
    name, title = "harm-and-recovery", "Harm and recovery"
    damaging = [
        (cell, found.harm, found.recovery)
        for cell in given.curved
        if (found := given.summary(cell.architecture, cell.label)) and found.harm and found.recovery
    ]
    if not damaging:
        yield Figure(name=name, title=title, left_out="no loop changed a network before training")
        return
    labels = tuple(label for label in given.labels if any(cell.label == label for cell, _, _ in damaging))
    figure, axes = panels.grid(2, columns=2, height=2.9, legend_rows=panels.legend_rows(labels))
    for label in labels:
        look = given.looks[label]
        harms, recoveries = zip(*((h, r) for cell, h, r in damaging if cell.label == label), strict=True)
        axes[0].errorbar(
            [m.value for m in harms],
            [m.value for m in recoveries],
            xerr=bars(harms),
            yerr=bars(recoveries),
            color=look.colour,
            marker=look.marker,
            markersize=3.4,
            markeredgewidth=0,
            linestyle="none",
            elinewidth=0.5,
            alpha=0.85,
            rasterized=len(damaging) > 200,
        )
        _over_loops(axes[1], [cell for cell, _, _ in damaging if cell.label == label], look)
    _equal_axes(axes[0], damaging, 0.1 if given.metric.in_points else 0.0)
    lost = f": {given.metric.name} lost to" if given.metric.in_points else " by"
    axes[0].set(
        xlabel=f"harm{lost} the intervention{given.points}",
        ylabel=f"recovery by the epoch after it{given.points}",
    )
    axes[1].set(xlabel="meta-loop", ylabel=f"harm{given.points}, median")
    axes[1].xaxis.set_major_locator(MaxNLocator(6, integer=True))
    for panel in axes:
        panels.short_ticks(panel, given.metric)
    panels.mark_panel(axes[0], "each architecture")
    panels.mark_panel(axes[1], "over the loops")
    panels.legend(figure, labels, given.looks)
    if len(damaging) <= _MOST_LABELS:
        label_points(
            axes[0],
            [h.value for _, h, _ in damaging],
            [r.value for _, _, r in damaging],
            [short(cell.architecture) for cell, _, _ in damaging],
        )
    positive = (
        "" if given.metric.sign > 0 else " Harm and recovery are positive where it got worse and better."
    )
    yield Figure(
        name=name,
        title=title,
        caption="Left: mean over all damaged loops of a trial, then over trials, with 95 % t intervals "
        "over trials. On the dotted line the epoch wins back what the intervention took; above it, more. "
        "Right: harm over stretches of the loops, median and middle half of all trials and architectures. "
        f"Validation {given.metric.name}{given.in_points}.{positive}",
        figure=figure,
    )


def _over_loops(axes: Axes, cells: Sequence[Cell], look: Look) -> None:
    longest = max(cell.curves.harm.shape[1] for cell in cells if cell.curves is not None)
    rows = [
        np.pad(cell.curves.harm, ((0, 0), (0, longest - cell.curves.harm.shape[1])), constant_values=np.nan)
        for cell in cells
        if cell.curves is not None
    ]
    harm: NDArray[np.float64] = np.concatenate(rows)
    bins = np.array_split(np.arange(longest), max(1, min(BINS, longest // SHORTEST)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # loop 1 is never damaged: NaN in all trials
        means = np.column_stack([np.nanmean(harm[:, some], axis=1) for some in bins])
    middle, low, high = quartiles(means)
    loops = np.array([some.mean() + 1 for some in bins])
    axes.plot(loops, middle, color=look.colour, linestyle=look.dash, linewidth=1.0)
    axes.fill_between(loops, low, high, color=look.colour, alpha=0.13, linewidth=0)


def _equal_axes(axes: Axes, damaging: Sequence[tuple[Cell, Estimate, Estimate]], least: float) -> None:
    """One scale both ways, and the line on which recovery equals harm."""
    values = [m.value for _, h, r in damaging for m in (h, r)]
    low, high = min(*values, 0.0), max(values)
    room = 0.08 * (max(high - low, least) or 1.0)
    low, high = low - room, high + room
    axes.plot([low, high], [low, high], color=style.QUIET, linestyle=":", linewidth=0.9, zorder=1)
    axes.set(xlim=(low, high), ylim=(low, high))
