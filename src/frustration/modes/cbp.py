"""`cbp`: continual backpropagation (Dohare et al., Loss of Plasticity in Deep Continual Learning, 2024)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from frustration.modes.ablation import Unit
from frustration.modes.base import LoopContext, non_negative
from frustration.modes.renewal import Renewal, mean_activations
from frustration.network import Network


@dataclass(frozen=True, kw_only=True)
class Cbp(Renewal):
    """Ordinary training; a small share of each layer's least useful hidden units starts again and again.

    `rate` is the share of a layer that is renewed per optimizer step, as the paper gives it. What falls due
    during an epoch is renewed before the next. The utility of a unit is its mean activation times
    the sum of its outgoing weights' magnitudes.
    """

    name: ClassVar[str] = "cbp"

    rate: float = field(default=1e-4, metadata={"read": non_negative})

    def worn_out(self, network: Network, context: LoopContext) -> Sequence[Unit]:
        units = []
        for layer, fires in enumerate(mean_activations(network, context)):
            heard = np.abs(network.all_weights[layer + 1].astype(np.float64)).sum(axis=(0, 1))
            least_first = np.argsort(fires * heard, kind="stable")
            units += [(layer, int(unit)) for unit in least_first[: self._due(len(fires), context)]]
        return units

    def _due(self, width: int, context: LoopContext) -> int:
        """How many units of a layer fall due in the loop before this one; fractions add up over loops."""
        each = self.rate * width * context.steps
        return min(width, int(each * (context.loop - 1)) - int(each * (context.loop - 2)))
