"""A metric: its name, its unit, which direction is better, and the score of chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, Self

from frustration.errors import InputError

PERCENT: Final = "%"
POINTS: Final = "points"


@dataclass(frozen=True)
class Metric:
    """`Metric("ROUGE-L", unit="points", better="higher")`."""

    name: str = "accuracy"
    unit: str = PERCENT
    better: Literal["higher", "lower"] = "higher"
    chance: float | None = None
    """The best score of a network that has learnt nothing; None where nobody knows."""
    margin: float | None = None
    """The smallest difference that matters; None: the report's own where scores are in points, else none."""

    def __post_init__(self) -> None:
        if self.better not in ("higher", "lower"):
            raise InputError(f'metric {self.name}: better is "higher" or "lower", not {self.better!r}')

    @property
    def sign(self) -> int:
        """What a difference is multiplied by to be positive where the first score is better."""
        return 1 if self.better == "higher" else -1

    @property
    def in_points(self) -> bool:
        """Whether differences are points, of a percentage or of whatever is counted in points."""
        return self.unit in (PERCENT, POINTS)

    def column(self, what: str) -> str:
        """`bounty %`: the head of a column of scores."""
        return f"{what} {self.unit}".rstrip()

    def margin_or(self, points: float) -> float | None:
        """The margin, or so many points where scores are counted in them; None where nobody knows one."""
        return points if self.margin is None and self.in_points else self.margin

    def beats(self, score: float, other: float) -> bool:
        """Whether a score is better than another."""
        return score > other if self.better == "higher" else score < other

    def for_schedule(self, score: float) -> float:
        """A score on the scale of growth schedules: shares, not percent, as the library has it."""
        return score / 100 if self.unit == PERCENT else score

    def to_dict(self) -> dict[str, Any]:
        fields = {"name": self.name, "unit": self.unit, "better": self.better, "chance": self.chance}
        return fields if self.margin is None else {**fields, "margin": self.margin}

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Self:
        return cls(**fields)


ACCURACY: Final = Metric()
"""Of a SimpleMLP: validation or test accuracy in percent. What chance scores depends on the data set."""
