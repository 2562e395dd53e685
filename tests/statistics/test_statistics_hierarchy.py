"""One error rate for all contrasts and all their members, held whatever is true of the others."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.statistics.families import holm
from frustration.statistics.hierarchy import share_out
from frustration.statistics.joint import heterogeneity, joint_step_down, mean_of_rows
from frustration.statistics.paired import sign_flip

P = st.integers(0, 40).map(lambda p: p / 40)
CONTRASTS = st.lists(st.lists(P, min_size=1, max_size=4), min_size=1, max_size=5)


@given(st.lists(P, min_size=1, max_size=8))
def test_contrasts_of_one_member_are_corrected_by_holm(p):
    assert np.concatenate(share_out([[one] for one in p])) == pytest.approx(holm(p))


@given(CONTRASTS, st.integers(1, 40).map(lambda p: p / 40))
def test_a_share_is_handed_on_only_once_a_contrast_is_wholly_rejected(contrasts, alpha):
    complete: set[int] = set()
    while True:  # the procedure as its docstring tells it
        level = alpha / (len(contrasts) - len(complete) or 1)
        more = {at for at, p in enumerate(contrasts) if max(p) <= level + 1e-12} - complete
        if not more:
            break
        complete |= more
    for at, (p, adjusted) in enumerate(zip(contrasts, share_out(contrasts), strict=True)):
        own = alpha / (len(contrasts) - len(complete - {at}))
        assert [one <= own + 1e-12 for one in p] == [bool(one <= alpha + 1e-12) for one in adjusted]


@pytest.mark.parametrize("wrong", [[[0.1], []], [[1.2]], [[np.nan]]])
def test_what_is_no_p_value_is_refused(wrong):
    with pytest.raises(InputError, match="p values"):
        share_out(wrong)


def test_the_step_down_counts_all_joint_sign_patterns():
    rng = np.random.default_rng(5)
    values = rng.normal([[1.0], [0.4], [0.0]], 0.5, (3, 7))
    units = values / np.sqrt((values**2).sum(axis=1, keepdims=True))
    observed = np.abs(units.sum(axis=1))
    order = sorted(range(3), key=lambda row: -observed[row])
    expected, largest = [0.0] * 3, 0.0
    for at, row in enumerate(order):
        rivals = [
            max(abs(np.dot(signs, units[other])) for other in order[at:]) >= observed[row] - 1e-9
            for signs in itertools.product((1.0, -1.0), repeat=7)
        ]
        largest = max(largest, np.mean(rivals))
        expected[row] = largest
    assert joint_step_down(values) == pytest.approx(expected)


def test_one_row_is_the_ordinary_test_and_rows_that_are_equal_cost_nothing():
    row = np.array([0.3, 0.1, 0.5, -0.1, 0.2, 0.4, 0.25, 0.15])
    (p,) = joint_step_down([row])
    assert p == sign_flip(row).p
    assert joint_step_down([row, row, -row]) == pytest.approx([p] * 3)
    assert joint_step_down([row, np.zeros(8)]) == pytest.approx([p, 1.0])


def test_drawn_flips_agree_with_all_of_them():
    values = np.random.default_rng(6).normal([[0.5], [0.2]], 1.0, (2, 15))
    padded = np.concatenate([values, np.zeros((2, 1))], axis=1)  # a 16th trial, of which nothing is known
    there = np.arange(16) < 15
    drawn = joint_step_down(
        padded, present=np.stack([there, there]), generator=np.random.default_rng(0), draws=40_000
    )
    assert drawn == pytest.approx(joint_step_down(values), abs=0.01)


def test_the_error_is_held_where_some_members_differ_and_others_do_not():
    rng, false, studies = np.random.default_rng(7), 0, 1500
    for _ in range(studies):
        shared = rng.normal(0, 1, 8)  # architectures of one trial share batch orders
        contrasts = [
            shared + rng.normal([[3.0], [0.0], [0.0]], 1.0, (3, 8)),
            shared + rng.normal(0.0, 1.0, (2, 8)),
        ]
        contrasts[0][0] += 3.0
        adjusted = share_out([joint_step_down(one) for one in contrasts])
        false += bool(np.any(adjusted[0][1:] <= 0.05) or np.any(adjusted[1] <= 0.05))
    assert false / studies <= 0.05 + 2 * np.sqrt(0.05 * 0.95 / studies)


def test_architectures_of_one_effect_are_distinguished_from_those_of_several():
    rng = np.random.default_rng(8)
    noise = rng.normal(0, 0.1, (3, 10))
    assert heterogeneity(noise + 0.5) > 0.05
    assert heterogeneity(noise + np.array([[-0.05], [-24.0], [-0.1]])) < 0.01
    assert heterogeneity(np.full((2, 10), 0.3)) == 1.0
    assert heterogeneity(noise[:1]) == 1.0


def test_the_mean_over_architectures_weighs_each_alike_whatever_is_missing():
    values = np.array([[1.0, 3.0], [5.0, np.nan]])
    there = np.isfinite(values)
    assert mean_of_rows(np.where(there, values, 0.0), there).mean() == pytest.approx((2.0 + 5.0) / 2)
