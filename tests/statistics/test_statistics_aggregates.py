"""Many architectures in one number: rliable's, with intervals that hold where batch orders are shared."""

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from rliable import library, metrics

from frustration.errors import InputError
from frustration.statistics.aggregates import (
    average_probability_of_improvement,
    bootstrap_band,
    bootstrap_interval,
    iqm,
    performance_profile,
)

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(80)
SHAPES = st.tuples(st.integers(1, 6), st.integers(1, 7))


def scores(shape, seed, *, ties=False):
    values = np.random.default_rng(seed).normal(90, 3, shape)
    return np.round(values) if ties else values


@given(SHAPES, st.integers(0, 99), st.booleans())
def test_the_interquartile_mean_is_that_of_rliable_and_scipy(shape, seed, ties):
    values = scores(shape, seed, ties=ties)
    assert iqm(values) == pytest.approx(metrics.aggregate_iqm(values.T))
    assert iqm(values) == pytest.approx(scipy.stats.trim_mean(values, 0.25, axis=None))


@given(SHAPES, st.integers(0, 99), st.booleans())
def test_the_performance_profile_is_that_of_rliable(shape, seed, ties):
    values, thresholds = scores(shape, seed, ties=ties), np.arange(80.0, 100.0)
    expected = library.score_distributions(values.T, thresholds)
    assert performance_profile(values, thresholds) == pytest.approx(expected)


@given(st.integers(1, 5), st.integers(1, 6), st.integers(1, 6), st.integers(0, 99))
def test_the_probability_of_improvement_is_that_of_rliable(architectures, m, n, seed):
    x, y = scores((architectures, m), seed, ties=True), scores((architectures, n), seed + 1, ties=True)
    expected = metrics.probability_of_improvement(x.T, y.T)
    assert average_probability_of_improvement(x, y) == pytest.approx(expected)
    assert average_probability_of_improvement(y, x) == pytest.approx(1 - expected)


def test_without_shared_batch_orders_the_interval_is_rliables_but_for_its_expansion():
    values = scores((8, 40), 1)
    rng_state = np.random.get_state()  # noqa: NPY002  (rliable draws from the global generator)
    np.random.seed(1)  # noqa: NPY002
    try:
        _, ends = library.get_interval_estimates(
            {"arm": values.T}, lambda s: np.array([iqm(s.T)]), reps=4_000
        )
    finally:
        np.random.set_state(rng_state)  # noqa: NPY002
    ours = bootstrap_interval(iqm, values, generator=np.random.default_rng(1), joint=False, resamples=4_000)
    low, high = ends["arm"].ravel()
    assert (ours.low, ours.high) == pytest.approx((low, high), abs=0.05)
    assert ours.high - ours.low > 0.97 * (high - low)


def test_the_expanded_interval_of_a_mean_is_students():
    values = RNG.normal(size=(1, 10))
    ours = bootstrap_interval(np.mean, values, generator=np.random.default_rng(2), resamples=20_000)
    half = scipy.stats.t.ppf(0.975, 9) * scipy.stats.sem(values[0])
    assert ours.high - ours.low == pytest.approx(2 * half, rel=0.06)


@pytest.mark.parametrize("shared", [0.0, 2.0])
def test_joint_intervals_of_ten_trials_cover_whatever_the_architectures_share(shared):
    rng = np.random.default_rng(81)
    level = np.linspace(-3, 3, 8)[:, None]
    truth = iqm(level + math.hypot(1.0, shared) * rng.normal(size=(8, 50_000)))
    covered = []
    for _ in range(200):
        values = level + shared * rng.normal(size=10) + rng.normal(size=(8, 10))
        covered.append(not bootstrap_interval(iqm, values, generator=rng, resamples=400).excludes(truth))
    assert np.mean(covered) >= 0.91  # with 2,000 resamples 0.95; with 2.0 shared and joint=False 0.52


def test_arms_of_one_trial_are_drawn_together():
    """Where both arms share their noise, their difference has none."""
    x = RNG.normal(size=(5, 10))
    difference = bootstrap_interval(lambda a, b: float(np.mean(a - b)), x + 1.0, x, generator=RNG)
    assert (difference.low, difference.high) == pytest.approx((1.0, 1.0))
    apart = bootstrap_interval(
        lambda a, b: float(np.mean(a) - np.mean(b)), x + 1.0, x, generator=RNG, joint=False
    )
    assert apart.low < 0.9 < 1.1 < apart.high


def test_a_profile_has_a_band_around_it():
    values, thresholds = scores((6, 10), 3), np.linspace(80, 100, 9)
    band = bootstrap_band(lambda s: performance_profile(s, thresholds), values, generator=RNG, resamples=300)
    assert band.value == pytest.approx(performance_profile(values, thresholds))
    assert band.low.shape == band.high.shape == (9,)
    assert np.all((band.low <= band.value) & (band.value <= band.high))


def test_the_generator_decides_everything():
    values = scores((4, 10), 5)
    first, second, other = (
        bootstrap_interval(iqm, values, generator=np.random.default_rng(seed), resamples=50)
        for seed in (1, 1, 2)
    )
    assert first == second != other


def test_one_trial_sets_no_bounds_and_equal_scores_no_width():
    alone = bootstrap_interval(iqm, [[90.0], [80.0]], generator=RNG)
    assert (alone.value, alone.low, alone.high) == (85.0, -np.inf, np.inf)
    equal = bootstrap_interval(iqm, np.full((3, 10), 11.02), generator=RNG, resamples=20)
    assert equal.low == pytest.approx(11.02)
    assert equal.high == pytest.approx(11.02)


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: iqm([90.0, 91.0]), r"scores: shape \(2,\); expected numbers along 2 axes"),
        (lambda: iqm([[90.0, np.nan]]), r"scores: 1 of 2 values are not finite, the first at \[0, 1\]"),
        (lambda: iqm([[90.0], [91.0, 92.0]]), "scores: not a rectangle of numbers"),
        (lambda: performance_profile([[90.0]], []), "thresholds: shape"),
        (
            lambda: average_probability_of_improvement([[1.0]], [[1.0], [2.0]]),
            "1 architectures under treatment, 2 under control",
        ),
        (
            lambda: bootstrap_interval(
                average_probability_of_improvement, [[1.0, 2.0]], [[1.0]], generator=RNG
            ),
            "trials can be drawn jointly from equal shapes only",
        ),
    ],
)
def test_what_does_not_fit_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
