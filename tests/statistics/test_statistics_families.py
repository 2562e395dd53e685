"""Many tests at once: corrections, and a verdict that never claims more than the trials can carry."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from statsmodels.stats.multitest import multipletests

from frustration.errors import InputError
from frustration.statistics.families import benjamini_hochberg, holm, judge
from frustration.statistics.paired import sign_flip
from frustration.statistics.unpaired import rank_sum

RNG = np.random.default_rng(40)
P_VALUES = st.lists(st.integers(0, 40).map(lambda p: p / 40), min_size=1, max_size=12)


@pytest.mark.parametrize("tests, places", [(1, 3), (2, 1), (5, 3), (5, 1), (40, 2), (490, 4)])
def test_adjusted_p_values_are_those_of_statsmodels(tests, places):
    p = np.round(RNG.uniform(0, 1, tests) ** 3, places)  # few places: ties, zeros and ones
    assert holm(p) == pytest.approx(multipletests(p, method="holm")[1])
    assert benjamini_hochberg(p) == pytest.approx(multipletests(p, method="fdr_bh")[1])


@given(P_VALUES)
def test_adjusting_never_lowers_p_nor_changes_the_order(p):
    for adjusted in (holm(p), benjamini_hochberg(p)):
        assert np.all(adjusted >= np.array(p) - 1e-12)
        assert np.all(adjusted <= 1)
        assert np.all(np.diff(adjusted[np.argsort(p)]) >= 0)
    assert np.all(benjamini_hochberg(p) <= holm(p) + 1e-12)


@given(P_VALUES, st.integers(0, 40).map(lambda p: p / 40), st.randoms(use_true_random=False))
def test_another_test_never_helps_the_others_under_holm(p, another, shuffler):
    assert np.all(holm([*p, another])[:-1] >= holm(p) - 1e-12)
    order = shuffler.sample(range(len(p)), len(p))
    assert holm([p[i] for i in order]) == pytest.approx(holm(p)[order])


@pytest.mark.parametrize("p", [[0.1, 1.2], [-0.1], [np.nan], []])
def test_what_is_no_p_value_is_refused(p):
    for correction in (holm, benjamini_hochberg):
        with pytest.raises(InputError, match="p values: "):
            correction(p)


def can_reject(outcome):
    """Whether some outcome of these trials could have been a claim."""
    return any(
        one.finding not in ("n too small", "too few draws") and one.adjusted_p is not None
        for one in outcome.members
    )


def family(**differences):
    return {name: sign_flip(values) for name, values in differences.items()}


def test_verdicts_say_which_way_and_only_what_holm_allows():
    noise = RNG.normal(0, 0.01, 10)
    outcome = judge(family(dropout=1 + noise, full=-1 + noise, hidden=np.tile([1.0, -0.9], 5)))
    assert [member.verdict for member in outcome.members] == ["better", "worse", "undecided"]
    assert [member.adjusted_p for member in outcome.members] == [3 / 512, 3 / 512, outcome["hidden"].test.p]
    assert (outcome.size, can_reject(outcome), outcome.needs) == (3, True, None)


def test_a_family_that_cannot_reject_names_the_n_it_needs():
    tests = {f"mode {i}": sign_flip(np.ones(7)) for i in range(5)}
    outcome = judge(tests)
    assert {member.verdict for member in outcome.members} == {"n too small: needs n = 8"}
    assert (can_reject(outcome), outcome.needs) == (False, 8)
    eight = judge({name: sign_flip(np.ones(8)) for name in tests})
    assert {member.verdict for member in eight.members} == {"better"}


def test_the_n_that_an_unpaired_family_needs_is_that_of_the_rank_sum_test():
    few = {f"mode {i}": rank_sum(np.arange(4) + 10.0, np.arange(4)) for i in range(5)}
    assert {member.verdict for member in judge(few).members} == {"n too small: needs n = 5"}
    enough = {name: rank_sum(np.arange(5) + 10.0, np.arange(5)) for name in few}
    assert {member.verdict for member in judge(enough).members} == {"better"}


def test_one_mode_short_of_trials_does_not_silence_the_others():
    outcome = judge({"short": sign_flip(np.ones(4)), "long": sign_flip(-np.ones(10))})
    assert outcome["short"].verdict == "n too small: needs n = 7"
    assert outcome["long"].verdict == "worse"
    assert can_reject(outcome)


def test_inert_members_leave_the_family_and_give_the_others_their_power():
    tests = family(decay=np.zeros(7), dropout=np.ones(7), noise=np.ones(7), reset=RNG.normal(size=7))
    assert {member.verdict for member in judge(tests, inert=["noise"]).members} == {
        "inert",  # decay, whose pairs are all equal, and noise, because the caller says so
        "better",
        "undecided",
    }
    with_noise = judge(tests)
    assert with_noise.size == 3
    assert with_noise["dropout"].adjusted_p == 3 / 64
    assert with_noise["decay"].adjusted_p is None
    assert can_reject(judge(family(decay=np.zeros(7)))) is False
    assert judge({}).members == ()


def test_where_most_pairs_are_equal_more_of_them_are_needed():
    outcome = judge(family(output=[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert outcome["output"].verdict == "n too small: needs n = 24"  # 6 that differ, at 2 in 8
    assert outcome.needs == 24


def test_too_few_random_draws_are_distinguished_from_too_few_trials():
    test = sign_flip(np.ones(40), generator=np.random.default_rng(1), draws=99)
    outcome = judge({f"mode {i}": test for i in range(6)})
    assert outcome["mode 0"].verdict == "too few draws: needs 119"
    assert outcome.needs is None


@given(
    st.lists(st.lists(st.integers(-3, 3), min_size=1, max_size=9), min_size=1, max_size=6),
    st.sampled_from([0.01, 0.05, 0.2]),
)
def test_no_claim_is_made_beyond_holm_and_none_is_called_impossible_that_could_be_made(members, alpha):
    tests = {str(i): sign_flip(np.array(values, dtype=float)) for i, values in enumerate(members)}
    outcome = judge(tests, alpha=alpha)
    active = [name for name, test in tests.items() if test.informative]
    adjusted = dict(zip(active, holm([tests[name].p for name in active]), strict=True)) if active else {}
    for member in outcome.members:
        claimed = member.finding in ("better", "worse")
        assert claimed == (adjusted.get(member.name, math.inf) <= alpha)
        if member.finding == "n too small":
            assert member.needs > member.test.n


def test_a_misspelt_inert_mode_is_refused():
    with pytest.raises(InputError, match="inert: decoy is not among the tests decay"):
        judge(family(decay=[0.0]), inert=["decoy"])


def test_cells_in_which_all_trials_are_equal_leave_their_family():
    outcome = judge({"stuck": rank_sum([11.35] * 10, [11.35] * 10), "hidden": rank_sum([1, 2, 3], [4, 5, 6])})
    assert (outcome["stuck"].finding, outcome.size) == ("inert", 1)


def test_no_number_of_trials_is_promised_where_equal_values_keep_the_test_from_it():
    """Two trials of twenty take off: that share of more trials is needed, not one trial more."""
    tests = {name: rank_sum([80.0, 80.0, *[11.35] * 8], [11.35] * 10) for name in ("full", "hidden")}
    outcome = judge(tests)
    assert outcome["full"].test.smallest_p > 0.4
    n = outcome["full"].needs
    assert n is not None
    assert n > 20
    assert can_reject(judge({name: _tied(n) for name in tests}))
    assert not can_reject(judge({name: _tied(n - 10) for name in tests}))
    hopeless = judge({"full": rank_sum([80.0, *[11.35] * 59], [11.35] * 60)})
    assert (hopeless["full"].verdict, hopeless.needs) == ("n too small", None)
    assert not can_reject(hopeless)


def _tied(n: int):
    values = np.where(np.arange(2 * n) < round(2 * n / 10), 80.0, 11.35)
    return rank_sum(values[:n], values[n:])
