"""`decay`: decoupled weight decay, as AdamW applies it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from frustration.modes.base import EpochSettings, Evidence, Mode, non_negative


@dataclass(frozen=True, kw_only=True)
class Decay(Mode):
    """AdamW's weight decay: before each step every weight is multiplied by 1 - lr * weight_decay.

    At the published settings (1e-4 * 1e-4) that factor rounds to exactly 1 in float32: the treatment
    does nothing, and is reported as inert.
    """

    name: ClassVar[str] = "decay"
    dose_knob: ClassVar[str] = "weight_decay"
    weight_decay: float = field(default=1e-4, metadata={"read": non_negative})

    def training(self, settings: EpochSettings) -> EpochSettings:
        return dataclasses.replace(settings, weight_decay=self.weight_decay)

    def training_evidence(self, settings: EpochSettings) -> Evidence:
        return {"factor": decay_factor(settings)}

    def idle(self, settings: EpochSettings, loops: int) -> bool:
        return decay_factor(self.training(settings)) == 1.0

    def acted(self, evidence: Evidence) -> bool:
        return bool(evidence.get("factor", 1.0) != 1.0)


def decay_factor(settings: EpochSettings) -> float:
    """What every weight is multiplied by before each step, rounded as float32 rounds it."""
    return float(np.float32(1 - settings.learning_rate * settings.weight_decay))
