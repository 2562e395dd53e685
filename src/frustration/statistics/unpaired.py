"""Trials that are not paired, such as ours against published ones: treatment (m,), control (n,)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from frustration.statistics.distributions import bisect, t_quantile
from frustration.statistics.inputs import Array, count, drawn_with, finite, fraction
from frustration.statistics.paired import DRAWS
from frustration.statistics.results import Estimate, Significance

FEW_PAIRS: Final = 2_500
"""Up to so many pairs, comparing all of them is quicker than ranks; both give the same number."""
EXACT_TRIALS: Final = 120
"""All divisions into two groups are counted up to this many trials together."""


def rank_sum(
    treatment: ArrayLike,
    control: ArrayLike,
    *,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Significance:
    """Two-sided rank-sum (Wilcoxon, Mann and Whitney) permutation test of treatment (m,) and control (n,).

    p is the share of divisions into groups of m and n whose rank sum is at least as far from its mean as
    the observed one. Equal values share the mean of their ranks; the divisions of these very ranks are
    counted, so ties need no correction. Exact up to 120 trials; above, it needs a generator.
    """
    x, y = finite(treatment, "treatment"), finite(control, "control")
    ranks = _doubled_ranks(np.concatenate([x, y]))
    total = ranks.size
    # The smaller group's rank sum says the same as the larger one's, and has fewer subsets.
    size, observed = (x.size, ranks[: x.size].sum()) if x.size <= y.size else (y.size, ranks[x.size :].sum())
    middle = size * (total + 1)
    distance = abs(int(observed) - middle)
    exact = total <= EXACT_TRIALS
    if exact:
        ways = _subsets_by_sum(ranks, size)
        away = np.abs(np.arange(ways.size) - middle)
        p = float(ways[away >= distance].sum() / ways.sum())
        smallest = float(ways[away == away[ways > 0].max()].sum() / ways.sum())
    else:
        generator = drawn_with(generator, f"the divisions of {total} trials are too many to count")
        sums = np.array([generator.permutation(ranks)[:size].sum() for _ in range(count(draws, "draws"))])
        p = (1 + int(np.count_nonzero(np.abs(sums - middle) >= distance))) / (1 + draws)
        smallest = 1 / (1 + draws)
    return Significance(
        p=min(1.0, p),
        smallest_p=min(1.0, smallest),
        n=min(x.size, y.size),
        informative=min(x.size, y.size) if np.ptp(ranks) else 0,
        effect=2.0 * float(pairwise_wins(x, y)) - 1.0,
        method=f"{'exact' if exact else 'random'} rank-sum permutations, two-sided",
        paired=False,
        draws=None if exact else draws,
        ties=tuple(np.unique(ranks, return_counts=True)[1].tolist()),
    )


def _doubled_ranks(values: Array) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    """Twice the mid-ranks, which are whole numbers, in the order of `values`."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(times)
    return (2 * last - times + 1)[place].astype(np.int64)


def _subsets_by_sum(ranks: np.ndarray[tuple[int], np.dtype[np.int64]], size: int) -> Array:
    """How many subsets of `size` ranks have each sum: entry s of the result counts those with sum s.

    Floats, because the counts outgrow 64 bits; below 2^53 they are exact, and above right to 15 digits.
    """
    ways = np.zeros((size + 1, int(np.sort(ranks)[ranks.size - size :].sum()) + 1))
    ways[0, 0] = 1.0
    for rank in ranks:
        if rank < ways.shape[1]:
            ways[1:, rank:] += ways[:-1, : ways.shape[1] - rank].copy()
    return np.asarray(ways[size])


def fewest_wins(n: int, p: float) -> int:
    """Of n x n pairs, how many treatment must win before `rank_sum` gives `p` or less; n * n + 1 if never."""
    ways = _subsets_by_sum(2 * np.arange(1, 2 * n + 1), n)[n * (n + 1) :: 2]  # by wins, 0 … n * n
    tail = np.cumsum(ways[::-1])[::-1] / ways.sum()
    return int(np.count_nonzero(2.0 * tail > p * (1.0 + 1e-12)))


def trials_to_reach(p: float) -> int:
    """The fewest trials per group with which a two-sided rank-sum test without ties can give `p` or less."""
    n = 1
    while 2.0 / math.comb(2 * n, n) > fraction(p, "p"):
        n += 1
    return n


