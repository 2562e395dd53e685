"""`output`: persistent stochastic ablation of output units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.ablation import Ablation


@dataclass(frozen=True, kw_only=True)
class Output(Ablation):
    """Draw an output unit; zero its weights and bias."""

    name: ClassVar[str] = "output"

    def layers(self, depth: int) -> Sequence[int]:
        return [depth]
