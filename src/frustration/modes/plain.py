"""`plain`: ordinary training, the control of the ratchet itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.base import Mode


@dataclass(frozen=True, kw_only=True)
class Plain(Mode):
    """Training without the ratchet: weights and optimizer are kept; the LKG is the best snapshot."""

    name: ClassVar[str] = "plain"
    control: ClassVar[bool] = True
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist"
