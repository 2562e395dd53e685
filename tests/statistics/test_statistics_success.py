"""Success rates are tested by counting, and nothing else of the outcome matters to them."""

import numpy as np
import pytest
from scipy import stats

from frustration.errors import InputError
from frustration.statistics.paired import sign_flip
from frustration.statistics.success import fisher, mcnemar
from frustration.statistics.unpaired import rank_sum

RNG = np.random.default_rng(50)
CASES = [(RNG.integers(0, 2, 12), RNG.integers(0, 2, 12)) for _ in range(40)]


@pytest.mark.parametrize("x, y", CASES)
def test_paired_successes_are_a_fair_coin_among_the_pairs_that_differ(x, y):
    test = mcnemar(x, y)
    only_x, only_y = int(((x == 1) & (y == 0)).sum()), int(((x == 0) & (y == 1)).sum())
    if only_x + only_y:
        assert test.p == pytest.approx(stats.binomtest(only_x, only_x + only_y).pvalue)
    assert test.p == pytest.approx(sign_flip(x - y).p)  # a mean of 1, 0 and -1: the same test
    assert test.informative == only_x + only_y


@pytest.mark.parametrize("x, y", [(x[: len(x) - cut], y) for cut, (x, y) in enumerate(CASES[:6])])
def test_unpaired_successes_are_fishers_table(x, y):
    table = [[x.sum(), len(x) - x.sum()], [y.sum(), len(y) - y.sum()]]
    assert fisher(x, y).p == pytest.approx(stats.fisher_exact(table).pvalue)


def test_smallest_p_is_that_of_the_most_extreme_table():
    assert mcnemar(np.ones(8), np.zeros(8)).p == mcnemar(np.ones(8), np.zeros(8)).smallest_p == 2 / 256
    assert fisher([1] * 5, [0] * 5).p == fisher([0, 1, 1, 1, 1], [1, 0, 0, 0, 0]).smallest_p
    assert (mcnemar([1, 0], [1, 0]).p, mcnemar([1, 0], [1, 0]).informative) == (1.0, 0)
    assert (fisher([1, 1], [1, 1]).p, fisher([1, 1], [1, 1]).informative) == (1.0, 0)
    assert rank_sum([1, 1], [1, 1]).informative == 0


def test_what_is_no_success_is_refused():
    with pytest.raises(InputError, match="0 or 1"):
        fisher([0.5], [1.0])
    with pytest.raises(InputError, match="pairs"):
        mcnemar([1], [1, 0])
