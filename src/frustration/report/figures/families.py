"""Architectures in the order of a map: families of one depth, squares, families of one width, all others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from frustration.architecture import Architecture
from frustration.references import ProblemReference

SMALLEST_FAMILY: Final = 3
OTHERS: Final = "other shapes"


@dataclass(frozen=True)
class Family:
    """Architectures that differ in one number."""

    name: str
    members: tuple[Architecture, ...]
    """By parameters, most first."""
    depth: int | None = None
    """The hidden layers that all members have, if that is what they share."""


def short(architecture: Architecture) -> str:
    """`1*32` for `[1*32]`."""
    return str(architecture).removeprefix("[").removesuffix("]") or "linear"


def shape(architecture: Architecture) -> tuple[int, int] | None:
    """(layers, units) where all hidden layers are equally wide, else None."""
    widths = set(architecture.hidden)
    return (architecture.depth, widths.pop()) if len(widths) == 1 else None


def families(architectures: Sequence[Architecture]) -> tuple[Family, ...]:
    """Every architecture once: shallow and wide first, then squares, deep and narrow, and the rest."""
    shapes = {a: s for a in architectures if (s := shape(a)) is not None}
    square = [a for a, (layers, units) in shapes.items() if layers == units]
    squares = set(square) if len(square) >= SMALLEST_FAMILY else set()
    depths = Counter(layers for a, (layers, _) in shapes.items() if a not in squares)
    widths = Counter(units for a, (_, units) in shapes.items() if a not in squares)
    groups: dict[tuple[int, int], list[Architecture]] = {}
    for architecture in architectures:
        groups.setdefault(_group(architecture, shapes, squares, depths, widths), []).append(architecture)
    if len(groups) == 1 and (3, 0) in groups:
        return (Family("", _by_size(architectures)),)
    return tuple(
        Family(_name(key), _by_size(groups[key]), depth=key[1] if key[0] == 0 else None)
        for key in sorted(groups)
    )


def _group(
    architecture: Architecture,
    shapes: dict[Architecture, tuple[int, int]],
    squares: set[Architecture],
    depths: Counter[int],
    widths: Counter[int],
) -> tuple[int, int]:
    """(kind, number): 0 one depth, 1 squares, 2 one width (wide first), 3 all others."""
    if architecture in squares:
        return 1, 0
    if architecture not in shapes:
        return 3, 0
    layers, units = shapes[architecture]
    if max(depths[layers], widths[units]) < SMALLEST_FAMILY:
        return 3, 0
    return (0, layers) if depths[layers] >= widths[units] else (2, -units)


def _name(key: tuple[int, int]) -> str:
    kind, number = key
    if kind == 0:
        return f"{number} hidden layer{'s' if number > 1 else ''}"
    if kind == 2:
        return f"{-number} unit{'s' if number < -1 else ''} per layer"
    return "squares (as many layers as units)" if kind == 1 else OTHERS


def _most_first(architecture: Architecture | ProblemReference) -> tuple[int, tuple[int, ...], str]:
    """By parameters; problems, whose records alone know how many they have, come after by name."""
    if isinstance(architecture, ProblemReference):
        return 1, (), str(architecture)
    return -architecture.parameters(), architecture.hidden, ""


def _by_size(architectures: Sequence[Architecture]) -> tuple[Architecture, ...]:
    return tuple(sorted(architectures, key=_most_first))
