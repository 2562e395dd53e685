"""What a study of this size can find, and how many more trials a finding would take.

Power is that of Student's t test, which at these sizes is that of the sign-flip and close to that of the
rank-sum test (docs/statistics.md); on top, no answer asks for an n at which the exact tests could not
reject at all. For a family of m, pass alpha / m: that is the hardest step of Holm.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics import paired as paired_tests
from frustration.statistics import unpaired as unpaired_tests
from frustration.statistics.distributions import bisect, normal_quantile, t_test_power
from frustration.statistics.inputs import count, finite, fraction

MOST_TRIALS = 1_000_000


def power(effect: float, sd: float, n: int, *, alpha: float = 0.05, paired: bool = True) -> float:
    """The chance to find a true mean difference of `effect` with n pairs whose differences have this sd.

    With `paired=False`: with n trials in each of two groups that have this sd each. 0 where n is too small
    for the exact test to reject.
    """
    if count(n, "n") < _fewest(alpha, paired):
        return 0.0
    if _checked(sd) == 0.0:
        return 1.0 if effect else 0.0
    shift = abs(effect) / sd * math.sqrt(n if paired else n / 2.0)
    return t_test_power(shift, n - 1 if paired else 2 * n - 2, alpha)


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
    df = n - 1 if paired else 2 * n - 2
    high = 1.0
    while t_test_power(high, df, alpha) < wanted:
        high *= 2.0
    shift = bisect(lambda trial: t_test_power(trial, df, alpha) - wanted, 0.0, high)
    return max(0.0, shift) * sd / math.sqrt(n if paired else n / 2.0)


def trials_needed(
    effect: float, sd: float, *, alpha: float = 0.05, power: float = 0.8, paired: bool = True
) -> int | None:
    """The fewest pairs (or trials per group) that find `effect` with this power; None above a million."""
    if effect == 0.0:
        raise InputError("effect: 0; no number of trials finds that, ask for equivalence instead")

    def enough(n: int) -> bool:
        return minimum_detectable_effect(sd, n, alpha=alpha, power=power, paired=paired) <= abs(effect)

    high = fewest = _fewest(alpha, paired)
    while not enough(high):
        high *= 2
        if high > MOST_TRIALS:
            return None
    low = max(fewest - 1, high // 2 if high > fewest else 0)
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

    @property
    def more_at_most(self) -> int | None:
        return None if self.needed_at_most is None else max(0, self.needed_at_most - self.n)


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


def _upper_sd(sd: float, df: int, level: float = 0.8) -> float:
    """The upper end of a one-sided interval of a standard deviation (chi-square by Wilson and Hilferty)."""
    step = 2.0 / (9.0 * df)
    chi_square = df * max(1e-3, 1.0 - step + normal_quantile(1.0 - level) * math.sqrt(step)) ** 3
    return sd * math.sqrt(df / chi_square)


def _fewest(alpha: float, paired: bool) -> int:
    """A t test needs two trials, the exact test as many as its smallest p asks for."""
    return max(2, paired_tests.trials_to_reach(alpha) if paired else unpaired_tests.trials_to_reach(alpha))


def _checked(sd: float) -> float:
    if not 0.0 <= sd < math.inf:
        raise InputError(f"sd: {sd}; wanted is a number of 0 or more")
    return sd
