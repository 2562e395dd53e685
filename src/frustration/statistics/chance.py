"""Networks that never learn, and cells in which only some trials learn.

The level of chance is ZeroR, the accuracy of always naming the largest class. Compare like with like: the
bounty with ZeroR of validation, the accuracy of the LKG on test with ZeroR of test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frustration.errors import InputError
from frustration.statistics.distributions import binomial_tails, normal_quantile
from frustration.statistics.inputs import count, finite, fraction
from frustration.statistics.paired import t_interval
from frustration.statistics.results import Estimate


def chance_threshold(zero_r: float, images: int, *, alpha: float = 0.05, comparisons: int = 1) -> float:
    """The accuracy (percent) from which on a network is better than chance.

    A network that knows nothing still scores above ZeroR (percent) now and then: on `images` images its score
    is binomial. It reaches the threshold with a probability of at most alpha / comparisons. Above 100 where
    the images are too few for any score to tell.
    """
    tails = binomial_tails(count(images, "images"), fraction(zero_r / 100.0, "zero_r / 100"))
    rare = tails <= fraction(alpha, "alpha") / count(comparisons, "comparisons")
    return 100.0 * int(np.argmax(rare)) / images


def chance_mask(
    accuracies: Sequence[ArrayLike], zero_r: float, images: int, *, looks: int = 1, alpha: float = 0.05
) -> NDArray[np.bool_]:
    """Which architectures never beat chance, (architectures,): True where no trial does.

    `accuracies` holds per architecture the percents of all its trials, all modes together, in one list.
    `looks` is how often each trial was measured to get its number: 1 for the LKG on test, the number of
    loops for the bounty, which is the best of so many. An architecture that knows nothing passes with a
    probability of at most alpha, over all its trials and looks.
    """
    masked = []
    for architecture, trials in enumerate(accuracies):
        values = finite(trials, f"accuracies of architecture {architecture}")
        comparisons = values.size * count(looks, "looks")
        threshold = chance_threshold(zero_r, images, alpha=alpha, comparisons=comparisons)
        masked.append(not np.any(values >= threshold - 1e-9))  # accuracies are k / images in floats
    return np.array(masked, dtype=bool)


@dataclass(frozen=True, kw_only=True)
class Success:
    """How often a cell (architecture and mode) takes off, and how well those trials do that did."""

    rate: Estimate
    """Share of trials at or above the threshold, with Wilson's interval."""
    successes: int
    conditional: Estimate | None
    """Mean of these trials, with a t interval; None where there is none."""

    @property
    def bimodal(self) -> bool:
        """Some trials took off and some did not: the mean of all describes neither."""
        return 0 < self.successes < self.rate.n


def success(accuracies: ArrayLike, threshold: float, *, level: float = 0.95) -> Success:
    """The success rate of the trials (trials,) of a cell against `threshold`, all in percent."""
    values = finite(accuracies, "accuracies")
    return success_of(values, values >= threshold - 1e-9, level=level)


def success_of(values: NDArray[np.float64], learns: NDArray[np.bool_], *, level: float = 0.95) -> Success:
    """The success rate of trials (trials,) of which it is known which of them learn."""
    passed = values[learns]
    return Success(
        rate=wilson(passed.size, values.size, level=level),
        successes=passed.size,
        conditional=t_interval(passed, level=level) if passed.size else None,
    )


def wilson(successes: int, n: int, *, level: float = 0.95) -> Estimate:
    """`successes` of `n` as a share, with Wilson's score interval."""
    if not 0 <= successes <= count(n, "n"):
        raise InputError(f"successes: {successes} of {n}; expected 0 to {n}")
    z = normal_quantile((1.0 + fraction(level, "level")) / 2.0)
    share = successes / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    low = 0.0 if successes == 0 else max(0.0, middle - half)
    high = 1.0 if successes == n else min(1.0, middle + half)
    return Estimate(value=share, low=low, high=high, level=level, n=n, method="Wilson's score interval")
