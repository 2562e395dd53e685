"""Paired trials, such as two modes that share weights and batch orders: test and interval of the difference.

Under the null hypothesis each pair could as well have come out the other way round, so every sign of a
difference is as likely as its opposite. All 2^n sign patterns are counted: no distribution is assumed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final, Literal

import numpy as np
from numpy.typing import ArrayLike

from frustration.statistics.distributions import t_quantile
from frustration.statistics.inputs import Array, count, drawn_with, finite, fraction
from frustration.statistics.results import Estimate, Significance

Alternative = Literal["two-sided", "greater", "less"]

EXACT_PAIRS: Final = 30
"""All sign patterns are counted up to here (two halves of 2^15 sums); beyond, flips are drawn."""
EXACT_SUBSETS: Final = 20
"""All subsets are listed up to here for the interval."""
DRAWS: Final = 99_999
BATCH: Final = 2_000
"""Draws that are added up at a time: their sums stay in the processor's cache."""
TIE: Final = 1e-9
"""Sums closer than this part of the sum of all |differences| are equal: the same percents differ in the last
bits of a float (1e-16), different percents of 10,000 images by more than 1e-6."""
_CHOSEN: Final = np.array([[byte >> bit & 1 for bit in range(8)] for byte in range(256)], dtype=np.float64)
"""Which of eight pairs each value of a byte chooses, (256, 8)."""


