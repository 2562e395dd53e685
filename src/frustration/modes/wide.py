"""`wide@K`: a plain network with as many parameters as K dendrites would give, from the first loop on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar

from frustration.architecture import MAX_WIDTH, Architecture
from frustration.modes.base import Mode, ModeError
from frustration.network import Shape


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
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist"
    widens: ClassVar[bool] = True

    dendrites: int = field(default=1, metadata={"read": _at_least_one})

    def label(self) -> str:
        return f"wide@{self.dendrites}"

    def check(self, architecture: Architecture, classes: int) -> None:
        if not architecture.hidden:
            raise ModeError('mode "wide" has nothing to widen: the architecture has no hidden layer')

    def widened(self, architecture: Architecture, features: int, classes: int) -> Architecture:
        """All hidden layers wider by one factor, as near as can be to the parameters of K dendrites."""
        grown = Shape(architecture, features, classes, (self.dendrites,) * (architecture.depth + 1))
        wanted = grown.size

        def scaled(factor: float) -> Architecture:
            widths = (min(MAX_WIDTH, max(1, round(width * factor))) for width in architecture.hidden)
            return Architecture(tuple(widths))

        low, high = 1.0, 2.0 * (self.dendrites + 1)
        while scaled(high).parameters(features, classes) < wanted and high < MAX_WIDTH:
            high *= 2
        while high - low > 1e-6:
            middle = (low + high) / 2
            low, high = (
                (middle, high) if scaled(middle).parameters(features, classes) <= wanted else (low, middle)
            )
        return min(
            (scaled(low), scaled(high)),
            key=lambda wide: abs(wide.parameters(features, classes) - wanted),
        )
