"""What was studied: architectures in the plane of depth and width, and which of them match in parameters."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from frustration.architecture import Architecture
from frustration.report.figures import style
from frustration.report.figures.families import Family, families, shape, short
from frustration.report.figures.inputs import Figure, FigureInput
from frustration.report.figures.labels import label_points
from frustration.report.figures.mode_style import KNOWN
from frustration.report.figures.panels import short_count

MATCHED: Final = 10.0
"""Percent of parameters within which two networks are of one size."""
SMALL_SPACE: Final = 8
"""Up to this many architectures fit into one column of a page."""
_MARKERS: Final = ("o", "s", "D", "^", "v", "P", "X", "h")


def design_space(given: FigureInput) -> Iterator[Figure]:
    """Depth against width, both doubling, with lines of equal parameters."""
    name, title = "design-space", "Design space"
    uniform = [a for a in given.architectures if shape(a)]
    if len(uniform) < 2:
        why = "fewer than two architectures whose hidden layers are equally wide"
        yield Figure(name=name, title=title, left_out=why)
        return
    depths, widths = (np.array(values, dtype=float) for values in zip(*map(_shape, uniform), strict=True))
    small = len(uniform) <= SMALL_SPACE
    figure = style.sheet(3.6 if small else style.PAGE, 2.6 if small else 4.9)
    axes = figure.add_axes((0.13, 0.17, 0.84, 0.78) if small else (0.075, 0.09, 0.9, 0.88))
    axes.set(
        xscale="log",
        yscale="log",
        xlim=(widths.min() / 1.5, widths.max() * 1.7),
        ylim=(depths.min() / 1.5, depths.max() * 1.7),
    )
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(2, numticks=14))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set(xlabel="units per hidden layer", ylabel="hidden layers")
    _equal_parameters(axes, given, uniform)
    groups = families(uniform)
    colours = [look.colour for mode, look in KNOWN.items() if mode not in ("none", "decay")]
    for index, family in enumerate(groups):
        xs, ys = [_shape(a)[1] for a in family.members], [_shape(a)[0] for a in family.members]
        axes.scatter(
            xs, ys, s=13, color=colours[index % len(colours)], marker=_MARKERS[index % len(_MARKERS)],
            linewidths=0.4, edgecolors="white", label=family.name, zorder=4,
        )  # fmt: skip
    wanted = _worth_a_label(groups)
    named = {*wanted}
    rest = [(float(_shape(a)[1]), float(_shape(a)[0])) for a in uniform if a not in named]
    label_points(
        axes,
        [_shape(a)[1] for a in wanted],
        [_shape(a)[0] for a in wanted],
        [short(a) for a in wanted],
        marker=4.5,
        obstacles=rest,
    )
    if len(groups) > 1:
        axes.legend(loc="upper right", handletextpad=0.2, frameon=True, framealpha=0.9, edgecolor="none")
    left = len(given.architectures) - len(uniform)
    caption = (
        f"The {len(uniform)} architectures, layers*units. Grey lines join networks of equal parameters "
        f"({given.ends[0]} inputs, {given.ends[1]} classes). Where labels had no room they were left out."
    )
    if left:
        caption += f" {left} whose layers differ in width are not shown."
    yield Figure(name=name, title=title, caption=caption, figure=figure)


def _shape(architecture: Architecture) -> tuple[int, int]:
    found = shape(architecture)
    assert found is not None  # callers pass uniform ones
    return found


def _worth_a_label(groups: Sequence[Family]) -> list[Architecture]:
    """Members of short families first, then the ends of long ones, then what lies between."""
    order = []
    for family in sorted(groups, key=lambda family: len(family.members)):
        members = list(family.members)
        order += [
            (rank, architecture) for rank, architecture in zip(_spread(len(members)), members, strict=True)
        ]
    return [architecture for _, architecture in sorted(order, key=lambda pair: pair[0])]


def _spread(count: int) -> list[float]:
    """Rank of each of `count` places: ends first, then the middle, then the quarters."""
    ranks = [math.inf] * count
    step, rank = max(count - 1, 1), 0.0
    while step >= 1:
        for index in range(0, count, step):
            ranks[index] = min(ranks[index], rank)
        ranks[-1] = min(ranks[-1], 0.0)
        step, rank = step // 2, rank + 1.0
    return ranks


def _equal_parameters(axes: Axes, given: FigureInput, uniform: Sequence[Architecture]) -> None:
    """Lines of equal parameters, each with its number where the fewest networks are."""
    (low_x, high_x), (low_y, high_y) = axes.get_xlim(), axes.get_ylim()
    counts = [given.parameters(architecture) for architecture in uniform]
    features, classes = given.ends
    width, depth = np.meshgrid(np.geomspace(low_x, high_x, 200), np.geomspace(max(low_y, 1.0), high_y, 200))
    parameters = (depth - 1) * width**2 + (features + classes + depth) * width + classes
    lowest, highest = math.floor(math.log10(min(counts))), math.ceil(math.log10(max(counts)))
    levels = [m * 10.0**e for e in range(lowest, highest + 1) for m in (1, 3)]
    lines = axes.contour(width, depth, parameters, levels=levels, colors="#BDBDBD", linewidths=0.5, zorder=1)
    taken = [np.log([_shape(architecture)[1], _shape(architecture)[0]]) for architecture in uniform]
    middle = (slice(20, -20), slice(20, -20))  # labels stay away from the frame
    places = []
    for level in levels:
        near = np.abs(np.log(parameters[middle] / level)) < 0.03
        spots = np.log(np.column_stack([width[middle][near], depth[middle][near]]))
        if not len(spots):
            continue
        room = np.min([np.hypot(*(spots - mark).T) for mark in taken], axis=0)
        taken.append(spots[int(np.argmax(room))])
        places.append(tuple(np.exp(taken[-1])))
    axes.clabel(
        lines, fmt=short_count, fontsize=style.TINY, colors=style.QUIET, inline_spacing=2, manual=places
    )


def parameter_matching(given: FigureInput) -> Iterator[Figure]:
    """Which networks of different shape have the same number of parameters, and how nearly."""
    name, title = "parameter-matching", "Parameter matching"
    groups = [family for family in given.families if family.name]
    of_one_depth = [family for family in groups if family.depth is not None]
    anchor = max(of_one_depth, key=lambda family: len(family.members), default=None)
    if anchor is None or len(groups) < 2:
        why = "fewer than two families of shapes (one depth, one width, squares) to match"
        yield Figure(name=name, title=title, left_out=why)
        return
    matched = {
        (row, column): found
        for row, family in enumerate(groups)
        for column, target in enumerate(anchor.members)
        if (found := _nearest(given, family, target, anchor)) is not None
    }
    having = sorted({row for row, _ in matched})
    groups = [groups[row] for row in having]
    matched = {(having.index(row), column): found for (row, column), found in matched.items()}
    step, height, left = 0.545, 0.34, 0.95
    width = min(left + step * len(anchor.members) + 0.1, style.PAGE)
    step = (width - left - 0.1) / len(anchor.members)
    total = 0.4 + height * len(groups) + 0.55
    figure = style.sheet(width, total)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(total, 0))
    axes.axis("off")
    norm = Normalize(-MATCHED, MATCHED)
    mapping = ScalarMappable(norm, style.DIVERGING)
    for column, target in enumerate(anchor.members):
        x = left + (column + 0.5) * step
        axes.text(
            x, 0.33, short_count(given.parameters(target)), ha="center", va="bottom", fontsize=style.SMALL
        )
    axes.text(
        left - 0.06, 0.33, "parameters", ha="right", va="bottom", fontsize=style.SMALL, fontweight="bold"
    )
    for row, family in enumerate(groups):
        y = 0.4 + row * height
        words = family.name.split(" (")[0]
        axes.text(left - 0.06, y + height / 2, words, ha="right", va="center", fontsize=style.TINY)
        for column in range(len(anchor.members)):
            x = left + column * step
            if (row, column) not in matched:
                axes.add_patch(_box(x, y, step, height, style.NOTHING))
                continue
            architecture, off = matched[row, column]
            colour = style.colour_of(mapping, off)
            axes.add_patch(_box(x, y, step, height, colour))
            axes.text(
                x + step / 2,
                y + height / 2,
                short(architecture) + ("" if family == anchor else f"\n{_signed(off)} %"),
                ha="center",
                va="center",
                fontsize=style.TINY,
                color=style.ink_on(colour),
                linespacing=1.25,
            )
    bar = figure.add_axes(((width - 2.6) / width, 0.33 / total, 2.4 / width, 0.09 / total))
    figure.colorbar(mapping, cax=bar, orientation="horizontal").outline.set_visible(False)
    bar.tick_params(labelsize=style.TINY, length=2)
    bar.grid(False)
    bar.set_xlabel("parameters against the head of the column (%)", fontsize=style.SMALL, labelpad=1)
    shown = len({architecture for architecture, _ in matched.values()})
    yield Figure(
        name=name,
        title=title,
        caption=f"Columns are networks of one size, that of {anchor.name}; each tile is the network of that "
        f"family that comes nearest, and how far its parameters are off. Grey: none within {MATCHED:g} %. "
        f"{shown} of {len(given.architectures)} architectures have a place here.",
        figure=figure,
    )


def _nearest(
    given: FigureInput, family: Family, target: Architecture, anchor: Family
) -> tuple[Architecture, float] | None:
    """The member nearest to `target` in parameters, if `target` is the nearest of the heads to it as well."""
    off = {a: 100.0 * (given.parameters(a) / given.parameters(target) - 1.0) for a in family.members}
    best = min(off, key=lambda a: abs(off[a]))
    heads = [abs(math.log(given.parameters(best) / given.parameters(head))) for head in anchor.members]
    if abs(off[best]) > MATCHED or anchor.members[int(np.argmin(heads))] != target:
        return None
    return best, off[best]


def _signed(percent: float) -> str:
    text = f"{percent:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def _box(x: float, y: float, width: float, height: float, colour: Any) -> Rectangle:
    return Rectangle((x, y), width, height, facecolor=colour, edgecolor="white", linewidth=0.8)
