"""Trials that are not paired: rank sums with ties counted exactly, effect sizes with honest intervals."""

import itertools

import numpy as np
import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.statistics import unpaired
from frustration.statistics.unpaired import (
    cliffs_delta,
    fewest_wins,
    mean_difference,
    probability_of_improvement,
    rank_sum,
    trials_to_reach,
)

RNG = np.random.default_rng(30)
GROUP = st.lists(st.integers(0, 6), min_size=1, max_size=5)


@pytest.mark.parametrize("m, n", [(10, 10), (3, 7), (7, 3), (1, 9), (40, 25)])
def test_without_ties_p_is_scipys_exact_one(m, n):
    x, y = RNG.normal(0.5, 1, m), RNG.normal(0, 1, n)
    expected = scipy.stats.mannwhitneyu(x, y, method="exact").pvalue
    assert rank_sum(x, y).p == pytest.approx(expected, rel=1e-9)


@given(GROUP, GROUP)
@settings(deadline=None)
def test_with_any_ties_p_is_the_share_of_divisions(x, y):
    ranks = scipy.stats.rankdata([*x, *y])
    sums = [ranks[list(some)].sum() for some in itertools.combinations(range(len(ranks)), len(x))]
    away = np.abs(np.array(sums) - len(x) * (len(ranks) + 1) / 2)
    test = rank_sum(x, y)
    assert test.p == pytest.approx(np.mean(away >= away[0]))
    assert test.smallest_p == pytest.approx(np.mean(away == away.max()))


@given(GROUP, GROUP, st.randoms(use_true_random=False))
def test_p_ignores_order_scale_and_which_arm_is_which(x, y, shuffler):
    p = rank_sum(x, y).p
    assert rank_sum(shuffler.sample(x, len(x)), y).p == pytest.approx(p)
    assert rank_sum(np.exp(x), np.exp(y)).p == pytest.approx(p)
    swapped = rank_sum(y, x)
    assert swapped.p == pytest.approx(p)
    assert swapped.effect == pytest.approx(-rank_sum(x, y).effect)


def test_single_trials_and_equal_values_prove_nothing():
    assert rank_sum([1.0], [2.0]).smallest_p == 1.0
    equal = rank_sum(np.full(10, 11.02), np.full(10, 11.02))
    assert (equal.p, equal.smallest_p, equal.effect) == (1.0, 1.0, 0.0)


def test_the_n_for_a_p_is_the_fewest():
    for p in (0.5, 0.05, 0.01, 0.001):
        n = trials_to_reach(p)
        assert rank_sum(np.arange(n), np.arange(n) + 100).p <= p
        assert n == 1 or rank_sum(np.arange(n - 1), np.arange(n - 1) + 100).p > p


def test_the_wins_for_a_p_are_the_fewest():
    y = np.arange(6.0)
    p_by_wins = {}
    for places in itertools.combinations_with_replacement(range(7), 6):
        x = np.array(places) - 0.5 + np.arange(6) / 100
        p_by_wins[round(probability_of_improvement(x, y).value * 36)] = rank_sum(x, y).p
    for p in (0.5, 0.1, 0.05, 0.01):
        wins = fewest_wins(6, p)
        assert p_by_wins[wins] <= p < p_by_wins[wins - 1]
    assert fewest_wins(3, 0.05) == 10


def test_very_many_trials_need_a_generator_and_agree_with_scipy():
    x, y = np.round(RNG.normal(0.3, 1, 80), 1), np.round(RNG.normal(0, 1, 80), 1)
    with pytest.raises(InputError, match="divisions of 160 trials"):
        rank_sum(x, y)
    drawn = rank_sum(x, y, generator=np.random.default_rng(1), draws=20_000)
    expected = scipy.stats.mannwhitneyu(x, y, method="asymptotic").pvalue
    assert drawn.p == pytest.approx(expected, abs=0.01)
    assert drawn.smallest_p == 1 / 20_001


@given(GROUP, GROUP)
def test_effect_sizes_are_shares_of_pairs(x, y):
    wins, ties = (sum(test(a, b) for a in x for b in y) for test in (lambda a, b: a > b, lambda a, b: a == b))
    improvement, delta = probability_of_improvement(x, y), cliffs_delta(x, y)
    assert improvement.value == pytest.approx((wins + ties / 2) / (len(x) * len(y)))
    assert delta.value == pytest.approx(rank_sum(x, y).effect)
    for estimate, bottom in ((improvement, 0.0), (delta, -1.0)):
        assert bottom <= estimate.low <= estimate.value <= estimate.high <= 1.0


@given(GROUP, GROUP)
def test_swapping_the_arms_mirrors_the_interval(x, y):
    there, back = probability_of_improvement(x, y), probability_of_improvement(y, x)
    assert (there.low, there.high) == pytest.approx((1 - back.high, 1 - back.low), abs=1e-9)