def trials_to_reach_with_ties(p: float, ties: Sequence[int]) -> int | None:
    """The same where values are equal: `ties` says how often each occurs, in rising order, in all trials.

    As large a share of each is expected among more trials. None where that takes more than 60 trials per
    group, as it always does where all trials are equal.
    """
    if max(ties) == 1:
        return trials_to_reach(p)
    for n in range(1, EXACT_TRIALS // 2 + 1):
        ends = np.rint(np.cumsum(ties) * 2 * n / sum(ties)).astype(np.int64)
        counts = np.diff(ends, prepend=0)
        ways = _subsets_by_sum(np.repeat(2 * ends - counts + 1, counts), n)
        away = np.abs(np.arange(ways.size) - n * (2 * n + 1))
        if ways[away == away[ways > 0].max()].sum() / ways.sum() <= fraction(p, "p"):
            return n
    return None


def _above(x: Array, y: Array) -> Array:
    """(…, m) and (…, n) -> (…, m, n): 1 where x is above y, 1/2 where they are equal, else 0."""
    return (np.sign(x[..., :, None] - y[..., None, :]) + 1.0) / 2.0


def pairwise_wins(treatment: Array, control: Array) -> Array:
    """(…, m) and (…, n) -> (…): share of all m x n pairs in which treatment is above, equal ones half."""
    if treatment.shape[-1] * control.shape[-1] <= FEW_PAIRS:
        return np.asarray(_above(treatment, control).mean(axis=(-2, -1)))
    wins = _doubled_wins(treatment, control).sum(axis=-1)
    return np.asarray(wins / (2.0 * treatment.shape[-1] * control.shape[-1]))


def win_shares(treatment: Array, control: Array) -> Array:
    """(m,) and (n,) -> (m,): of each trial, the share of control that it is above, equal ones half."""
    return np.asarray(_doubled_wins(treatment, control) / (2.0 * control.shape[-1]))


def _doubled_wins(treatment: Array, control: Array) -> Array:
    """(…, m) and (…, n) -> (…, m): twice the number of control trials that each is above, equal ones half.

    By ranks, in m log n steps: the m x n pairs of 2,500 trials each would fill 50 MB in every resample.
    """
    rows = np.broadcast_shapes(treatment.shape[:-1], control.shape[:-1])
    trials = np.broadcast_to(treatment, (*rows, treatment.shape[-1]))
    ordered = np.broadcast_to(np.sort(control, axis=-1), (*rows, control.shape[-1]))
    wins = np.empty(trials.shape)
    for row in np.ndindex(rows):
        below = np.searchsorted(ordered[row], trials[row], side="left")
        wins[row] = below + np.searchsorted(ordered[row], trials[row], side="right")
    return wins


def mean_difference(treatment: ArrayLike, control: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of treatment (m,) minus mean of control (n,), with Welch's interval; unbounded for one trial."""
    x, y = finite(treatment, "treatment"), finite(control, "control")
    value, (error, df) = float(x.mean() - y.mean()), welch(x, y)
    critical = t_quantile((1.0 + fraction(level, "level")) / 2.0, df)
    half = math.inf if math.isinf(critical) else critical * error
    n = min(x.size, y.size)
    return Estimate(
        value=value, low=value - half, high=value + half, level=level, n=n, method="Welch's t interval"
    )


def welch(x: Array, y: Array) -> tuple[float, float]:
    """Standard error of the difference of means, and its degrees of freedom (0: it cannot be told)."""
    if min(x.size, y.size) < 2:
        return math.inf, 0.0
    a, b = float(x.var(ddof=1)) / x.size, float(y.var(ddof=1)) / y.size
    if a + b == 0.0:
        return 0.0, float(x.size + y.size - 2)
    share = a / (a + b)
    return math.sqrt(a + b), 1.0 / (share**2 / (x.size - 1) + (1.0 - share) ** 2 / (y.size - 1))


def probability_of_improvement(treatment: ArrayLike, control: ArrayLike, *, level: float = 0.95) -> Estimate:
    """P(a trial of treatment is above a trial of control) + P(equal) / 2, from (m,) and (n,).

    The interval holds all probabilities q that lie within t standard errors of the estimate, where the
    variance is Newcombe's at q (2006, method 5), or the observed one scaled to q where that is larger.
    Newcombe's stays honest where the groups do not overlap; the observed one where one of them spans the
    other.
    """
    x, y = finite(treatment, "treatment"), finite(control, "control")
    m, n = x.size, y.size
    value = float(pairwise_wins(x, y))
    observed = _observed_factor(win_shares(x, y), win_shares(-y, -x), value)
    critical = t_quantile((1.0 + fraction(level, "level")) / 2.0, m + n - 2)
    if math.isinf(critical):
        low, high = 0.0, 1.0
    else:

        def beyond(q: float) -> float:
            spare = (m + n) / 2.0 - 1.0
            newcombe = (1.0 + spare * ((1.0 - q) / (2.0 - q) + q / (1.0 + q))) / (m * n)
            return (value - q) ** 2 - critical**2 * q * (1.0 - q) * max(newcombe, observed)

        low = 0.0 if value == 0.0 else bisect(lambda q: -beyond(q), 0.0, value)
        high = 1.0 if value == 1.0 else bisect(beyond, value, 1.0)
    method = "score interval, Newcombe's or the observed variance"
    return Estimate(value=value, low=low, high=high, level=level, n=min(m, n), method=method)


def _observed_factor(of_treatment: Array, of_control: Array, value: float) -> float:
    """DeLong's variance of the mean win, over value * (1 - value); at most 1 / min(m, n).

    For each trial of treatment (m,) the share of control below it; for each of control (n,) that of treatment
    above it.
    """
    m, n = of_treatment.size, of_control.size
    bound: float = 1.0 / min(m, n)  # no two distributions have a larger one (Birnbaum and Klose 1957)
    if value in (0.0, 1.0):
        return 0.0
    if min(m, n) == 1:
        return bound
    variance = of_treatment.var(ddof=1) / m + of_control.var(ddof=1) / n
    return min(bound, float(variance) / (value * (1.0 - value)))


def cliffs_delta(treatment: ArrayLike, control: ArrayLike, *, level: float = 0.95) -> Estimate:
    """P(treatment above control) - P(below), from (m,) and (n,): 2 * probability_of_improvement - 1."""
    wins = probability_of_improvement(treatment, control, level=level)
    return Estimate(
        value=2.0 * wins.value - 1.0,
        low=2.0 * wins.low - 1.0,
        high=2.0 * wins.high - 1.0,
        level=level,
        n=wins.n,
        method=wins.method,
    )
