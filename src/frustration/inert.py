"""Why a treatment never acted, in one clause, for terminal and report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from frustration.modes.base import EpochSettings
from frustration.modes.decay import decay_factor


def why_inert(
    name: str,
    *,
    knobs: Sequence[Mapping[str, Any]],
    learning_rate: float,
    loops: int,
    growth: str | None = None,
) -> str:
    """`knobs` are those of all components, `loops` the most that a trial did, `growth` what its schedule says
    of dendrites that never came; None where none could."""
    for component in knobs:
        if name == component["mode"] == "decay" and loops:
            settings = EpochSettings(learning_rate=learning_rate, weight_decay=component["weight_decay"])
            if decay_factor(settings) == 1.0:
                product = f"{learning_rate:g} * {component['weight_decay']:g}"
                return (
                    f"its factor 1 - lr * weight_decay = 1 - {product} rounds to 1 in float32, "
                    "so that no weight was ever changed by it"
                )
    if growth is not None:
        return f"no dendrite was kept in {loops} {'loop' if loops == 1 else 'loops'}: {growth}"
    if loops == 1:
        return "only loop 1 was trained, which is never damaged"
    return "it never changed anything"
