"""`cbp`: continual backpropagation (Dohare et al., Loss of Plasticity in Deep Continual Learning, 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from frustration.modes.ablation import Unit
from frustration.modes.base import LoopContext, non_negative
from frustration.modes.renewal import Renewal
from frustration.protocols import AnyNetwork, Vector


@dataclass(frozen=True, kw_only=True)
class Cbp(Renewal):
    """Ordinary training; a small share of each layer's least useful hidden units starts again and again.

    `rate` is the share of a layer that is renewed per optimizer step, as the paper gives it. What falls due
    during an epoch is renewed before the next. The utility of a unit is its mean activation times
    the sum of its outgoing weights' magnitudes.
    """

    name: ClassVar[str] = "cbp"

    rate: float = field(default=1e-4, metadata={"read": non_negative})

    def worn_out(self, network: AnyNetwork, context: LoopContext) -> Sequence[Unit]:
        activity = network.activity(context.probe)
        worn = []
        for layer, units in network.shape.eligible("hidden"):
            utility = [activity[layer][unit] * _magnitude(network.outgoing(layer, unit)) for unit in units]
            least_first = np.argsort(utility, kind="stable")
            worn += [(layer, int(units[place])) for place in least_first[: self._due(len(units), context)]]
        return worn

    def _due(self, width: int, context: LoopContext) -> int:
        """How many units of a layer fall due in the loop before this one; fractions add up over loops."""
        each = self.rate * width * context.steps
        return min(width, int(each * (context.loop - 1)) - int(each * (context.loop - 2)))


def _magnitude(parts: Sequence[Vector]) -> float:
    return float(sum(np.abs(part, dtype=np.float64).sum() for part in parts))
