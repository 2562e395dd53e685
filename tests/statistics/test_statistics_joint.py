"""Claims over many architectures, whose trials of one number are not independent."""

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration.errors import InputError
from frustration.statistics.joint import joint_interval, joint_sign_flip, joint_wins
from frustration.statistics.paired import sign_flip, sign_flip_interval, t_interval

RNG = np.random.default_rng(21)
GRIDS = st.integers(1, 4).flatmap(
    lambda trials: st.lists(
        st.lists(st.integers(-30, 30), min_size=trials, max_size=trials), min_size=1, max_size=5
    )
)


def flipped(differences):
    """Every pattern of signs over trials, the same for all architectures: (patterns, architectures) means."""
    trials = np.shape(differences)[1]
    return np.array([
        (np.asarray(differences) * signs).mean(axis=1) for signs in itertools.product((1, -1), repeat=trials)
    ])  # fmt: skip


@given(GRIDS)
def test_all_architectures_of_a_trial_flip_together(differences):
    means = flipped(differences).mean(axis=1)
    expected = np.mean(np.abs(means) >= abs(means[0]) - 1e-9)
    assert joint_sign_flip(differences).p == pytest.approx(expected)


@given(GRIDS)
def test_wins_are_counted_over_the_same_flips(differences):
    score = np.sign(np.round(flipped(differences), 9)).sum(axis=1)
    test = joint_wins(differences)
    assert test.p == pytest.approx(np.mean(np.abs(score) >= abs(score[0])))
    assert test.effect == pytest.approx(score[0] / len(differences))
    assert test.smallest_p <= test.p


def test_one_architecture_is_the_ordinary_paired_test():
    differences = RNG.normal(0.5, 1, (1, 10))
    joint, plain = joint_sign_flip(differences), sign_flip(differences[0])
    assert (joint.p, joint.n, joint.effect) == pytest.approx((plain.p, plain.n, plain.effect))
    interval, plain_interval = joint_interval(differences), sign_flip_interval(differences[0])
    assert (interval.low, interval.high) == pytest.approx((plain_interval.low, plain_interval.high))


def test_a_shared_trial_does_not_count_ninety_eight_times():
    """Architectures that all repeat one sequence of trials say no more than one of them."""
    once = RNG.normal(0.3, 1, (1, 10))
    assert joint_sign_flip(np.repeat(once, 98, axis=0)).p == joint_sign_flip(once).p
    assert joint_wins(np.repeat(once, 98, axis=0)).smallest_p == joint_wins(once).smallest_p


def test_missing_trials_leave_every_architecture_its_weight():
    differences = np.array([[1.0, 3.0, np.nan], [10.0, np.nan, 20.0]])
    test = joint_sign_flip(differences, present=np.isfinite(differences))
    assert test.effect == pytest.approx((2 + 15) / 2)
    assert test.n == 3
    interval = joint_interval(differences, present=np.isfinite(differences), level=0.5)
    assert interval.value == pytest.approx((2 + 15) / 2)
    assert interval.low <= interval.value <= interval.high
    assert joint_wins(differences, present=np.isfinite(differences)).effect == 1.0


def test_a_trial_that_no_architecture_has_is_not_counted():
    differences = np.array([[1.0, 2.0, 0.0], [3.0, -1.0, 0.0]])
    present = np.array([[True, True, False]] * 2)
    for test in (joint_sign_flip, joint_wins):
        assert test(differences, present=present).n == 2


def test_many_trials_need_a_generator():
    differences = RNG.normal(0.4, 1, (10, 40))
    for test in (joint_sign_flip, joint_wins, joint_interval):
        with pytest.raises(InputError, match=r"pass a numpy.random.Generator"):
            test(differences)
    drawn = joint_wins(differences[:, :15], generator=np.random.default_rng(1))
    assert drawn == joint_wins(differences[:, :15])  # still counted
    many = joint_wins(differences, generator=np.random.default_rng(1), draws=20_000)
    assert (many.draws, many.smallest_p) == (20_000, 1 / 20_001)
    assert many.p < 0.05
    interval = joint_interval(differences, generator=np.random.default_rng(1))
    assert interval.low == pytest.approx(t_interval(differences.mean(axis=0)).low, abs=0.02)


@pytest.mark.parametrize("shared", [0.0, 1.0, 3.0])
def test_the_joint_interval_covers_whatever_the_architectures_share(shared):
    rng = np.random.default_rng(22)
    covered = []
    for _ in range(1_500):
        differences = 0.5 + shared * rng.normal(size=10) + rng.normal(size=(6, 10))
        covered.append(not joint_interval(differences).excludes(0.5))
    assert np.mean(covered) >= 0.93


def test_what_does_not_fit_is_refused():
    with pytest.raises(InputError, match="not finite"):
        joint_sign_flip([[0.1, np.nan]])
    with pytest.raises(InputError, match=r"present: shape \(2,\)"):
        joint_sign_flip([[0.1, 0.2]], present=[True, False])
    with pytest.raises(InputError, match="an architecture has no trial"):
        joint_sign_flip([[0.1, 0.2], [0.1, 0.2]], present=[[True, True], [False, False]])
