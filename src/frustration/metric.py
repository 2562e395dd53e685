"""What a score is: its name, its unit, which way is better, and what chance would score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from frustration.errors import InputError

PERCENT: Final = "%"


@dataclass(frozen=True)
class Metric:
    """`Metric("ROUGE-L", unit="points", better="higher")`."""

    name: str = "accuracy"
    unit: str = PERCENT
    better: Literal["higher", "lower"] = "higher"
    chance: float | None = None
    """What a network scores that has learnt nothing; None where nobody knows."""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise InputError(f'metric {self.name}: better is "higher" or "lower", not {self.better!r}')

    def beats(self, score: float, other: float) -> bool:
        """Whether a score is better than another."""
        return score > other if self.better == "higher" else score < other

    def for_schedule(self, score: float) -> float:
        """A score as growth schedules are told it: shares, not percent, as the library is."""
        return score / 100 if self.unit == PERCENT else score

    def to_dict(self) -> dict[str, Any]:
        return {"name": self.name, "unit": self.unit, "better": self.better, "chance": self.chance}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**fields)


ACCURACY: Final = Metric()
"""Of a SimpleMLP: validation or test accuracy in percent. What chance scores depends on the data set."""
