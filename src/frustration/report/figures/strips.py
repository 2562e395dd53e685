"""Maps of architectures: each a column of tiles, families side by side, as many lines as the page needs.

The published grid is a star in the plane of depth and width, where tiles would overlap and
most of the page would be empty. Columns in families keep every number readable, for two architectures or
a hundred.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.collections import PatchCollection
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from frustration.architecture import Architecture
from frustration.report.figures import style
from frustration.report.figures.families import Family, short


@dataclass(frozen=True)
class Tile:
    """One value of one architecture. A hatched tile is one whose claim should not be leant on."""

    colour: Any
    text: str = ""
    hatched: bool = False
    bold: bool = False


MOST: Final = 40
"""Columns on one line."""
WIDE: Final = 12
"""Up to this many columns, numbers stand upright."""
_KEY: Final = 0.46
_CHARACTER: Final = 0.066


def tile_map(
    families: Sequence[Family],
    rows: Sequence[str],
    tile: Callable[[Architecture, str], Tile],
    *,
    scale: tuple[ScalarMappable, str, dict[str, Any]] | None = None,
    key: Sequence[tuple[str, Tile]] = (),
    height: float = 0.37,
) -> Figure:
    """A figure of one tile per architecture and row.

    scale: a colour scale, its label and options of its colour bar. key: what single tiles mean.
    height: inches of a tile whose number stands on its side.
    """
    lines = _lines(families)
    columns = max(sum(len(block.members) for block in line) + len(line) - 1 for line in lines)
    wide = columns <= WIDE
    left = 0.12 + _CHARACTER * max((len(row) for row in rows), default=0) + (0.06 if rows != [""] else 0.0)
    step = min((style.PAGE - left - 0.05) / columns, 0.62 if wide else 0.2)
    height = 0.22 if wide else height
    longest = _CHARACTER * max(len(short(a)) for family in families for a in family.members)
    upright = wide and longest < step
    head = 0.06 + (0.17 if upright else longest) + (0.18 if any(family.name for family in families) else 0.0)
    line_height = head + len(rows) * height + 0.14
    total = len(lines) * line_height + (_KEY if scale else 0.28 if key else 0.0)
    figure = style.sheet(max(left + columns * step + 0.05, 3.4), total)
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set(xlim=(0, figure.get_figwidth()), ylim=(total, 0))
    axes.axis("off")
    for number, line in enumerate(lines):
        top = number * line_height + head
        for index, row in enumerate(rows):
            axes.text(
                left - 0.06, top + (index + 0.5) * height, row, ha="right", va="center", fontsize=style.SMALL
            )
        x = left
        for block in line:
            _block(axes, block, rows, tile, (x, top), (step, height), wide, upright)
            if block.name:
                axes.text(x, top - head + 0.04, block.name, va="top", fontsize=style.SMALL, fontweight="bold")
            x += (len(block.members) + 1) * step
    if scale:
        _scale(figure, *scale)
    if key:
        _key(figure, key)
    return figure


def _lines(families: Sequence[Family]) -> list[list[Family]]:
    """Families side by side while they fit, one too long for a line cut into pieces."""
    pieces = []
    for family in families:
        for start in range(0, len(family.members), MOST):
            name = family.name if start == 0 else f"{family.name}, continued"
            pieces.append(Family(name, family.members[start : start + MOST]))
    lines: list[list[Family]] = []
    room = 0
    for piece in pieces:
        if len(piece.members) + 1 > room:
            lines.append([])
            room = MOST + 1
        lines[-1].append(piece)
        room -= len(piece.members) + 1
    return lines


def _block(
    axes: Axes,
    family: Family,
    rows: Sequence[str],
    tile: Callable[[Architecture, str], Tile],
    corner: tuple[float, float],
    size: tuple[float, float],
    wide: bool,
    upright: bool,
) -> None:
    (left, top), (step, height) = corner, size
    plain: list[Rectangle] = []
    colours = []
    for column, architecture in enumerate(family.members):
        x = left + column * step
        axes.text(
            x + step / 2,
            top - 0.05,
            short(architecture),
            ha="center",
            va="bottom",
            rotation=0 if upright else 90,
            fontsize=style.TINY if not wide else style.SMALL,
            color=style.INK,
        )
        for index, row in enumerate(rows):
            it = tile(architecture, row)
            box = Rectangle((x, top + index * height), step, height)
            plain.append(box)
            colours.append(it.colour)
            if it.hatched:
                axes.add_patch(
                    Rectangle(
                        box.get_xy(),
                        step,
                        height,
                        fill=False,
                        hatch="/////",
                        edgecolor="white",
                        lw=0,
                        alpha=0.75,
                        zorder=0.8,
                    )
                )
            if it.text and len(it.text) * _CHARACTER * 0.9 < (step if wide else height):
                axes.text(
                    x + step / 2,
                    top + (index + 0.5) * height,
                    it.text,
                    ha="center",
                    va="center_baseline" if wide else "center",
                    rotation=0 if wide else 90,
                    fontsize=style.SMALL if wide else style.TINY,
                    fontweight="bold" if it.bold else "normal",
                    color=style.INK if it.hatched else style.ink_on(it.colour),
                    bbox={"facecolor": it.colour, "edgecolor": "none", "pad": 0.6} if it.hatched else None,
                )
    axes.add_collection(
        PatchCollection(plain, facecolors=colours, edgecolors="white", linewidths=0.8, zorder=0.5),
        autolim=False,
    )


def _scale(figure: Figure, mapping: ScalarMappable, label: str, options: dict[str, Any]) -> None:
    width, height = figure.get_size_inches()
    length = min(2.6, width * 0.55)
    bar = figure.add_axes(((width - length - 0.2) / width, 0.34 / height, length / width, 0.09 / height))
    colour_bar = figure.colorbar(mapping, cax=bar, orientation="horizontal", **options)
    colour_bar.outline.set_visible(False)
    bar.tick_params(labelsize=style.TINY, length=2, pad=1.5)
    bar.grid(False)
    bar.set_xlabel(label, fontsize=style.SMALL, labelpad=1)


def _key(figure: Figure, key: Sequence[tuple[str, Tile]]) -> None:
    handles = [
        Patch(
            facecolor=it.colour,
            edgecolor="white" if it.hatched else style.QUIET,
            hatch="/////" if it.hatched else None,
            linewidth=0.3,
            label=name,
        )
        for name, it in key
    ]
    height = figure.get_size_inches()[1]
    figure.legend(
        handles=handles,
        loc="lower left",
        bbox_to_anchor=(0.0, 0.04 / height),
        ncols=min(len(handles), 5),
        fontsize=style.SMALL,
        handlelength=1.2,
        columnspacing=1.2,
        borderaxespad=0.3,
    )
