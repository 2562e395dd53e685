"""What the ablative modes share: which units to take, and what taking them away does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from frustration.modes.base import EpochSettings, Evidence, LoopContext, Mode, ModeError
from frustration.protocols import AnyNetwork, AnyShape, Role

Dose = int | float
"""Whole: so many units. With a decimal point, in [0, 1]: that share of the eligible units."""

Unit = tuple[int, int]
"""(layer counted from 0, unit in it)."""


def read_dose(value: Any) -> Dose:
    """`3` is three units, `0.1` a tenth of them, `1.0` all."""
    text = str(value).strip()
    if text.isascii() and text.isdigit():
        return int(text)
    try:
        share = float(text)
    except ValueError:
        share = -1.0
    if not 0 <= share <= 1:
        raise ValueError("a dose is a number of units (3) or a share of them (0.1)")
    return share


def units_of(dose: Dose, eligible: int) -> int:
    """How many units a dose takes; a share above 0 takes at least one."""
    if isinstance(dose, int):
        return min(dose, eligible)
    return 0 if dose == 0 else max(1, round(dose * eligible))


def read_selector(value: Any) -> str:
    if value not in SELECTORS:
        raise ValueError(f"selectors are {', '.join(SELECTORS)}")
    return str(value)


def choose(network: AnyNetwork, role: Role, dose: Dose, selector: str, context: LoopContext) -> list[Unit]:
    """The units that a selector takes from those of a role, in the order taken.

    A larger dose takes the units of a smaller one first: doses of one loop are nested.
    """
    eligible = network.shape.eligible(role)
    count = units_of(dose, sum(len(units) for _, units in eligible))
    return SELECTORS[selector](network, eligible, count, context) if count else []


Eligible = Sequence[tuple[int, Sequence[int]]]


def _uniform(network: AnyNetwork, eligible: Eligible, count: int, context: LoopContext) -> list[Unit]:
    """Every eligible unit is equally likely."""
    left = [(layer, unit) for layer, units in eligible for unit in units]
    stream = context.stream("ablation")
    return [left.pop(stream.integer(len(left))) for _ in range(count)]


def _layer_then_unit(network: AnyNetwork, eligible: Eligible, count: int, context: LoopContext) -> list[Unit]:
    """Every layer is equally likely, then every unit in it."""
    left = [[(layer, unit) for unit in units] for layer, units in eligible]
    stream, taken = context.stream("ablation"), []
    for _ in range(count):
        units = left[stream.integer(len(left))]
        taken.append(units.pop(stream.integer(len(units))))
        left = [units for units in left if units]
    return taken


def _by_utility(sign: float) -> Callable[..., list[Unit]]:
    def ranked(network: AnyNetwork, eligible: Eligible, count: int, context: LoopContext) -> list[Unit]:
        # A unit that was ablated before has nothing left to take; its utility of 0 would win for ever.
        utility = network.utilities(context.probe)
        units = [
            (layer, unit) for layer, units in eligible for unit in units if _has_weights(network, layer, unit)
        ]
        return sorted(units, key=lambda unit: (sign * utility[unit[0]][unit[1]], unit))[:count]

    return ranked


SELECTORS: dict[str, Callable[..., list[Unit]]] = {
    "uniform": _uniform,
    "layer-then-unit": _layer_then_unit,
    "lowest-utility": _by_utility(+1.0),
    "highest-utility": _by_utility(-1.0),
}

UTILITY_SELECTORS = ("lowest-utility", "highest-utility")


def _has_weights(network: AnyNetwork, layer: int, unit: int) -> bool:
    """Whether any weight of a hidden unit, on either side, is not zero."""
    return any(np.any(part) for part in (*network.incoming(layer, unit), *network.outgoing(layer, unit)))


def ablate(network: AnyNetwork, units: Sequence[Unit], outgoing: bool) -> Evidence:
    """Zero all that drives some units, dendrites included, and, if asked, their outgoing weights."""
    removed = 0.0
    for layer, unit in units:
        parts = list(network.incoming(layer, unit))
        if outgoing:
            parts += network.outgoing(layer, unit)
        for part in parts:
            removed += float(np.sum(np.square(part, dtype=np.float64)))
            part[...] = 0.0
    named = [[network.shape.layer_name(layer), unit] for layer, unit in units]
    return {"units": named, "removed": removed**0.5} if units else {}


@dataclass(frozen=True, kw_only=True)
class Ablation(Mode):
    """A mode that zeroes the weights of some units, `dose` of them, taken by `selector`."""

    damages: ClassVar[bool] = True
    dose_knob: ClassVar[str] = "dose"
    role: ClassVar[Role] = "all"
    """Of the units that it takes."""
    outgoing: ClassVar[bool] = False
    """Whether the outgoing weights are zeroed too."""

    dose: Dose = field(default=1, metadata={"read": read_dose})
    selector: str = field(default="uniform", metadata={"read": read_selector})

    def check(self, shape: AnyShape) -> None:
        if not shape.eligible(self.role):
            raise ModeError(f'mode "{self.name}" has nothing to act on: {shape.lacks(self.role)}')
        if self.selector in UTILITY_SELECTORS and self.role != "hidden":
            raise ModeError(
                f'mode "{self.name}" cannot select by utility, for output units have no outgoing weights; '
                f'use mode "hidden", or the selector uniform or layer-then-unit'
            )

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        chosen = choose(candidate, self.role, self.dose, self.selector, context)
        return ablate(candidate, chosen, self.outgoing)

    def idle(self, settings: EpochSettings, loops: int) -> bool:
        return self.dose == 0

    def acted(self, evidence: Evidence) -> bool:
        """Something was removed that was not zero already."""
        return bool(evidence.get("removed", 0.0) > 0.0)
