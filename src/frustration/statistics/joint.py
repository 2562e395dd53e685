"""Claims over many architectures, whose trials of one number share batch orders and so are not independent.

Hence the trial number is the unit: all architectures of a trial flip their sign together, and n is the
number of trials, however many architectures there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from frustration.errors import InputError
from frustration.statistics.inputs import Array, count, drawn_with, finite, numbers
from frustration.statistics.paired import DRAWS, TIE, drawn_sums, invert_sign_flips, sign_flip
from frustration.statistics.results import Estimate, Significance

EXACT_TRIALS: Final = 15
"""All sign patterns are counted up to here where architectures have to be looked at one by one."""


def joint_sign_flip(
    differences: ArrayLike,
    *,
    present: ArrayLike | None = None,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Significance:
    """Whether treatment changes the mean over architectures of `differences` (architectures, trials).

    `present`, of the same shape, is False where a trial is missing. Every architecture counts alike.
    """
    shares, _ = _by_trial(differences, present)
    return sign_flip(shares * shares.size, generator=generator, draws=draws)


def heterogeneity(
    differences: ArrayLike,
    *,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> float:
    """p of the hypothesis that all rows of `differences` (architectures, trials) have one effect.

    Each trial's departures from its own mean over architectures flip their signs together.
    """
    values = finite(differences, "differences", axes=2)
    if len(values) < 2:
        return 1.0
    departures = values - values.mean(axis=0)
    departures[np.abs(departures) <= TIE * np.abs(values).max(initial=0.0)] = 0.0
    return float(joint_step_down(departures, generator=generator, draws=draws).min())


def mean_of_rows(differences: ArrayLike, present: ArrayLike | None = None) -> Array:
    """Each trial's part in the mean over architectures, (trials,), times the number of trials."""
    values, there = _checked(differences, present)
    weights = there / there.sum(axis=1, keepdims=True) / len(values)
    return np.asarray((weights * values).sum(axis=0) * values.shape[1])


def joint_interval(
    differences: ArrayLike,
    *,
    present: ArrayLike | None = None,
    level: float = 0.95,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Estimate:
    """The mean over architectures of `differences` (architectures, trials): inverts `joint_sign_flip`."""
    sums, weights = _by_trial(differences, present)
    return invert_sign_flips(sums, weights, level=level, generator=generator, draws=draws)


def joint_step_down(
    differences: ArrayLike,
    *,
    present: ArrayLike | None = None,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Array:
    """Adjusted p of each row of `differences` (rows, trials): which of them differ, all held together.

    Westfall and Young's step-down maximum: a row's sum is measured in units of its own root of the sum of
    squares, and compared with the largest of all rows that are no larger than it, under joint sign flips.
    The smallest adjusted p is that of the hypothesis that no row differs. One row gives `sign_flip`.
    """
    values, _ = _checked(differences, present)
    if len(values) == 1:
        return np.array([sign_flip(values[0], generator=generator, draws=draws).p])
    norms = np.sqrt(np.square(values).sum(axis=1, keepdims=True))
    units = np.divide(values, norms, out=np.zeros_like(values), where=norms > 0.0)
    observed = np.abs(units.sum(axis=1))
    order = np.argsort(-observed, kind="stable")
    flipped, exact = _flipped_sums(units[order], generator, draws)
    as_large = np.zeros(len(units))
    for sums in flipped:
        scores = np.abs(sums)
        rivals = np.maximum.accumulate(scores[:, ::-1], axis=1)[:, ::-1]
        as_large += (rivals >= observed[order] - TIE * units.shape[1]).sum(axis=0)
    count_all = 2 ** (units.shape[1] - 1) if exact else draws
    p = as_large / count_all if exact else (1.0 + as_large) / (1.0 + count_all)
    adjusted = np.empty_like(p)
    adjusted[order] = np.maximum.accumulate(p)
    return adjusted


def joint_wins(
    differences: ArrayLike,
    *,
    present: ArrayLike | None = None,
    generator: np.random.Generator | None = None,
    draws: int = DRAWS,
) -> Significance:
    """Whether more architectures gain than lose: (architectures, trials) -> effect in [-1, 1].

    The effect is (gaining - losing) / all, by the sign of an architecture's mean difference. It weighs a
    small gain like a large one, so one architecture with huge differences cannot decide it.
    """
    values, there = _checked(differences, present)
    values = values[:, there.any(axis=0)]
    trials = values.shape[1]
    flipped, exact = _flipped_sums(values, generator, draws)
    score = np.abs(np.concatenate([_net_wins(sums, values) for sums in flipped]))
    (observed,) = _net_wins(values.sum(axis=1)[None], values)
    extreme = int(np.count_nonzero(score >= abs(observed)))
    return Significance(
        p=float(np.mean(score >= abs(observed))) if exact else (1 + extreme) / (1 + draws),
        smallest_p=float(np.mean(score == score.max())) if exact else 1.0 / (1 + draws),
        n=trials,
        informative=int(np.count_nonzero(np.any(values != 0.0, axis=0))),
        effect=float(observed) / values.shape[0],
        method=f"{'exact' if exact else 'random'} joint sign flips of wins, two-sided",
        paired=True,
        draws=None if exact else draws,
    )


def _flipped_sums(
    values: Array, generator: np.random.Generator | None, draws: int
) -> tuple[Iterator[Array], bool]:
    """Sums of each row of (rows, trials) under joint sign flips, (patterns, rows) each; whether of all."""
    trials = values.shape[1]
    if trials <= EXACT_TRIALS:
        return iter([_sign_patterns(trials) @ values.T]), True
    drawn = drawn_with(generator, f"the signs of {trials} trials are too many to count")
    total = values.sum(axis=1)
    return (2.0 * some - total for some in drawn_sums(values.T, count(draws, "draws"), drawn)), False


def _net_wins(sums: Array, values: Array) -> Array:
    """(patterns, rows) sums of signed (rows, trials) values -> gaining minus losing, (patterns,)."""
    sums = np.where(np.abs(sums) <= TIE * np.abs(values).sum(axis=1), 0.0, sums)
    return np.asarray(np.sign(sums).sum(axis=1), dtype=np.float64)


def _sign_patterns(trials: int) -> Array:
    """All of them but for a common sign, which a two-sided test does not see: (2^(trials - 1), trials)."""
    bits = np.arange(2 ** (trials - 1))[:, None] >> np.arange(trials) & 1
    return np.asarray(1.0 - 2.0 * bits)


def _by_trial(differences: ArrayLike, present: ArrayLike | None) -> tuple[Array, Array]:
    """Each trial's part in the mean over architectures, and its weight, both (trials,); weights sum to 1."""
    values, there = _checked(differences, present)
    weights = there / there.sum(axis=1, keepdims=True) / len(values)
    used = there.any(axis=0)
    return (weights * values).sum(axis=0)[used], weights.sum(axis=0)[used]


def _checked(differences: ArrayLike, present: ArrayLike | None) -> tuple[Array, NDArray[np.bool_]]:
    """The differences, 0 where missing, and which are there; both (architectures, trials)."""
    raw = numbers(differences, "differences")
    there = np.ones(raw.shape, dtype=bool) if present is None else np.asarray(present, dtype=bool)
    if there.shape != raw.shape:
        raise InputError(f"present: shape {there.shape}; expected that of differences, {raw.shape}")
    values = finite(np.where(there, raw, 0.0), "differences", axes=2)
    if not there.any(axis=1).all():
        raise InputError("differences: an architecture has no trial; leave it out")
    return values, there
