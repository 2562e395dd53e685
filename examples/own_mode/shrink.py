"""A mode of one's own: the candidate's weights shrink before each epoch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from frustration.modes import Evidence, LoopContext, Mode
from frustration.modes.base import non_negative
from frustration.protocols import AnyNetwork


@dataclass(frozen=True, kw_only=True)
class Shrink(Mode):
    """Multiply all weights of the candidate by 1 - dose."""

    name: ClassVar[str] = "shrink"
    damages: ClassVar[bool] = True
    dose_knob: ClassVar[str] = "dose"
    dose: float = field(default=0.1, metadata={"read": non_negative})

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        candidate.vector *= np.float32(1 - self.dose)
        return {"factor": 1 - self.dose} if self.dose else {}
