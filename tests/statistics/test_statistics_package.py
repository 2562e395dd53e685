"""The package as a whole: light to import, plain in what it returns, and right in the tails."""

import dataclasses
import json
import math
import subprocess
import sys

import numpy as np
import pytest
import scipy.special
import scipy.stats

from frustration.statistics import chance, equivalence, families, joint, paired, power, regimes, unpaired
from frustration.statistics.distributions import binomial_tails, incomplete_beta, t_quantile, t_tail

MODULES = "aggregates chance equivalence families joint paired power regimes unpaired"


def test_importing_it_brings_numpy_and_nothing_heavier():
    program = (
        f"import sys; from frustration.statistics import {', '.join(MODULES.split())}; "
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    loaded = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "numpy" in loaded.stdout.split()
    assert not {"torch", "scipy", "statsmodels", "pandas", "rliable"} & set(loaded.stdout.split())


def test_all_results_are_plain_numbers_that_json_can_hold():
    x, y = np.round(np.random.default_rng(1).normal(96, 1, (2, 10)), 2)
    generator = np.random.default_rng(2)
    results = [
        paired.sign_flip(x - y),
        paired.sign_flip(np.tile(x - y, 4), generator=generator, draws=100),
        paired.sign_flip_interval(x - y),
        paired.t_interval(x - y),
        joint.joint_sign_flip([x - y]),
        joint.joint_wins([x - y]),
        joint.joint_wins([np.tile(x - y, 2)], generator=generator, draws=100),
        joint.joint_interval([x - y]),
        unpaired.rank_sum(x, y),
        unpaired.rank_sum(np.tile(x, 8), np.tile(y, 8), generator=generator, draws=100),
        unpaired.mean_difference(x, y),
        unpaired.cliffs_delta(x, y),
        unpaired.probability_of_improvement(x, y),
        chance.success(x, 96.0),
        equivalence.paired_equivalence(x - y, 1.0),
        equivalence.unpaired_equivalence(x, y, 1.0),
        families.judge({"hidden": paired.sign_flip(x - y)}),
        power.more_trials(x - y),
        regimes.regime({"none": x, "hidden": y}, 11.02),
    ]
    for result in results:
        assert json.loads(json.dumps(dataclasses.asdict(result)))


@pytest.mark.parametrize("df", [1, 2, 9, 9.7, 200])
def test_students_t_is_that_of_scipy_far_into_the_tails(df):
    for t in (-40.0, -3.0, -0.01, 0.0, 0.01, 1.0, 3.0, 40.0):
        assert t_tail(t, df) == pytest.approx(scipy.stats.t.sf(t, df), rel=1e-9)
    for probability in (0.0005, 0.025, 0.5, 0.6, 0.975, 0.9999):
        expected = scipy.stats.t.ppf(probability, df)
        assert t_quantile(probability, df) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert (t_tail(math.inf, df), t_tail(-math.inf, df)) == (0.0, 1.0)


@pytest.mark.parametrize("a, b", [(0.5, 0.5), (5, 0.5), (0.5, 100), (300, 2)])
def test_the_incomplete_beta_function_is_that_of_scipy(a, b):
    for x in (0.0, 1e-9, 0.1, 0.5, 0.9, 1 - 1e-9, 1.0):
        assert incomplete_beta(a, b, x) == pytest.approx(scipy.special.betainc(a, b, x), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("n, probability", [(1, 0.5), (40, 0.9), (10_000, 0.1102)])
def test_binomial_tails_are_those_of_scipy(n, probability):
    expected = scipy.stats.binom(n, probability).sf(np.arange(-1, n + 1))
    assert binomial_tails(n, probability) == pytest.approx(expected, rel=1e-7, abs=1e-290)
