"""The results of the tests and estimates in this package."""

from __future__ import annotations

from dataclasses import dataclass

from frustration.statistics.inputs import Array


@dataclass(frozen=True, kw_only=True)
class Significance:
    """The outcome of one test."""

    p: float
    smallest_p: float
    """The smallest p that this test could have given with these trials (their ties and zeros included)."""
    n: int
    """Pairs of trials; where trials are not paired, the size of the smaller group."""
    informative: int
    """Of these, the pairs that differ; where trials are not paired, n."""
    effect: float
    """Positive where treatment is above control: mean difference if paired, Cliff's delta if not."""
    method: str
    paired: bool
    draws: int | None = None
    """Random flips or permutations behind p; None where all of them were counted."""
    ties: tuple[int, ...] = ()
    """Of a rank-sum test: how often each value occurs in both groups together, in rising order."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A number with an interval. Infinite ends say that these trials set no bound at this level."""

    value: float
    low: float
    high: float
    level: float
    n: int
    """Pairs of trials; where trials are not paired, the size of the smaller group."""
    method: str

    def excludes(self, value: float) -> bool:
        return not self.low <= value <= self.high


@dataclass(frozen=True, kw_only=True)
class Band:
    """An array of numbers, each with an interval of its own: nothing is promised of all of them at once."""

    value: Array
    low: Array
    high: Array
    level: float
    n: int
    """Trials per architecture."""
    method: str
