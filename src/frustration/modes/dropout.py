"""`dropout`: hidden activations dropped at random while training."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import ClassVar

from frustration.modes.base import EpochSettings, Evidence, Mode, ModeError, probability
from frustration.protocols import AnyShape
from frustration.streams import dropout_threshold


@dataclass(frozen=True, kw_only=True)
class Dropout(Mode):
    """Inverted dropout after the ReLU of every hidden layer, in training only, from loop 1 on."""

    name: ClassVar[str] = "dropout"
    dose_knob: ClassVar[str] = "p"
    p: float = field(default=0.1, metadata={"read": probability})

    def check(self, shape: AnyShape) -> None:
        if not shape.eligible("hidden"):
            raise ModeError(f'mode "dropout" has nothing to act on: {shape.lacks("hidden")}')

    def training(self, settings: EpochSettings) -> EpochSettings:
        return dataclasses.replace(settings, dropout=self.p)

    def training_evidence(self, settings: EpochSettings) -> Evidence:
        return {"p": settings.dropout}

    def idle(self, settings: EpochSettings, loops: int) -> bool:
        return self.p == 0

    def acted(self, evidence: Evidence) -> bool:
        return dropout_threshold(evidence.get("p", 0.0)) > 0
