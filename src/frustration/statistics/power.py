"""The effects that a study of this size can detect, and the trials that a finding would need.

All answers are for normal noise and for the two-sided exact tests themselves, sign flips for paired trials
and rank sums for others: where few trials leave a test few p values to give, Student's t would promise too
much (with 10 pairs at alpha 0.05 / 15, a power of 0.80 where it is 0.55). For a family of m, pass alpha / m:
that is the hardest step of Holm.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics.distributions import bisect, normal_quantile, t_test_power
from frustration.statistics.inputs import Array, count, finite, fraction
from frustration.statistics.paired import outside, subset_means
from frustration.statistics.paired import trials_to_reach as pairs_to_reach
from frustration.statistics.unpaired import fewest_wins
from frustration.statistics.unpaired import trials_to_reach as group_to_reach

MOST_TRIALS: Final = 1_000_000
EXACT_PAIRS: Final = 14
EXACT_GROUP: Final = 30
"""Up to here the exact tests are followed through; beyond, power is that of Student's t test."""
RANK_EFFICIENCY: Final = 3.0 / math.pi
"""A rank-sum test of n trials finds under normal noise what a t test of 0.955 n finds."""
SAMPLES: Final = 4_000


def power(effect: float, sd: float, n: int, *, alpha: float = 0.05, paired: bool = True) -> float:
    """The chance to find a true mean difference of `effect` with n pairs whose differences have this sd.

    With `paired=False`: with n trials in each of two groups that have this sd each.
    """
    if _checked(sd) == 0.0:
        return float(effect != 0.0 and count(n, "n") >= _fewest(alpha, paired))
    return _power(abs(effect) / sd, count(n, "n"), fraction(alpha, "alpha"), paired)


def _power(shift: float, n: int, alpha: float, paired: bool) -> float:
    """The same for an effect in standard deviations."""
    if _is_exact(n, paired):
        needed = _needed_shifts(n, alpha, paired)
        return float(np.mean(needed < shift) + np.mean(needed < -shift))
    return t_test_power(shift * math.sqrt(_worth(n, paired)), _df(n, paired), alpha)


def minimum_detectable_effect(
    sd: float, n: int, *, alpha: float = 0.05, power: float = 0.8, paired: bool = True
) -> float:
    """The smallest true mean difference that n pairs (or n trials per group) find with this power.

    Infinite where n is too small for the exact test to reject at alpha.
    """
    wanted = fraction(power, "power")
    if count(n, "n") < _fewest(alpha, paired):
        return math.inf
    if _checked(sd) == 0.0:
        return 0.0
    return _detectable_shift(n, fraction(alpha, "alpha"), wanted, paired) * sd


@functools.lru_cache(maxsize=4096)
def _detectable_shift(n: int, alpha: float, wanted: float, paired: bool) -> float:
    """The same in standard deviations: one number for all comparisons of as many trials."""
    if _is_exact(n, paired):
        return max(0.0, float(np.quantile(_needed_shifts(n, alpha, paired), wanted)))
    high = 1.0
    while _power(high, n, alpha, paired) < wanted:
        high *= 2.0
    return max(0.0, bisect(lambda shift: _power(shift, n, alpha, paired) - wanted, 0.0, high))


def trials_needed(
    effect: float, sd: float, *, alpha: float = 0.05, power: float = 0.8, paired: bool = True
) -> int | None:
    """The fewest pairs (or trials per group) that find `effect` with this power; None above a million."""
    if effect == 0.0:
        raise InputError("effect: 0; no number of trials finds that, ask for equivalence instead")

    wanted, shift = fraction(power, "power"), abs(effect) / _checked(sd) if sd else math.inf

    def enough(n: int) -> bool:
        return math.isinf(shift) or _power(shift, n, alpha, paired) >= wanted

    high = fewest = _fewest(fraction(alpha, "alpha"), paired)
    while not enough(high):
        high *= 2
        if high > MOST_TRIALS:
            return None
    low = high // 2 if high > fewest else fewest - 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