def test_the_end_of_the_interval_solves_newcombes_equation():
    x, y = np.arange(10.0), np.arange(10.0) - 20.0  # no overlap: the observed variance is 0
    interval = probability_of_improvement(x, y)
    q, critical = interval.low, scipy.stats.t.ppf(0.975, 18)
    variance = q * (1 - q) * (1 + 9 * ((1 - q) / (2 - q) + q / (1 + q))) / 100
    assert interval.high == interval.value == 1.0
    assert (1.0 - q) ** 2 == pytest.approx(critical**2 * variance)


def test_a_single_trial_each_sets_no_bounds():
    assert (probability_of_improvement([2.0], [1.0]).low, cliffs_delta([2.0], [1.0]).low) == (0.0, -1.0)
    assert mean_difference([2.0], [1.0, 1.5]).high == np.inf
    assert mean_difference([2.0, 2.0], [1.0, 1.0]).low == 1.0


@pytest.mark.parametrize("m, n", [(10, 10), (4, 12)])
def test_the_mean_difference_has_welchs_interval(m, n):
    x, y = RNG.normal(1, 3, m), RNG.normal(0, 1, n)
    expected = scipy.stats.ttest_ind(x, y, equal_var=False).confidence_interval(0.9)
    ours = mean_difference(x, y, level=0.9)
    assert (ours.low, ours.high) == pytest.approx((expected.low, expected.high))


def modes(rng, shape, share):
    """Trials that either take off or do not."""
    return np.where(rng.random(shape) < share, 80.0, 10.0) + rng.normal(size=shape)


ARMS = {
    "equal": (lambda rng, s: rng.normal(0, 1, s), lambda rng, s: rng.normal(0, 1, s)),
    "apart": (lambda rng, s: rng.normal(2, 1, s), lambda rng, s: rng.normal(0, 1, s)),
    "one wider": (lambda rng, s: rng.normal(1, 4, s), lambda rng, s: rng.normal(0, 1, s)),
    "ties": (lambda rng, s: np.round(rng.normal(1, 1, s)), lambda rng, s: np.round(rng.normal(0, 1, s))),
    "skewed": (lambda rng, s: 2 * rng.exponential(size=s), lambda rng, s: rng.exponential(size=s)),
    "one takes off": (lambda rng, s: modes(rng, s, 0.3), lambda rng, s: rng.normal(50, 1, s)),
    "both take off": (lambda rng, s: modes(rng, s, 0.8), lambda rng, s: modes(rng, s, 0.3)),
}


@pytest.mark.parametrize("arms", ARMS)
def test_intervals_of_ten_trials_each_cover_at_least_93_in_100(arms):
    rng = np.random.default_rng(94)
    treatment, control = ARMS[arms]
    many, others = treatment(rng, 100_000), np.sort(control(rng, 100_000))
    below, up_to = np.searchsorted(others, many, "left"), np.searchsorted(others, many, "right")
    truth = float(np.mean(below + up_to) / 2 / len(others))
    pairs = zip(treatment(rng, (1_500, 10)), control(rng, (1_500, 10)), strict=True)
    covered = [not probability_of_improvement(x, y).excludes(truth) for x, y in pairs]
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize("function", [rank_sum, cliffs_delta, mean_difference])
def test_not_a_number_is_refused_and_the_arm_is_named(function):
    with pytest.raises(InputError, match=r"control: 1 of 2 values are not finite"):
        function([1.0], [1.0, np.nan])
    with pytest.raises(InputError, match=r"treatment: shape \(0,\)"):
        function([], [1.0])


@pytest.mark.parametrize(("m", "n"), [(1, 1), (7, 3), (40, 90), (300, 20)])
def test_wins_by_ranks_are_those_of_all_pairs_to_the_bit(m, n):
    """Many ties, one row and many, more trials on either side."""
    generator = np.random.default_rng(m * n)
    for rows in ((), (4,)):
        x, y = (generator.integers(0, 12, (*rows, size)) / 3.0 for size in (m, n))
        pairs = (np.sign(x[..., :, None] - y[..., None, :]) + 1) / 2
        assert np.array_equal(unpaired.pairwise_wins(x, y), pairs.mean(axis=(-2, -1)))
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(unpaired, "FEW_PAIRS", 0)
            assert np.array_equal(unpaired.pairwise_wins(x, y), pairs.mean(axis=(-2, -1)))
        if not rows:
            assert np.array_equal(unpaired.win_shares(x, y), pairs.mean(axis=1))
            assert np.array_equal(unpaired.win_shares(-y, -x), pairs.mean(axis=0))


def test_thousands_of_trials_are_compared_without_all_their_pairs():
    generator = np.random.default_rng(5)
    x, y = generator.normal(size=(2, 1, 100_000))
    assert abs(unpaired.pairwise_wins(x, y)[0] - 0.5) < 0.01  # as pairs, 80 GB
