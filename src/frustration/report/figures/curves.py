"""What happened over the loops: every trial's learning curve, acceptance, and gains that came late."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import LineCollection
from matplotlib.colors import PowerNorm
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.report.cells import LATE, late_gains, mean_of
from frustration.report.figures import panels, style
from frustration.report.figures.families import short
from frustration.report.figures.inputs import Figure, FigureInput
from frustration.report.figures.quartiles import quartiles
from frustration.report.figures.strips import Tile, tile_map
from frustration.report.formatting import score
from frustration.report.results import Cell

Floats = NDArray[np.float64]

PER_PAGE: Final = 20
SAMPLED: Final = 200
"""Points of a curve that are drawn at most."""
BINS: Final = 20
SHORTEST: Final = 4
"""Loops of a bin at least."""
FEW: Final = 8
"""Up to this many architectures get a panel each; more are put together."""


def learning_curves(given: FigureInput) -> Iterator[Figure]:
    """Best validation accuracy so far of every trial; median and quartiles of each treatment on top."""
    title = "Learning curves"
    if not given.curved:
        yield Figure(name="learning-curves", title=title, left_out="no loops are recorded")
        return
    order = [
        a
        for family in given.families
        for a in family.members
        if any(c.architecture == a for c in given.curved)
    ]
    pages = -(-len(order) // PER_PAGE)
    size = -(-len(order) // pages)
    for page in range(pages):
        chosen = order[page * size : (page + 1) * size]
        columns = 4 if len(order) > 6 else min(len(chosen), 3 if len(chosen) != 4 else 2)
        width = style.PAGE if columns > 1 else 4.2
        rows = panels.legend_rows(given.labels, width)
        figure, axes = panels.grid(
            len(chosen), columns=columns, height=1.1 if columns == 4 else 1.9, width=width, legend_rows=rows
        )
        for panel, architecture in zip(axes, chosen, strict=True):
            _curves_of(panel, given, architecture)
        _outer_labels(axes, columns, "meta-loop", f"validation{given.unit}")
        panels.legend(figure, given.labels, given.looks)
        error = (
            " Where networks come close to 100 %, the axis is that of the error, which halves at equal steps."
            if panels.is_percentage(given.metric)
            else ""
        )
        where = (
            f" Page {page + 1} of {pages}: {short(chosen[0])} to {short(chosen[-1])}." if pages > 1 else ""
        )
        yield Figure(
            name="learning-curves" + (f"-{page + 1}" if pages > 1 else ""),
            title=title + (f" {page + 1}" if pages > 1 else ""),
            caption=f"Best validation {given.metric.name} so far: thin lines are trials, thick ones the "
            f"median, bands the middle half of the trials.{given.direction}{error}{where}",
            figure=figure,
        )


def _curves_of(axes: Axes, given: FigureInput, architecture: Architecture) -> None:
    seen = []
    for cell in given.of(architecture):
        if cell.curves is None or not cell.curves.trained.any():
            continue
        best = cell.curves.best
        loops = _sampled(best.shape[1])
        best = best[:, loops]
        look = given.looks[cell.label]
        lines = [np.column_stack([loops + 1, trial]) for trial in best]
        axes.add_collection(
            LineCollection(lines, colors=look.colour, linewidths=0.35, alpha=0.3, rasterized=True),
            autolim=False,
        )
        middle, low, high = quartiles(best)
        axes.fill_between(loops + 1, low, high, color=look.colour, alpha=0.16, linewidth=0, rasterized=True)
        axes.plot(loops + 1, middle, color=look.colour, linestyle=look.dash, linewidth=1.0, zorder=3)
        seen.append(best)
    longest = max(cell.curves.accuracy.shape[1] for cell in given.of(architecture) if cell.curves is not None)
    axes.set_xlim(1, max(longest, 2))
    axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    # The first loops are far below the rest; most of the panel is for where the curves separate.
    values = np.concatenate([np.ravel(best[:, min(2, best.shape[1] - 1) :]) for best in seen])
    panels.score_axis(axes, values, given.metric)
    panels.mark_panel(axes, short(architecture))


def _sampled(loops: int) -> NDArray[np.int64]:
    return np.unique(np.linspace(0, loops - 1, min(loops, SAMPLED)).round().astype(np.int64))


def _outer_labels(axes: Sequence[Axes], columns: int, x: str, y: str) -> None:
    for index, panel in enumerate(axes):
        if index % columns == 0:
            panel.set_ylabel(y, labelpad=2)
        if index + columns >= len(axes):
            panel.set_xlabel(x, labelpad=2)


def acceptance(given: FigureInput) -> Iterator[Figure]:
    """How many candidates became the base, as training proceeds."""
    name, title = "acceptance", "Acceptance rate over loops"
    ratchet = [cell for cell in given.curved if not _accepts_all(cell)]
    if not ratchet:
        yield Figure(name=name, title=title, left_out="no loops are recorded that could have been discarded")
        return
    labels = tuple(label for label in given.labels if any(cell.label == label for cell in ratchet))
    order = [a for f in given.families for a in f.members if any(c.architecture == a for c in ratchet)]
    rows = panels.legend_rows(labels, style.PAGE if len(order) > 1 else 4.2)
    if len(order) <= FEW:
        figure, axes = panels.grid(
            len(order), columns=3 if len(order) > 2 else 2, height=1.7, legend_rows=rows,
            width=style.PAGE if len(order) > 1 else 4.2,
        )  # fmt: skip
        for panel, architecture in zip(axes, order, strict=True):
            for cell in (c for c in ratchet if c.architecture == architecture):
                x, share = _binned_acceptance(cell)
                look = given.looks[cell.label]
                panel.plot(x, share, color=look.colour, linestyle=look.dash)
            panels.mark_panel(panel, short(architecture))
        _outer_labels(axes, min(3 if len(order) > 2 else 2, len(order)), "meta-loop", "accepted (%)")
        what = "Share of the trials' candidates that became the base, by stretches of the loops."
    else:
        figure, axes = panels.grid(2, columns=2, height=2.5, legend_rows=rows)
        for label in labels:
            cells = [cell for cell in ratchet if cell.label == label]
            look = given.looks[label]
            x = _binned_acceptance(cells[0])[0]
            shares = np.array([s for c in cells if len(s := _binned_acceptance(c)[1]) == len(x)])
            axes[0].plot(x, np.median(shares, axis=0), color=look.colour, linestyle=look.dash)
            axes[1].scatter(
                [given.parameters(c.architecture) for c in cells],
                [_share(c) for c in cells],
                color=look.colour, marker=look.marker, s=7, linewidths=0, alpha=0.75,
            )  # fmt: skip
        panels.count_axis(axes[1])
        axes[0].set(xlabel="meta-loop", ylabel="accepted (%)")
        axes[1].set(xlabel="parameters")
        panels.mark_panel(axes[0], "median over architectures")
        panels.mark_panel(axes[1], "all loops, by size of the network")
        what = f"Share of candidates that became the base, over {len(order)} architectures."
    for panel in axes:
        panel.set_ylim(-2, 102)
    panels.legend(figure, labels, given.looks)
    spared = [label for label in given.labels if label not in labels]
    if spared:
        what += f" Not shown: {', '.join(spared)}, where every candidate is accepted."
    yield Figure(name=name, title=title, caption=what, figure=figure)


def _accepts_all(cell: Cell) -> bool:
    assert cell.curves is not None
    return bool(cell.curves.accepted[cell.curves.trained].all())


def _share(cell: Cell) -> float:
    assert cell.curves is not None
    return float(100.0 * cell.curves.accepted[cell.curves.trained].mean())


def _binned_acceptance(cell: Cell) -> tuple[Floats, Floats]:
    """Middle loop of each bin, and the share accepted in it (percent); loop 1 cannot fail and is left out."""
    assert cell.curves is not None
    accepted, trained = cell.curves.accepted[:, 1:], cell.curves.trained[:, 1:]
    loops = np.arange(2, accepted.shape[1] + 2)
    pieces = [
        piece
        for piece in np.array_split(np.arange(len(loops)), max(1, min(BINS, len(loops) // SHORTEST)))
        if piece.size
    ]
    some = [piece for piece in pieces if trained[:, piece].any()]
    shares = [100.0 * accepted[:, piece][trained[:, piece]].mean() for piece in some]
    return np.array([loops[piece].mean() for piece in some]), np.array(shares)


def late_breakthroughs(given: FigureInput) -> Iterator[Figure]:
    """What the last fifth of the loops still brought."""
    name, title = "late-breakthroughs", "Late breakthroughs"
    gains = {
        (cell.architecture, cell.label): gain[np.isfinite(gain)]
        for cell in given.curved
        if cell.curves is not None and np.isfinite(gain := late_gains(cell.curves)).any()
    }
    if not gains:
        yield Figure(name=name, title=title, left_out="no trial has loops enough")
        return
    share = f"{LATE:.0%}".replace("%", " %")
    if len(given.architectures) <= FEW:
        yield _late_dots(given, name, title, gains)
        return
    top = max(float(np.mean(gain)) for gain in gains.values())
    top = max(top, 0.1) if given.metric.in_points else top or 1.0
    mapping = ScalarMappable(PowerNorm(0.4, 0.0, top), style.SEQUENTIAL)

    def tile(architecture: Architecture, label: str) -> Tile:
        gain = gains.get((architecture, label))
        if gain is None:
            return Tile(style.NOTHING)
        return Tile(style.colour_of(mapping, float(gain.mean())), score(float(gain.mean()), given.metric))

    ticks = [t for t in (0, 0.1, 0.5, 1, 2, 5, 10, 20, 40) if t <= top]
    options: dict[str, Any] = {"ticks": ticks if given.metric.in_points else MaxNLocator(2)}
    yield Figure(
        name=name,
        title=title,
        caption=f"By how much the last {share} of the loops improved the bounty{given.in_points}, mean over "
        "trials.",
        figure=tile_map(given.families, given.labels, tile, scale=(mapping, f"gain{given.points}", options)),
    )


def _late_dots(
    given: FigureInput, name: str, title: str, gains: dict[tuple[Architecture, str], Floats]
) -> Figure:
    order = [a for f in given.families for a in f.members]
    longest = max(map(len, given.labels))
    columns = min(len(order), 4 if longest < 16 else 3)
    figure, axes = panels.grid(
        len(order), columns=columns, height=0.2 * len(given.labels) + 0.25, legend_rows=0,
        width=style.PAGE if len(order) > 1 else 4.2, left=max(panels.LEFT, 0.15 + 0.066 * longest),
    )  # fmt: skip
    for index, (panel, architecture) in enumerate(zip(axes, order, strict=True)):
        for row, label in enumerate(given.labels):
            gain = gains.get((architecture, label))
            if gain is None:
                continue
            look = given.looks[label]
            panel.scatter(
                gain, np.full(gain.size, row), color=look.colour, s=9, alpha=0.5, linewidths=0, zorder=3
            )
            if mean := mean_of(gain):
                panel.plot(
                    [mean.value],
                    [row],
                    marker="|",
                    color=style.INK,
                    markersize=9,
                    markeredgewidth=1.3,
                    zorder=4,
                )
        panel.set(ylim=(len(given.labels) - 0.4, -0.6), yticks=range(len(given.labels)))
        panel.set_yticklabels(given.labels if index % columns == 0 else [])
        panel.xaxis.set_major_locator(MaxNLocator(4))
        panels.short_ticks(panel, given.metric, "x")
        panel.set_xlim(left=min(0.0, panel.get_xlim()[0]))
        panels.mark_panel(panel, short(architecture))
        if index + columns >= len(order):
            panel.set_xlabel(f"gain{given.points}", labelpad=2)
    return Figure(
        name=name,
        title=title,
        caption=f"By how much the last {LATE * 100:g} % of the loops improved the bounty{given.in_points}: "
        "dots are trials, bars their mean.",
        figure=figure,
    )
