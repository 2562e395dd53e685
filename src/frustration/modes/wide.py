"""`wide@K`: a plain network with as many parameters as K dendrites would give, from the first loop on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from frustration.errors import InputError
from frustration.modes.base import Mode, ModeError
from frustration.protocols import AnyShape


def _at_least_one(text: Any) -> int:
    number = int(text)
    if not 1 <= number <= 100:
        raise ValueError("must be a number of dendrites from 1 to 100")
    return number


@dataclass(frozen=True, kw_only=True)
class Wide(Mode):
    """Plain training of a network widened to the parameters of K dendrites on every unit: `wide@2`."""

    name: ClassVar[str] = "wide"
    control: ClassVar[bool] = True
    controls: ClassVar[tuple[str, ...]] = ("plain", "early-stop")
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist"
    widens: ClassVar[bool] = True

    dendrites: int = field(default=1, metadata={"read": _at_least_one})

    def label(self) -> str:
        return f"wide@{self.dendrites}"

    def check(self, shape: AnyShape) -> None:
        try:
            shape.widened(self.dendrites)
        except InputError as error:
            raise ModeError(f'mode "wide" has nothing to widen: {error}') from None

    def widened(self, shape: AnyShape) -> AnyShape:
        return shape.widened(self.dendrites)
