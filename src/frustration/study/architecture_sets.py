"""Named sets of architectures: the published grid and its parts, and files with one architecture a line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from frustration.architecture import Architecture
from frustration.errors import InputError, did_you_mean
from frustration.files import read_text

_ONE = (2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2)
_TWO = (939, 588, 354, 214, 115, 59, 30, 16, 8, 4)
_FOUR = (632, 425, 280, 185, 119, 76, 47, 29, 17)
_SQUARES = (115, 91, 71, 56, 44, 35, *range(32, 0, -1))


def _blocks(pairs: list[tuple[int, int]]) -> tuple[Architecture, ...]:
    return tuple(Architecture((width,) * depth) for depth, width in pairs)


_SHALLOW = _blocks([(depth, w) for depth, widths in ((1, _ONE), (2, _TWO), (4, _FOUR)) for w in widths])
_SQUARE = _blocks([(n, n) for n in _SQUARES])
_DEEP = _blocks([(d, width) for width, depths in ((4, _FOUR), (2, _TWO), (1, _ONE)) for d in depths])

SETS: Final[dict[str, tuple[Architecture, ...]]] = {
    "paper-98": _SHALLOW + _SQUARE + _DEEP,
    "paper-shallow": _SHALLOW,
    "paper-square": _SQUARE,
    "paper-deep": _DEEP,
}
"""The 98 architectures of the published grid in the paper's order, and the three parts of it."""


def architectures(entries: Sequence[str], folder: Path) -> tuple[Architecture, ...]:
    """Architectures from strings, names of sets and `@FILE` (relative to `folder`), each one once."""
    found: dict[Architecture, None] = {}
    for entry in entries:
        if entry.startswith("@"):
            named = _from_file(folder / entry[1:])
        elif entry[:1].isalpha() and entry != "linear":
            named = _named(entry)
        else:
            named = (Architecture.parse(entry),)
        found.update(dict.fromkeys(named))
    return tuple(found)


def _named(name: str) -> tuple[Architecture, ...]:
    if name not in SETS:
        hint = did_you_mean(name, SETS)
        raise InputError(f'there is no set of architectures "{name}"{hint}; sets are {", ".join(SETS)}')
    return SETS[name]


def _from_file(path: Path) -> tuple[Architecture, ...]:
    """One architecture a line; empty lines and what follows a # are skipped."""
    lines = read_text(path, "the list of architectures").splitlines()
    found = []
    for number, line in enumerate(lines, start=1):
        if text := line.partition("#")[0].strip():
            try:
                found.append(Architecture.parse(text))
            except InputError as error:
                raise InputError(f"{path}, line {number}: {error}") from None
    if not found:
        raise InputError(f"{path} names no architecture")
    return tuple(found)
