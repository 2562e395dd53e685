"""`restart`: fresh weights every loop, the control for keeping what was learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.base import Evidence, LoopContext, Mode
from frustration.protocols import AnyNetwork


@dataclass(frozen=True, kw_only=True)
class Restart(Mode):
    """Every candidate starts from fresh random weights; the best of so many one-epoch runs is kept."""

    name: ClassVar[str] = "restart"
    control: ClassVar[bool] = True
    damages: ClassVar[bool] = True

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        candidate.vector[...] = candidate.shape.initial(context.stream("init"))
        return {"fresh_weights": True}