@dataclass(frozen=True, kw_only=True)
class MoreTrials:
    """How many more pairs a finding would take."""

    n: int
    """Pairs there are."""
    effect: float
    sd: float
    needed: int | None
    """Pairs in all, if the standard deviation is as observed; None above a million, or if the effect is 0."""
    needed_at_most: int | None
    """The same at the upper end of the standard deviation's one-sided 80 % interval (Browne 1995)."""

    @property
    def more(self) -> int | None:
        return None if self.needed is None else max(0, self.needed - self.n)


def more_trials(
    differences: ArrayLike, *, effect: float | None = None, alpha: float = 0.05, power: float = 0.8
) -> MoreTrials | None:
    """How many more pairs than these (pairs,) would find `effect` (default: the observed mean difference).

    None for one pair, which has no standard deviation. To plan for the observed effect is optimistic where it
    was looked at because it is large: better to pass the smallest effect that would matter.
    """
    values = finite(differences, "differences")
    if values.size < 2:
        return None
    sd = float(values.std(ddof=1))
    wanted = float(values.mean()) if effect is None else effect
    if wanted == 0.0:
        return MoreTrials(n=values.size, effect=0.0, sd=sd, needed=None, needed_at_most=None)
    return MoreTrials(
        n=values.size,
        effect=wanted,
        sd=sd,
        needed=trials_needed(wanted, sd, alpha=alpha, power=power),
        needed_at_most=trials_needed(wanted, _upper_sd(sd, values.size - 1), alpha=alpha, power=power),
    )


@functools.lru_cache(maxsize=256)
def _needed_shifts(n: int, alpha: float, paired: bool) -> Array:
    """In each of many samples of standard normal noise, the true effect from which on the exact test rejects.

    A shift moves every subset's mean, and every difference between two groups, by itself. So what it has to
    make up for is one order statistic of them, the one that ends the interval of the inverted test.
    """
    if n < _fewest(alpha, paired):
        return np.full(1, math.inf)
    if paired:
        noise, rank = _normal_samples(min(SAMPLES, 2**24 >> n), n), outside(1.0 - alpha, 2**n - 1)
        parts = np.array_split(noise, max(1, noise.size >> 9))  # so that the subsets of one fit into memory
        return np.concatenate([-np.partition(subset_means(part), rank - 1)[:, rank - 1] for part in parts])
    noise, wins = _normal_samples(SAMPLES, 2 * n), fewest_wins(n, alpha)
    leads = (noise[:, :n, None] - noise[:, None, n:]).reshape(SAMPLES, n * n)
    return np.asarray(-np.partition(leads, n * n - wins, axis=1)[:, n * n - wins])


def _normal_samples(samples: int, size: int) -> Array:
    """(samples, size) standard normal numbers, the same every time.

    They are not random: a Kronecker sequence, whose coordinates step by irrational parts of 1, covers the
    cube more evenly than random points, and the normal quantile of each is taken.
    """
    golden = bisect(lambda x: x ** (size + 1) - x - 1.0, 1.0, 2.0)
    steps = golden ** -np.arange(1.0, size + 1.0)
    points = (0.5 + np.arange(1.0, samples + 1.0)[:, None] * steps) % 1.0
    return np.array([normal_quantile(point) for point in points.flat]).reshape(points.shape)


def _is_exact(n: int, paired: bool) -> bool:
    return n <= (EXACT_PAIRS if paired else EXACT_GROUP)


def _worth(n: int, paired: bool) -> float:
    """The pairs of equal standard deviation that n pairs, or n trials per group, are worth."""
    return n if paired else RANK_EFFICIENCY * n / 2.0


def _df(n: int, paired: bool) -> float:
    return n - 1.0 if paired else 2.0 * n - 2.0


def _upper_sd(sd: float, df: int, level: float = 0.8) -> float:
    """The upper end of a one-sided interval of a standard deviation (chi-square by Wilson and Hilferty)."""
    step = 2.0 / (9.0 * df)
    chi_square = df * max(1e-3, 1.0 - step + normal_quantile(1.0 - level) * math.sqrt(step)) ** 3
    return sd * math.sqrt(df / chi_square)


def _fewest(alpha: float, paired: bool) -> int:
    """The fewest trials with which the exact test can reject."""
    return pairs_to_reach(alpha) if paired else group_to_reach(alpha)


def _checked(sd: float) -> float:
    if not 0.0 <= sd < math.inf:
        raise InputError(f"sd: {sd}; expected a number of 0 or more")
    return sd
