"""Whether a treatment changes how often trials succeed, for cells in which only some do.

A mean over both kinds describes neither, so successes (0 or 1 for each trial) are counted and tested exactly.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics.inputs import Array, finite
from frustration.statistics.results import Significance


def mcnemar(treatment: ArrayLike, control: ArrayLike) -> Significance:
    """Exact McNemar test of paired successes, both (pairs,): only pairs in which one alone succeeds count."""
    x, y = _successes(treatment, "treatment"), _successes(control, "control")
    if x.size != y.size:
        raise InputError(f"{x.size} successes under treatment, {y.size} under control; pairs are wanted")
    counted = int(np.abs(x - y).sum())
    one_sided = _binomial_tail(counted, int(np.sum(x > y)))
    return Significance(
        p=min(1.0, 2.0 * one_sided),
        smallest_p=min(1.0, 2.0 * 0.5**counted),
        n=x.size,
        informative=counted,
        effect=float((x - y).mean()),
        method="exact McNemar test of successes, two-sided",
        paired=True,
    )


def _binomial_tail(n: int, k: int) -> float:
    """P(X >= max(k, n - k)) for a fair coin thrown n times."""
    least = max(k, n - k)
    return float(sum(math.comb(n, one) for one in range(least, n + 1)) / 2**n)


def fisher(treatment: ArrayLike, control: ArrayLike) -> Significance:
    """Fisher's exact test of the successes of treatment (m,) and control (n,).

    p adds the tables with these margins that are at most as probable as the observed one.
    """
    x, y = _successes(treatment, "treatment"), _successes(control, "control")
    total = int(x.sum() + y.sum())
    possible = range(max(0, total - y.size), min(x.size, total) + 1)
    weights = [math.comb(x.size, k) * math.comb(y.size, total - k) for k in possible]
    observed = weights[int(x.sum()) - possible.start]
    whole = sum(weights)
    least = min(weights)
    return Significance(
        p=sum(one for one in weights if one <= observed) / whole,
        smallest_p=sum(one for one in weights if one == least) / whole,
        n=min(x.size, y.size),
        informative=min(x.size, y.size) if len(weights) > 1 else 0,
        effect=float(x.mean() - y.mean()),
        method="Fisher's exact test of successes, two-sided",
        paired=False,
    )


def _successes(values: ArrayLike, name: str) -> Array:
    found = finite(values, name)
    if not np.isin(found, (0.0, 1.0)).all():
        raise InputError(f"{name}: expected successes, 0 or 1 for each trial")
    return found
