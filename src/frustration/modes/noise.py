"""`noise`: as much disturbance as `hidden` causes, without its aim: the control of *where* damage falls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from frustration.modes.base import Evidence, LoopContext
from frustration.modes.hidden import Hidden
from frustration.protocols import AnyNetwork


@dataclass(frozen=True, kw_only=True)
class Noise(Hidden):
    """Add Gaussian noise to all weights, with the norm of what the matching `hidden` draw would remove."""

    name: ClassVar[str] = "noise"

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        spared = candidate.copy()
        removed = super().intervene(spared, context).get("removed", 0.0)
        if removed == 0.0:
            return {}
        noise = context.stream("noise").normal(candidate.shape.size)
        noise *= removed / float(np.sqrt(np.sum(np.square(noise))))
        candidate.vector += noise.astype(np.float32)
        return {"norm": removed}

    def acted(self, evidence: Evidence) -> bool:
        return bool(evidence.get("norm", 0.0) > 0.0)
