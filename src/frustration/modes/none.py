"""`none`: the ratchet alone, the control of every treatment."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.base import Mode


@dataclass(frozen=True, kw_only=True)
class NoTreatment(Mode):
    """Nothing but the meta-loop: copy the LKG, train an epoch, keep it if better."""

    name: ClassVar[str] = "none"
    control: ClassVar[bool] = True
    controls: ClassVar[tuple[str, ...]] = ("plain",)
