"""`ratchet`: the ratchet by name, for modes that would do without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from frustration.modes.base import Mode


@dataclass(frozen=True, kw_only=True)
class Ratchet(Mode):
    """Keep a candidate only if it beats the LKG, as in `ratchet+dendrites`; alone it is `none`."""

    name: ClassVar[str] = "ratchet"
    control: ClassVar[bool] = True
    controls: ClassVar[tuple[str, ...]] = ("plain",)
    insists: ClassVar[bool] = True
