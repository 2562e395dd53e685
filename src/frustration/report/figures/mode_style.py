"""How treatments look, in figures and on the page alike.

Colours are Okabe and Ito's, and Tol's where more than eight are needed: told apart by people with any common
colour blindness. From the ninth on no palette can promise that, so each has its own marker and dash too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

Dash = Literal["-"] | tuple[float, tuple[float, ...]]


@dataclass(frozen=True)
class Look:
    """How a mode is drawn, everywhere."""

    colour: str
    dark: str
    """The same colour on a dark page."""
    marker: str
    dash: Dash


_SOLID: Final[Dash] = "-"
_LONG: Final = (0.0, (5.0, 1.5))
_SHORT: Final = (0.0, (2.2, 1.2))
_DOTS: Final = (0.0, (1.0, 1.1))
_DASHDOT: Final = (0.0, (5.0, 1.2, 1.0, 1.2))

KNOWN: Final = {
    "none": Look("#000000", "#F0F0F0", "o", _SOLID),
    "decay": Look("#7F7F7F", "#A3A3A3", "s", _DOTS),
    "dropout": Look("#56B4E9", "#8FD8FF", "D", _LONG),
    "full": Look("#E69F00", "#F0B429", "^", _SOLID),
    "hidden": Look("#0072B2", "#4C93F0", "v", _SOLID),
    "output": Look("#D55E00", "#F07F3C", "P", _SOLID),
    "noise": Look("#CC79A7", "#DD9AC0", "X", _SHORT),
    "plain": Look("#882255", "#D46A9F", "h", _DASHDOT),
    "dendrites": Look("#009E73", "#2FC49B", "*", _SOLID),
    "restart": Look("#999933", "#C4C45A", "d", _SHORT),
    "early-stop": Look("#44AA99", "#62CDBB", "p", _DASHDOT),
    "reset": Look("#332288", "#9A8CE8", "<", _DASHDOT),
}
_SPARE: Final = (
    Look("#5C4033", "#B08D7C", ">", _LONG),  # brown before purples: beside noise and plain it is no third one
    Look("#117733", "#4FB573", "8", _LONG),
    Look("#B8860B", "#DDB347", "s", _SHORT),
    Look("#CC6677", "#E58A99", "H", _SHORT),
    Look("#AA4499", "#D17BC3", "D", _DOTS),
)


def looks_of(modes: Iterable[str]) -> dict[str, Look]:
    """A look for every mode: its own where it has one, else what the others leave over."""
    names = list(modes)
    taken = {name: KNOWN[name] for name in names if name in KNOWN}
    free = [look for look in (*_SPARE, *KNOWN.values()) if look not in taken.values()] or list(_SPARE)
    rest = [name for name in names if name not in taken]
    return {**taken, **{name: free[i % len(free)] for i, name in enumerate(rest)}}
