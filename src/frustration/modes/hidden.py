"""`hidden`: persistent stochastic ablation of hidden units, with their outgoing weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.ablation import Ablation
from frustration.protocols import Role


@dataclass(frozen=True, kw_only=True)
class Hidden(Ablation):
    """Zero the incoming weights, the bias and the outgoing weights of hidden units drawn at random."""

    name: ClassVar[str] = "hidden"
    role: ClassVar[Role] = "hidden"
    outgoing: ClassVar[bool] = True
