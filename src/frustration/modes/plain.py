"""`plain`: ordinary training, the control of the ratchet itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.base import Mode


@dataclass(frozen=True, kw_only=True)
class Plain(Mode):
    """No ratchet: training goes on from where it is, the optimizer kept; the LKG is the best snapshot."""

    name: ClassVar[str] = "plain"
    control: ClassVar[bool] = True
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist"
