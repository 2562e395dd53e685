"""Two arms agree within a margin only where the trials show it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.weightstats import ttost_ind, ttost_paired

from frustration.errors import InputError
from frustration.statistics.equivalence import paired_equivalence, unpaired_equivalence

RNG = np.random.default_rng(60)


@pytest.mark.parametrize("m, n", [(10, 10), (5, 30)])
@pytest.mark.parametrize("margin", [0.1, 0.8, 3.0])
def test_unpaired_p_is_that_of_statsmodels(m, n, margin):
    x, y = RNG.normal(0.2, 2, m), RNG.normal(0, 1, n)
    expected = ttost_ind(x, y, -margin, margin, usevar="unequal")[0]
    assert unpaired_equivalence(x, y, margin).p == pytest.approx(expected, rel=1e-6, abs=1e-15)


def test_paired_p_comes_close_to_that_of_the_t_test():
    for _ in range(20):
        x, y = RNG.normal(0.2, 1, 20), RNG.normal(0, 1, 20)
        expected = ttost_paired(x, y, -0.7, 0.7)[0]
        assert paired_equivalence(x - y, 0.7).p == pytest.approx(expected, abs=0.02)


@given(
    st.lists(st.integers(-20, 20), min_size=1, max_size=9), st.integers(1, 30), st.sampled_from([0.05, 0.2])
)
def test_arms_are_equivalent_exactly_where_the_interval_lies_within_the_margin(differences, margin, alpha):
    margin += 0.00123  # never an end of the interval
    test = paired_equivalence(np.array(differences, dtype=float), margin, alpha=alpha)
    assert test.equivalent == (-margin < test.difference.low and test.difference.high < margin)
    assert test.smallest_p <= test.p <= 1
    assert (test.verdict == "n too small") == (2.0 ** -len(differences) > alpha)
    if test.verdict == "different":
        assert abs(test.difference.value) > margin


@given(
    st.lists(st.floats(-5, 5), min_size=2, max_size=9),
    st.lists(st.floats(-5, 5), min_size=2, max_size=9),
    st.floats(0.1, 9),
)
def test_unpaired_equivalence_and_its_interval_agree_and_do_not_know_which_arm_is_which(x, y, margin):
    test, swapped = unpaired_equivalence(x, y, margin), unpaired_equivalence(y, x, margin)
    assert test.p == pytest.approx(swapped.p, abs=1e-9)
    if abs(test.p - 0.05) > 1e-6:
        assert test.equivalent == (-margin < test.difference.low and test.difference.high < margin)


def test_a_wider_margin_never_hurts():
    differences = RNG.normal(0.3, 1, 10)
    p = [paired_equivalence(differences, margin).p for margin in np.linspace(0.1, 4, 12)]
    assert p == sorted(p, reverse=True)


def test_a_reproduction_to_the_bit_is_equivalent_at_any_margin_once_there_are_five_trials():
    assert paired_equivalence(np.zeros(5), 1e-6).verdict == "equivalent"
    assert paired_equivalence(np.zeros(4), 1e-6).verdict == "n too small"
    assert paired_equivalence([0.0], 0.5).p == 0.5
    assert unpaired_equivalence([98.1, 98.1], [98.1, 98.1], 0.05).verdict == "equivalent"
    assert unpaired_equivalence([98.1, 98.1], [98.3, 98.3], 0.05).verdict == "different"


def test_arms_far_apart_are_different_and_noisy_ones_undecided():
    assert paired_equivalence(5 + RNG.normal(0, 0.1, 10), 0.5).verdict == "different"
    assert paired_equivalence(np.tile([5.0, -5.0], 5), 0.5).verdict == "undecided"
    assert unpaired_equivalence(5 + RNG.normal(size=10), RNG.normal(size=10), 0.5).verdict == "different"


def test_a_single_unpaired_trial_proves_nothing():
    test = unpaired_equivalence([98.0], [98.0, 98.1], 0.5)
    assert (test.p, test.smallest_p, test.verdict) == (1.0, 1.0, "n too small")


def test_arms_that_differ_by_the_margin_pass_no_more_often_than_alpha():
    rng = np.random.default_rng(61)
    passed = [paired_equivalence(0.5 + rng.normal(0, 0.3, 10), 0.5).equivalent for _ in range(1_500)]
    assert np.mean(passed) <= 0.05 + 3 * np.sqrt(0.05 / 1_500)


def test_many_pairs_take_a_generator():
    test = paired_equivalence(RNG.normal(0, 1, 50), 1.0, generator=np.random.default_rng(1))
    assert test.equivalent
    assert test.smallest_p == 1 / 100_000


@pytest.mark.parametrize("margin", [0.0, -1.0, np.inf, np.nan])
def test_a_margin_is_above_zero(margin):
    with pytest.raises(InputError, match=r"margin: .*; expected a number above 0"):
        paired_equivalence([0.1, 0.2], margin)
    with pytest.raises(InputError, match=r"alpha: 0\.5; expected"):
        unpaired_equivalence([0.1], [0.2], 1.0, alpha=0.5)
