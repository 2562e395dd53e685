"""Whether two arms agree within a margin: two one-sided tests (TOST), as a reproduction needs.

A difference that is not significant is no evidence of agreement. Here the null hypothesis is that the
difference is at least the margin, and a small p says that it is not.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics.distributions import t_tail
from frustration.statistics.inputs import finite
from frustration.statistics.paired import DRAWS, sign_flip, sign_flip_interval
from frustration.statistics.results import Estimate
from frustration.statistics.unpaired import mean_difference, welch


@dataclass(frozen=True, kw_only=True)
class Equivalence:
    """The outcome of a test of equivalence."""

    p: float
    """That of the worse of the two one-sided tests."""
    smallest_p: float
    """The smallest p that so many trials can give."""
    n: int
    margin: float
    alpha: float
    difference: Estimate
    """With its interval at level 1 - 2 alpha, which lies within the margin where equivalence is shown."""
    method: str

    @property
    def equivalent(self) -> bool:
        return self.p <= self.alpha

    @property
    def verdict(self) -> str:
        """ "equivalent", "different" (the interval lies outside the margin), "undecided" or "n too small"."""
        if self.equivalent:
            return "equivalent"
        if self.smallest_p > self.alpha:
            return "n too small"
        outside = self.difference.low >= self.margin or self.difference.high <= -self.margin
        return "different" if outside else "undecided"


def paired_equivalence(
    differences: ArrayLike,
    margin: float,
    *,
    alpha: float = 0.05,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Equivalence:
    """Whether the mean of `differences` (pairs,) lies within ± margin, by two one-sided sign-flip tests."""
    values = finite(differences, "differences")
    _check(margin, alpha)
    lower = sign_flip(values + margin, alternative="greater", generator=generator, draws=draws)
    upper = sign_flip(values - margin, alternative="less", generator=generator, draws=draws)
    difference = sign_flip_interval(values, level=1.0 - 2.0 * alpha, generator=generator, draws=draws)
    return Equivalence(
        p=max(lower.p, upper.p),
        smallest_p=max(0.5**values.size, 0.0 if lower.draws is None else 1.0 / (draws + 1)),
        n=values.size,
        margin=margin,
        alpha=alpha,
        difference=difference,
        method=f"TOST by {lower.method.split(',')[0]}",
    )


def unpaired_equivalence(
    treatment: ArrayLike, control: ArrayLike, margin: float, *, alpha: float = 0.05
) -> Equivalence:
    """Whether the means of treatment (m,) and control (n,) differ by less than the margin, by Welch's t.

    A single trial in either arm has no standard error: p is 1.
    """
    x, y = finite(treatment, "treatment"), finite(control, "control")
    _check(margin, alpha)
    difference = mean_difference(x, y, level=1.0 - 2.0 * alpha)
    error, df = welch(x, y)
    distance = margin - abs(difference.value)
    if df == 0.0:
        p = smallest = 1.0
    elif error == 0.0:
        p, smallest = float(distance <= 0.0), 0.0
    else:
        p, smallest = t_tail(distance / error, df), 0.0
    return Equivalence(
        p=p,
        smallest_p=smallest,
        n=min(x.size, y.size),
        margin=margin,
        alpha=alpha,
        difference=difference,
        method="TOST by Welch's t",
    )


def _check(margin: float, alpha: float) -> None:
    if not 0.0 < margin < math.inf:
        raise InputError(f"margin: {margin}; expected a number above 0")
    if not 0.0 < alpha < 0.5:
        raise InputError(f"alpha: {alpha}; expected a number between 0 and 0.5")
