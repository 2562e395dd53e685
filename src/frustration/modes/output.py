"""`output`: persistent stochastic ablation of output units."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.ablation import Ablation
from frustration.protocols import Role


@dataclass(frozen=True, kw_only=True)
class Output(Ablation):
    """Draw an output unit; zero its weights and bias."""

    name: ClassVar[str] = "output"
    role: ClassVar[Role] = "output"
