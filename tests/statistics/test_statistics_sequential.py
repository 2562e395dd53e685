"""Looking again and again costs what it must, and no more than five per cent in all."""

import numpy as np
import pytest

from frustration.errors import InputError
from frustration.statistics.paired import sign_flip
from frustration.statistics.sequential import FIRST, over_looks, shares


def test_the_first_look_leaves_a_fifth_and_growth_spends_it():
    assert shares([8]) == (FIRST,)
    assert shares([10, 20]) == pytest.approx((0.8, 0.1))
    assert shares([10, 20, 40, 1_000_000]) == pytest.approx((0.8, 0.1, 0.05, 0.05), abs=1e-5)
    assert sum(shares(range(5, 500))) < 1.0
    assert shares([8, 9])[1] < shares([8, 16])[1]  # one more trial is one more chance, and little news


@pytest.mark.parametrize("looks", [[], [0], [8, 8], [9, 8]])
def test_looks_at_fewer_trials_than_before_are_refused(looks):
    with pytest.raises(InputError, match="looks"):
        shares(looks)


def test_what_was_found_at_a_look_stays_found():
    first, later = 0.02, 0.9
    assert over_looks([[first]], [8])[0] == pytest.approx(first / 0.8)
    assert over_looks([[first], [later]], [8, 12])[0] == pytest.approx(first / 0.8)
    assert over_looks([[later], [0.0001]], [8, 16])[0] == pytest.approx(0.0001 / 0.1)
    assert over_looks([[0.5, 1.0]], [8]).tolist() == [0.625, 1.0]
    with pytest.raises(InputError, match="a row for each of 2 looks"):
        over_looks([[0.5]], [8, 9])


def test_five_looks_that_do_not_pay_for_themselves_find_what_is_not_there():
    """The plain test, repeated, errs far too often; the same looks with spending do not."""
    rng, looks, studies = np.random.default_rng(9), (8, 10, 12, 15, 19, 24), 1000
    naive = paid = 0
    for _ in range(studies):
        differences = rng.normal(0.0, 1.0, looks[-1])
        p = np.array([sign_flip(differences[:n]).p for n in looks])
        naive += bool((p <= 0.05).any())
        paid += any(over_looks(p[: at + 1, None], looks[: at + 1])[0] <= 0.05 for at in range(len(looks)))
    assert naive / studies > 0.09
    assert paid / studies <= 0.05
