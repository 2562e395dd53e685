"""`full`: persistent stochastic ablation anywhere, the output layer included."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from frustration.modes.ablation import Ablation, read_selector
from frustration.protocols import Role


@dataclass(frozen=True, kw_only=True)
class Full(Ablation):
    """Draw a linear layer, the output layer included, then a unit in it; zero its weights and bias."""

    name: ClassVar[str] = "full"
    role: ClassVar[Role] = "all"
    selector: str = field(default="layer-then-unit", metadata={"read": read_selector})
