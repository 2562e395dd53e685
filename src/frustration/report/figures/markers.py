"""The markers of figures as polygons, so that the page draws the same shapes without matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

Polygon = Sequence[tuple[float, float]]
"""Corners in half widths of the marker; y points down, as on a page."""


def _regular(corners: int, turn: float = 0.0) -> Polygon:
    """The first corner is at the top, or turned clockwise by so many degrees."""
    angles = [math.radians(turn + 360.0 * corner / corners) for corner in range(corners)]
    return [(math.sin(angle), -math.cos(angle)) for angle in angles]


def _star() -> Polygon:
    outer, inner = _regular(5), _regular(5, 36.0)
    ratio = 0.381966
    return [corner for a, (x, y) in zip(outer, inner, strict=True) for corner in (a, (ratio * x, ratio * y))]


_DIAGONAL: Final = math.sqrt(2.0)
_THIRD: Final = 1.0 / 3.0
_PLUS: Final = (
    (-_THIRD, -1.0), (_THIRD, -1.0), (_THIRD, -_THIRD), (1.0, -_THIRD), (1.0, _THIRD), (_THIRD, _THIRD),
    (_THIRD, 1.0), (-_THIRD, 1.0), (-_THIRD, _THIRD), (-1.0, _THIRD), (-1.0, -_THIRD), (-_THIRD, -_THIRD),
)  # fmt: skip
_CROSS: Final = (
    (-0.5, -1.0), (0.0, -0.5), (0.5, -1.0), (1.0, -0.5), (0.5, 0.0), (1.0, 0.5),
    (0.5, 1.0), (0.0, 0.5), (-0.5, 1.0), (-1.0, 0.5), (-0.5, 0.0), (-1.0, -0.5),
)  # fmt: skip
POLYGONS: Final[dict[str, Polygon]] = {
    "o": _regular(24),
    "s": ((-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)),
    "D": ((0.0, -_DIAGONAL), (_DIAGONAL, 0.0), (0.0, _DIAGONAL), (-_DIAGONAL, 0.0)),
    "d": ((0.0, -_DIAGONAL), (0.6 * _DIAGONAL, 0.0), (0.0, _DIAGONAL), (-0.6 * _DIAGONAL, 0.0)),
    "^": ((0.0, -1.0), (1.0, 1.0), (-1.0, 1.0)),
    "v": ((0.0, 1.0), (1.0, -1.0), (-1.0, -1.0)),
    "<": ((-1.0, 0.0), (1.0, -1.0), (1.0, 1.0)),
    ">": ((1.0, 0.0), (-1.0, -1.0), (-1.0, 1.0)),
    "P": _PLUS,
    "X": _CROSS,
    "*": _star(),
    "p": _regular(5),
    "h": _regular(6),
    "H": _regular(6, 30.0),
    "8": _regular(8, 22.5),
}
"""matplotlib's name of a marker -> its shape."""


def path_of(marker: str, radius: float) -> str:
    """An SVG path about the origin."""
    return "M" + "L".join(f"{radius * x:.1f} {radius * y:.1f}" for x, y in POLYGONS[marker]) + "z"
