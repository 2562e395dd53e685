"""What a study can find: the answers hold for the tests that are really used."""

import numpy as np
import pytest
import scipy.stats
from statsmodels.stats.power import TTestIndPower, TTestPower

from frustration.errors import InputError
from frustration.statistics.distributions import t_test_power
from frustration.statistics.paired import sign_flip
from frustration.statistics.power import minimum_detectable_effect, more_trials, power, trials_needed
from frustration.statistics.unpaired import rank_sum


@pytest.mark.parametrize("alpha", [0.05, 0.001])
@pytest.mark.parametrize("effect", [0.0, 0.3, 0.5])
@pytest.mark.parametrize("n", [8, 15, 40, 80])
def test_the_power_of_a_t_test_is_that_of_statsmodels(n, effect, alpha):
    expected = TTestPower().power(effect, n, alpha)
    assert t_test_power(effect * np.sqrt(n), n - 1, alpha) == pytest.approx(expected, abs=1e-7)
    expected = TTestIndPower().power(effect, n, alpha)
    assert t_test_power(effect * np.sqrt(n / 2), 2 * n - 2, alpha) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("n, alpha", [(6, 0.05), (8, 0.01), (10, 0.05), (10, 0.05 / 15), (20, 0.01)])
def test_the_sign_flip_test_finds_the_minimum_detectable_effect_in_80_of_100_studies(n, alpha):
    effect = minimum_detectable_effect(2.0, n, alpha=alpha)
    studies = np.random.default_rng(70).normal(effect, 2.0, (2_000, n))
    found = np.mean([sign_flip(differences).p <= alpha for differences in studies])
    assert found == pytest.approx(0.8, abs=0.035)
    assert power(effect, 2.0, n, alpha=alpha) == pytest.approx(0.8, abs=0.002)


@pytest.mark.parametrize("n, alpha", [(4, 0.05), (10, 0.01), (31, 0.05)])
def test_the_rank_sum_test_finds_it_too(n, alpha):
    effect = minimum_detectable_effect(2.0, n, alpha=alpha, paired=False)
    rng = np.random.default_rng(71)
    studies = [(rng.normal(effect, 2.0, n), rng.normal(0.0, 2.0, n)) for _ in range(600)]
    found = np.mean([rank_sum(x, y).p <= alpha for x, y in studies])
    assert found == pytest.approx(0.8, abs=0.06)


def test_without_an_effect_power_is_the_false_alarm_rate():
    assert power(0.0, 1.0, 10) == pytest.approx(0.05, abs=0.01)
    assert power(0.0, 1.0, 50) == pytest.approx(0.05)


def test_where_the_exact_test_cannot_reject_nothing_is_detectable():
    assert minimum_detectable_effect(1.0, 5) == np.inf
    assert power(100.0, 1.0, 5) == 0.0
    assert power(100.0, 1.0, 3, paired=False) == 0.0
    assert minimum_detectable_effect(1.0, 7, alpha=0.05 / 5) == np.inf
    assert minimum_detectable_effect(1.0, 8, alpha=0.05 / 5) < np.inf
    assert trials_needed(100.0, 1.0, alpha=0.05 / 5) == 8
    assert trials_needed(100.0, 1.0, alpha=0.05 / 5, paired=False) == 5


@pytest.mark.parametrize("paired", [True, False])
def test_more_trials_detect_less_and_a_looser_alpha_does_too(paired):
    by_n = [minimum_detectable_effect(1.0, n, paired=paired) for n in (6, 8, 10, 15, 31, 60, 200)]
    assert by_n == sorted(by_n, reverse=True)
    by_alpha = [minimum_detectable_effect(1.0, 10, alpha=alpha, paired=paired) for alpha in (0.01, 0.05, 0.2)]
    assert by_alpha == sorted(by_alpha, reverse=True)
    assert minimum_detectable_effect(3.0, 10, paired=paired) == pytest.approx(3 * by_n[2])


@pytest.mark.parametrize("paired", [True, False])
@pytest.mark.parametrize("effect", [3.0, 1.0, 0.4, 0.05])
def test_the_trials_needed_are_the_fewest_that_find_the_effect(effect, paired):
    n = trials_needed(effect, 1.0, alpha=0.01, paired=paired)
    assert power(effect, 1.0, n, alpha=0.01, paired=paired) >= 0.8
    assert power(effect, 1.0, n - 1, alpha=0.01, paired=paired) < 0.8
    assert trials_needed(-effect, 1.0, alpha=0.01, paired=paired) == n


def test_many_trials_needed_are_those_of_statsmodels():
    assert trials_needed(0.1, 1.0) == np.ceil(TTestPower().solve_power(0.1, alpha=0.05, power=0.8))
    unpaired = TTestIndPower().solve_power(0.1, alpha=0.05, power=0.8)
    assert trials_needed(0.1, 1.0, paired=False) == pytest.approx(unpaired * np.pi / 3, rel=0.001)


def test_how_many_more_trials_for_what_was_seen_and_for_what_matters():
    differences = np.array([0.3, -0.2, 0.4, 0.1, 0.0, 0.5, -0.1, 0.2, 0.3, -0.3])
    sd = differences.std(ddof=1)
    plan = more_trials(differences, alpha=0.01)
    assert plan.needed == trials_needed(differences.mean(), sd, alpha=0.01)
    assert plan.more == plan.needed - 10
    assert plan.needed_at_most > plan.needed
    assert more_trials(differences, effect=5.0).more == 0
    assert more_trials(differences, effect=0.01).more > 1_000


def test_the_cautious_answer_takes_the_upper_end_of_the_standard_deviation():
    differences = np.random.default_rng(72).normal(0.3, 1, 20)
    upper = differences.std(ddof=1) * np.sqrt(19 / scipy.stats.chi2.ppf(0.2, 19))
    expected = trials_needed(0.3, upper)
    assert more_trials(differences, effect=0.3).needed_at_most == pytest.approx(expected, rel=0.01)


def test_degenerate_plans_say_so():
    assert more_trials([0.1]) is None
    nothing = more_trials([0.1, -0.1])
    assert (nothing.needed, nothing.more, nothing.needed_at_most) == (None, None, None)
    certain = more_trials([0.1, 0.1])
    assert (certain.sd, certain.needed, certain.more) == (0.0, 6, 4)
    assert more_trials(np.arange(10.0), effect=1e-6).needed is None
    assert power(0.1, 0.0, 6) == 1.0
    assert power(0.1, 0.0, 5) == power(0.0, 0.0, 6) == 0.0
    assert minimum_detectable_effect(0.0, 6) == 0.0


@pytest.mark.parametrize(
    "call, sentence",
    [
        (lambda: trials_needed(0.0, 1.0), "effect: 0; no number of trials finds that"),
        (lambda: power(1.0, -1.0, 10), "sd: -1.0; expected a number of 0 or more"),
        (lambda: power(1.0, np.nan, 10), "sd: nan"),
        (lambda: power(1.0, 1.0, 0), "n: 0; expected 1 or more"),
        (
            lambda: minimum_detectable_effect(1.0, 10, power=80),
            "power: 80; expected a number between 0 and 1",
        ),
        (lambda: more_trials([0.1, np.nan]), "differences: 1 of 2 values"),
    ],
)
def test_what_cannot_be_meant_is_refused(call, sentence):
    with pytest.raises(InputError, match=sentence):
        call()
