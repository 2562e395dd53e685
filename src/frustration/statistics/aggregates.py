"""Many architectures in one number, in the manner of rliable (Agarwal et al. 2021).

Scores are (architectures, trials). Architectures are strata: trials are resampled within each, never between
them. Two differences to rliable: the trials of one number share batch orders over all architectures, so they
are drawn jointly; and ten trials are too few for percentiles as they are, so the interval is widened to what
Student's t asks for.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frustration.errors import InputError
from frustration.statistics.distributions import NORMAL, t_quantile
from frustration.statistics.inputs import Array, count, finite, fraction
from frustration.statistics.results import Band, Estimate
from frustration.statistics.unpaired import pairwise_wins

RESAMPLES = 2_000


def iqm(scores: ArrayLike) -> float:
    """Interquartile mean of (architectures, trials): the mean of the middle half of all scores."""
    ordered = np.sort(finite(scores, "scores", axes=2), axis=None)
    cut = ordered.size // 4
    return float(ordered[cut : ordered.size - cut].mean())


def performance_profile(scores: ArrayLike, thresholds: ArrayLike) -> Array:
    """Share of all scores (architectures, trials) above each of `thresholds` (k,), shape (k,)."""
    ordered = np.sort(finite(scores, "scores", axes=2), axis=None)
    return 1.0 - np.searchsorted(ordered, finite(thresholds, "thresholds"), side="right") / ordered.size


def average_probability_of_improvement(treatment: ArrayLike, control: ArrayLike) -> float:
    """Mean over architectures of P(treatment above) + P(equal) / 2; each arm is (architectures, trials)."""
    x, y = finite(treatment, "treatment", axes=2), finite(control, "control", axes=2)
    if len(x) != len(y):
        raise InputError(f"{len(x)} architectures under treatment, {len(y)} under control; expected the same")
    return float(pairwise_wins(x, y).mean())


def bootstrap_band(
    statistic: Callable[..., float | Array],
    *arms: ArrayLike,
    generator: np.random.Generator,
    joint: bool = True,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Band:
    """`statistic(*arms)`, a number or array, and an interval per entry; an arm is (architectures, trials).

    joint: one draw of trial numbers serves all architectures and arms, as it must where trials of one number
    share weights or batch orders. Otherwise each architecture of each arm draws its own, as rliable does.

    The interval is Hesterberg's expanded percentile (2015): a bootstrap of n trials has a spread too small
    by sqrt((n - 1) / n) and normal instead of t tails, so percentiles further out are taken. One trial sets
    no bounds.
    """
    scores = [finite(arm, f"arm {number}", axes=2) for number, arm in enumerate(arms)]
    shapes = {arm.shape for arm in scores}
    if joint and len(shapes) != 1:
        raise InputError(
            f"arms of shapes {sorted(shapes)}; trials can be drawn jointly from equal shapes only"
        )
    n = min(arm.shape[1] for arm in scores)
    value = np.asarray(statistic(*scores), dtype=np.float64)
    method = f"bootstrap of {'trial numbers jointly' if joint else 'trials per architecture'}"
    outside = _expanded_tail(level, n, n - 1 if joint else min(map(np.size, scores)) - len(scores[0]))
    if outside == 0.0:
        unbounded = np.full(value.shape, math.inf)
        return Band(value=value, low=-unbounded, high=unbounded, level=level, n=n, method=method)
    samples = np.array([
        statistic(*_resampled(scores, generator, joint)) for _ in range(count(resamples, "resamples"))
    ])  # fmt: skip
    low, high = np.quantile(samples, [outside, 1.0 - outside], axis=0)
    return Band(value=value, low=low, high=high, level=level, n=n, method=method)


def bootstrap_interval(
    statistic: Callable[..., float],
    *arms: ArrayLike,
    generator: np.random.Generator,
    joint: bool = True,
    level: float = 0.95,
    resamples: int = RESAMPLES,
) -> Estimate:
    """`bootstrap_band` for a statistic that is one number, such as `iqm`."""
    band = bootstrap_band(
        statistic, *arms, generator=generator, joint=joint, level=level, resamples=resamples
    )
    return Estimate(
        value=float(band.value),
        low=float(band.low),
        high=float(band.high),
        level=level,
        n=band.n,
        method=band.method,
    )


def _resampled(scores: list[Array], generator: np.random.Generator, joint: bool) -> list[Array]:
    if joint:
        trials = scores[0].shape[1]
        drawn = generator.integers(0, trials, trials)
        return [arm[:, drawn] for arm in scores]
    return [np.take_along_axis(arm, _indices(arm.shape, generator), axis=1) for arm in scores]


def _indices(shape: tuple[int, ...], generator: np.random.Generator) -> NDArray[np.int64]:
    return generator.integers(0, shape[1], shape)


def _expanded_tail(level: float, n: int, df: int) -> float:
    """The share to cut off at each end so that the interval is as wide as Student's t; 0 for one trial."""
    if n == 1:
        return 0.0
    critical = t_quantile((1.0 + fraction(level, "level")) / 2.0, df)
    return NORMAL.cdf(-critical * math.sqrt(n / (n - 1)))
