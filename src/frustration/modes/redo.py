"""`redo`: dormant hidden units are recycled (Sokar et al., The Dormant Neuron Phenomenon, 2023)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from frustration.modes.ablation import Unit
from frustration.modes.base import LoopContext, non_negative
from frustration.modes.renewal import Renewal
from frustration.protocols import AnyNetwork


@dataclass(frozen=True, kw_only=True)
class Redo(Renewal):
    """Ordinary training; before each epoch, hidden units that hardly fire start again.

    A unit is dormant where its mean activation is at most `tau` times the mean of its layer.
    """

    name: ClassVar[str] = "redo"

    tau: float = field(default=0.1, metadata={"read": non_negative})

    def worn_out(self, network: AnyNetwork, context: LoopContext) -> Sequence[Unit]:
        activity = network.activity(context.probe)
        return [
            (layer, unit)
            for layer, units in network.shape.eligible("hidden")
            for unit in units
            if activity[layer][unit] <= self.tau * activity[layer][units].mean()
        ]
