"""Paired trials: the sign-flip test counts every pattern, and its interval covers what it promises."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.statistics.paired import (
    BATCH,
    drawn_sums,
    sign_flip,
    sign_flip_interval,
    t_interval,
    trials_to_reach,
)

RNG = np.random.default_rng(20)
PERCENTS = st.lists(st.integers(-60, 60).map(lambda hundredths: hundredths / 100), min_size=1, max_size=9)
SAMPLES = [
    RNG.normal(0.3, 1, 10),
    np.round(RNG.normal(0.02, 0.05, 10), 2),  # ties and zeros, as accuracies have them
    np.array([0.1, 0.2, 0.3, -0.6, 0.3]),  # sums that are equal on paper and differ as floats
    np.array([1.0, -1.0, 0.0, 0.0]),
    np.array([-2.5, -2.5, -2.5]),
]


def by_hand(differences, alternative="two-sided"):
    """All sign patterns in whole hundredths, where nothing is rounded."""
    whole = np.round(np.asarray(differences) * 100).astype(int)
    sums = np.array([np.dot(signs, whole) for signs in itertools.product((1, -1), repeat=len(whole))])
    total = whole.sum()
    extreme = {
        "two-sided": abs(sums) >= abs(total),
        "greater": sums >= total,
        "less": sums <= total,
    }
    return extreme[alternative].mean()


@pytest.mark.parametrize("alternative", ["two-sided", "greater", "less"])
@pytest.mark.parametrize("differences", SAMPLES)
def test_p_is_that_of_scipy(differences, alternative):
    expected = scipy.stats.permutation_test(
        (differences,), np.mean, permutation_type="samples", n_resamples=np.inf, alternative=alternative
    )
    ours = sign_flip(differences, alternative=alternative)
    assert ours.p == pytest.approx(min(1.0, expected.pvalue), abs=1e-12)
    assert ours.effect == pytest.approx(expected.statistic)


@given(PERCENTS, st.sampled_from(["two-sided", "greater", "less"]))
def test_p_is_exact_on_percents_with_any_ties_and_zeros(differences, alternative):
    assert sign_flip(differences, alternative=alternative).p == by_hand(differences, alternative)


@given(PERCENTS)
def test_p_lies_between_the_smallest_attainable_and_1(differences):
    test = sign_flip(differences)
    assert 0 < test.smallest_p <= test.p <= 1
    assert test.smallest_p == 2.0 ** (1 - test.informative) if test.informative else test.smallest_p == 1
    one_sided = [side * np.abs(differences) for side in (1, -1)]
    assert {sign_flip(values).p for values in one_sided} == {test.smallest_p}


@given(PERCENTS, st.randoms(use_true_random=False))
def test_p_ignores_order_unit_and_direction(differences, shuffler):
    p = sign_flip(differences).p
    shuffled = shuffler.sample(differences, len(differences))
    assert sign_flip(shuffled).p == p
    assert sign_flip([-value for value in differences]).p == p
    assert sign_flip([value / 100 for value in differences]).p == p


@given(PERCENTS, st.integers(1, 5))
def test_pairs_without_a_difference_change_nothing(differences, zeros):
    with_zeros, without = sign_flip(differences + [0.0] * zeros), sign_flip(differences)
    assert (with_zeros.p, with_zeros.smallest_p) == (without.p, without.smallest_p)
    assert (with_zeros.n, with_zeros.informative) == (without.n + zeros, without.informative)


def test_one_pair_and_identical_arms_prove_nothing():
    assert sign_flip([3.0]).p == sign_flip([3.0]).smallest_p == 1.0
    identical = sign_flip(np.zeros(10))
    assert (identical.p, identical.smallest_p, identical.informative) == (1.0, 1.0, 0)


def test_thirty_pairs_are_still_counted_and_agree_with_random_flips():
    differences = RNG.normal(0.4, 1, 30)
    exact = sign_flip(differences)
    signs = RNG.choice([-1.0, 1.0], (200_000, 30))
    drawn = np.mean(np.abs(signs @ differences) >= abs(differences.sum()))
    assert exact.draws is None
    assert exact.p == pytest.approx(drawn, abs=4 * np.sqrt(drawn / 200_000))


def test_more_pairs_need_a_generator_and_the_same_one_gives_the_same_p():
    differences = RNG.normal(0.2, 1, 45)
    with pytest.raises(InputError, match=r"45 pairs are too many to count; pass a numpy.random.Generator"):
        sign_flip(differences)
    first, second = (sign_flip(differences, generator=np.random.default_rng(7)) for _ in range(2))
    assert first == second
    assert first.smallest_p == 1 / 100_000
    assert first.p == pytest.approx(scipy.stats.ttest_1samp(differences, 0).pvalue, abs=0.01)
    one_sided = sign_flip(differences, alternative="greater", generator=np.random.default_rng(8))
    assert one_sided.p == pytest.approx(first.p / 2, abs=0.005)


def test_ten_pairs_reach_one_in_512_and_the_n_for_a_p_is_the_fewest():
    assert sign_flip(np.ones(10)).p == 1 / 512
    for p in (0.5, 0.05, 0.01, 0.05 / 5, 2.0**-9):
        n = trials_to_reach(p)
        assert sign_flip(np.ones(n)).p <= p
        assert n == 1 or sign_flip(np.ones(n - 1)).p > p


@given(PERCENTS)
def test_the_interval_holds_exactly_what_the_test_does_not_reject(differences):
    interval = sign_flip_interval(differences, level=0.75)
    values = np.array(differences)
    for shift in np.linspace(-0.7, 0.7, 15) + 0.00123:  # never an end of the interval itself
        rejected = sign_flip(values - shift).p <= 0.25
        assert interval.excludes(shift) == rejected


def test_too_few_pairs_for_the_level_set_no_bounds():
    assert sign_flip_interval(np.ones(5)).low == -np.inf
    assert sign_flip_interval(np.ones(6)).low == 1.0
    assert t_interval([0.3]).high == np.inf
    assert t_interval([0.3, 0.3]).low == t_interval([0.3, 0.3]).high == pytest.approx(0.3)


def test_the_interval_of_many_pairs_agrees_with_students():
    differences = RNG.normal(0.2, 1, 60)
    drawn, students = sign_flip_interval(differences, generator=RNG), t_interval(differences)
    assert (drawn.low, drawn.high) == pytest.approx((students.low, students.high), abs=0.02)
    with pytest.raises(InputError, match="subsets of 60 pairs"):
        sign_flip_interval(differences)


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.999])
@pytest.mark.parametrize("differences", SAMPLES)
def test_the_t_interval_is_that_of_scipy(differences, level):
    n, error = len(differences), scipy.stats.sem(differences)
    half = scipy.stats.t.ppf((1 + level) / 2, n - 1) * error
    ours = t_interval(differences, level=level)
    assert (ours.low, ours.high) == pytest.approx((differences.mean() - half, differences.mean() + half))


NOISES = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "heavy tails": lambda rng, shape: rng.standard_t(3, shape),
    "flat": lambda rng, shape: rng.uniform(-1, 1, shape),
    "whole hundredths": lambda rng, shape: np.round(rng.normal(0, 0.015, shape), 2),
    "two modes": lambda rng, shape: rng.choice([-20.0, 20.0], shape) + rng.normal(size=shape),
    "skew 1": lambda rng, shape: rng.gamma(4, size=shape) - 4,
}


@pytest.mark.parametrize("noise", NOISES)
def test_intervals_of_ten_pairs_cover_at_least_93_in_100(noise):
    samples = NOISES[noise](np.random.default_rng(93), (4_000, 10))
    for interval in (t_interval, sign_flip_interval):
        covered = np.mean([not interval(differences).excludes(0.0) for differences in samples])
        assert covered >= 0.93, interval.__name__


def test_the_test_rejects_a_true_null_no_more_often_than_it_says():
    samples = np.random.default_rng(5).standard_t(3, (4_000, 8))
    p = np.array([sign_flip(differences).p for differences in samples])
    for alpha in (0.01, 0.05, 0.2):
        assert np.mean(p <= alpha) <= alpha + 3 * np.sqrt(alpha / len(p))


@pytest.mark.parametrize("function", [sign_flip, sign_flip_interval, t_interval])
@pytest.mark.parametrize(
    "values, sentence",
    [
        ([0.1, np.nan, np.inf], r"differences: 2 of 3 values are not finite, the first at \[1\]; leave"),
        ([0.1, None], r"differences: 1 of 2 values are not finite"),
        ([], r"differences: shape \(0,\); expected"),
        ([[0.1, 0.2]], r"differences: shape \(1, 2\); expected numbers along 1 axes"),
        (["ten"], r"differences: not a rectangle of numbers"),
    ],
)
def test_what_is_not_a_row_of_numbers_is_refused_in_one_sentence(function, values, sentence):
    with pytest.raises(InputError, match=sentence) as caught:
        function(values)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_is_a_share(level):
    with pytest.raises(InputError, match="expected a number between 0 and 1"):
        sign_flip_interval(np.ones(8), level=level)


@pytest.mark.parametrize("pairs", [1, 8, 9, 37])
def test_sums_of_drawn_pairs_are_those_of_every_pair_by_itself(pairs):
    """The plain form: a bit for each pair, and a product."""
    values, draws = RNG.normal(size=(pairs, 3)), BATCH + 5
    quick = list(drawn_sums(values, draws, np.random.default_rng(4)))
    generator, groups = np.random.default_rng(4), -(-pairs // 8)
    for sums in quick:
        drawn = np.frombuffer(generator.bytes(groups * len(sums)), np.uint8).reshape(groups, len(sums)).T
        chosen = np.unpackbits(drawn, axis=1, bitorder="little")[:, :pairs]
        np.testing.assert_allclose(sums, chosen @ values, atol=1e-12)
    assert sum(map(len, quick)) == draws
    assert np.concatenate(quick).mean(axis=0) == pytest.approx(values.sum(axis=0) / 2, abs=0.4)