def sign_flip(
    differences: ArrayLike,
    *,
    alternative: Alternative = "two-sided",
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Significance:
    """Sign-flip test of the mean of `differences` (pairs,), treatment minus control.

    Exact up to 30 pairs that differ; a pair that does not differ is the same under both signs and changes
    nothing. Above 30 it needs a generator, and p = (1 + as extreme) / (1 + draws), which never is too small.
    """
    values = finite(differences, "differences")
    nonzero = values[np.abs(values) > TIE * np.abs(values).sum()]
    both = alternative == "two-sided"
    toward = -nonzero if (alternative == "less" or (both and nonzero.sum() < 0)) else nonzero
    exact = nonzero.size <= EXACT_PAIRS
    if exact:
        share = _share_as_large(toward)
    else:
        generator = drawn_with(generator, f"the signs of {nonzero.size} pairs are too many to count")
        share = _drawn_share(toward, generator, count(draws, "draws"), both)
    sides = 2.0 if both else 1.0
    smallest = min(1.0, sides * 0.5**nonzero.size)
    return Significance(
        p=min(1.0, sides * share) if exact else share,
        smallest_p=smallest if exact else max(smallest, 1.0 / (draws + 1)),
        n=values.size,
        informative=nonzero.size,
        effect=float(values.mean()),
        method=f"{'exact' if exact else 'random'} sign flips, {alternative}",
        paired=True,
        draws=None if exact else draws,
    )


def _share_as_large(values: Array) -> float:
    """Share of all 2^n sign patterns whose sum is at least the observed one, counted as left + right half."""
    half = values.size // 2
    left, right = _signed_sums(values[:half]), np.sort(_signed_sums(values[half:]))
    needed = values.sum() - TIE * np.abs(values).sum() - left
    return float(np.mean(right.size - np.searchsorted(right, needed))) / right.size


def _signed_sums(values: Array) -> Array:
    """The sums of all sign patterns, shape (2^n,)."""
    sums = np.zeros(1)
    for value in values:
        sums = np.concatenate([sums + value, sums - value])
    return sums


def _drawn_share(values: Array, generator: np.random.Generator, draws: int, both: bool) -> float:
    signed = drawn_sums(2.0 * values[:, None], draws, generator)
    sums = np.concatenate([some[:, 0] for some in signed]) - values.sum()
    sums = np.abs(sums) if both else sums
    extreme = int(np.count_nonzero(sums >= values.sum() - TIE * np.abs(values).sum()))
    return (1.0 + extreme) / (1.0 + draws)


def drawn_sums(values: Array, draws: int, generator: np.random.Generator) -> Iterator[Array]:
    """Sums of `values` (pairs, columns) over random subsets of the pairs, in pieces (some draws, columns).

    A byte chooses among eight pairs, and their 256 sums are added up once: a sum of 2,500 pairs takes 313
    steps. Multiplying a matrix of random signs took ten times as long (3 s for 99,999 draws).
    """
    padded = np.concatenate([values, np.zeros((-len(values) % 8, values.shape[1]))])
    tables = _CHOSEN @ padded.reshape(-1, 8, values.shape[1])
    for start in range(0, draws, BATCH):
        rows = min(BATCH, draws - start)
        sums = np.zeros((rows, values.shape[1]))
        chosen = np.frombuffer(generator.bytes(rows * len(tables)), np.uint8).reshape(len(tables), rows)
        for table, which in zip(tables, chosen, strict=True):
            sums += table.take(which, axis=0)
        yield sums


def trials_to_reach(p: float) -> int:
    """The fewest pairs with which a two-sided sign-flip test can give `p` or less."""
    return 1 + max(0, math.ceil(-math.log2(fraction(p, "p")) - 1e-9))


def t_interval(differences: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of `differences` (pairs,) with Student's interval; unbounded for one pair."""
    values = finite(differences, "differences")
    n, mean = values.size, float(values.mean())
    if n == 1:
        half = math.inf
    else:
        half = t_quantile((1.0 + fraction(level, "level")) / 2.0, n - 1) * float(values.std(ddof=1)) / n**0.5
    return Estimate(value=mean, low=mean - half, high=mean + half, level=level, n=n, method="t interval")


def sign_flip_interval(
    differences: ArrayLike,
    *,
    level: float = 0.95,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Estimate:
    """Mean of `differences` (pairs,) with all the values that `sign_flip` does not reject at 1 - level.

    Unbounded where the test can reject nothing: at level 0.95 below 6 pairs. Above 20 pairs it needs a
    generator.
    """
    values = finite(differences, "differences")
    return invert_sign_flips(values, np.ones(values.size), level=level, generator=generator, draws=draws)


def invert_sign_flips(
    sums: Array,
    weights: Array,
    *,
    level: float,
    generator: np.random.Generator | None,
    draws: int,
) -> Estimate:
    """The values m for which `sums - m * weights`, both (pairs,), pass the sign-flip test.

    Flipping the signs of a subset raises the sum exactly where the subset's own sum(sums) / sum(weights)
    is below m. So the interval's ends are order statistics of the ratios of all subsets (Hartigan 1969).
    """
    if sums.size <= EXACT_SUBSETS:
        ratios = _subset_sums(sums)[1:] / _subset_sums(weights)[1:]
    else:
        generator = drawn_with(generator, f"the subsets of {sums.size} pairs are too many to list")
        ratios = _drawn_ratios(sums, weights, generator, count(draws, "draws"))
    rank = outside(level, ratios.size)
    if rank == 0:
        low, high = -math.inf, math.inf
    else:
        ends = np.partition(ratios, (rank - 1, ratios.size - rank))
        low, high = float(ends[rank - 1]), float(ends[ratios.size - rank])
    value = float(sums.sum() / weights.sum())
    method = "inverted sign-flip test"
    return Estimate(value=value, low=low, high=high, level=level, n=sums.size, method=method)


def _subset_sums(values: Array) -> Array:
    """The sums of all subsets along the last axis, (…, n) -> (…, 2^n), the empty one first."""
    sums = np.zeros((*values.shape[:-1], 1))
    for pair in range(values.shape[-1]):
        sums = np.concatenate([sums, sums + values[..., pair, None]], axis=-1)
    return sums


def subset_means(values: Array) -> Array:
    """The means of all subsets but the empty one along the last axis, (…, n) -> (…, 2^n - 1)."""
    return np.asarray(_subset_sums(values)[..., 1:] / _subset_sums(np.ones(values.shape[-1]))[1:])


def outside(level: float, subsets: int) -> int:
    """How many of the ratios of all nonempty subsets lie beyond each end of the interval."""
    return math.floor((1.0 - fraction(level, "level")) / 2.0 * (subsets + 1) + 1e-9)


def _drawn_ratios(sums: Array, weights: Array, generator: np.random.Generator, draws: int) -> Array:
    drawn = np.concatenate(list(drawn_sums(np.stack([sums, weights], axis=1), draws, generator)))
    drawn = drawn[drawn[:, 1] > 0.0]
    return np.asarray(drawn[:, 0] / drawn[:, 1])
