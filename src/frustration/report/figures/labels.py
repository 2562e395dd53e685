"""Labels beside points, none on top of another: a label that finds no room is left out, never overprinted."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any, Final, cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke
from matplotlib.text import Text
from numpy.typing import NDArray

from frustration.report.figures import style

Boxes = NDArray[np.float64]
"""(boxes, 4): left, bottom, right, top, in pixels."""

_RINGS: Final = (4.0, 7.0, 11.0, 16.0, 22.0, 30.0)
"""Points between a mark and its label; from the third ring on a line joins them."""
ANGLES: Final = (0, 90, 45, -45, 135, -135, 180, -90)
_POINTS_PER_INCH: Final = 72.0


def label_points(
    axes: Axes,
    x: Sequence[float],
    y: Sequence[float],
    texts: Sequence[str],
    *,
    size: float = style.TINY,
    marker: float = 4.0,
    obstacles: Sequence[tuple[float, float]] = (),
    angles: Sequence[int] = ANGLES,
) -> list[int]:
    """Write `texts` beside the points (x, y), first ones first; returns the indices that found room.

    marker: diameter of the marks in points. obstacles: other marks, in data coordinates, to keep clear of.
    angles: degrees from the mark to its label, best first.
    Everything else must have been drawn: the limits of `axes` are kept from here on.
    """
    if not texts:
        return []
    axes.set(
        xlim=axes.get_xlim(), ylim=axes.get_ylim()
    )  # marks drawn so far count, later ones do not move it
    figure = axes.figure
    pixel = figure.dpi / _POINTS_PER_INCH
    marks = axes.transData.transform(np.array([*zip(x, y, strict=True), *obstacles], dtype=float))
    reach = marker * pixel / 2
    taken: Boxes = np.column_stack([marks - reach, marks + reach])
    frame = axes.get_window_extent()
    renderer = cast(Any, figure.canvas).get_renderer()
    placed = []
    for index, text in enumerate(texts):
        probe = Text(0, 0, text, fontsize=size)
        probe.set_figure(figure)
        extent = probe.get_window_extent(renderer)
        spot = _free_spot(
            marks[index], extent.width, extent.height, reach, pixel, taken, np.array(frame.extents), angles
        )
        if spot is None:
            continue
        box, ring = spot
        taken = np.vstack([taken, box])
        middle = ((box[0] + box[2]) / 2, (box[1] + box[3]) / 2)
        axes.annotate(
            text,
            xy=(x[index], y[index]),
            xytext=((middle[0] - marks[index][0]) / pixel, (middle[1] - marks[index][1]) / pixel),
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=size,
            color=style.INK,
            arrowprops={"arrowstyle": "-", "lw": 0.4, "color": style.QUIET, "shrinkA": 0, "shrinkB": 1}
            if ring >= 2
            else None,
            zorder=6,
            path_effects=[withStroke(linewidth=1.6, foreground="white")],
        )
        placed.append(index)
    return placed


def _free_spot(
    mark: NDArray[np.float64],
    width: float,
    height: float,
    reach: float,
    pixel: float,
    taken: Boxes,
    frame: NDArray[np.float64],
    angles: Sequence[int],
) -> tuple[NDArray[np.float64], int] | None:
    """The nearest box around `mark` that touches none of `taken` and stays in `frame`, and its ring."""
    for (ring, distance), angle in itertools.product(enumerate(_RINGS), angles):
        way = (math.cos(math.radians(angle)), math.sin(math.radians(angle)))
        gap = reach + distance * pixel * 0.5
        x = mark[0] + way[0] * (gap + width / 2)
        y = mark[1] + way[1] * (gap + height / 2)
        box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        inside = box[0] >= frame[0] and box[1] >= frame[1] and box[2] <= frame[2] and box[3] <= frame[3]
        apart = (
            (taken[:, 2] <= box[0])
            | (taken[:, 0] >= box[2])
            | (taken[:, 3] <= box[1])
            | (taken[:, 1] >= box[3])
        )
        if inside and bool(apart.all()):
            return box, ring
    return None
