"""Distribution functions that NumPy lacks: Student's t, the binomial tail, the power of a t test."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from statistics import NormalDist

import numpy as np

from frustration.statistics.inputs import Array

NORMAL = NormalDist()


def normal_quantile(probability: float) -> float:
    return NORMAL.inv_cdf(probability)


def normal_cdf(values: Array) -> Array:
    """Same shape as `values`."""
    return np.array([NORMAL.cdf(value) for value in values.flat]).reshape(values.shape)


def t_tail(t: float, df: float) -> float:
    """P(T > t) for Student's t; accurate far out in the tail too."""
    if math.isinf(t):
        return 0.0 if t > 0 else 1.0
    half = 0.5 * incomplete_beta(df / 2.0, 0.5, df / (df + t * t))
    return half if t >= 0 else 1.0 - half


@functools.lru_cache(maxsize=4096)
def t_quantile(probability: float, df: float) -> float:
    """The t that P(T <= t) = probability; infinite without a degree of freedom."""
    if probability < 0.5:
        return -t_quantile(1.0 - probability, df)
    if df <= 0:
        return math.inf
    high = 1.0
    while t_tail(high, df) > 1.0 - probability:
        high *= 2.0
    return bisect(lambda t: 1.0 - probability - t_tail(t, df), 0.0, high)


def incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return float(x >= 1.0)
    if x > (a + 1.0) / (a + b + 2.0):  # the fraction converges fast on the other side
        return 1.0 - incomplete_beta(b, a, 1.0 - x)
    front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(front) * _beta_fraction(a, b, x) / a


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Lentz's algorithm; about sqrt(max(a, b)) steps."""
    tiny = 1e-300
    c, d = 1.0, 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, 10_000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d = 1.0 / ((1.0 + term * d) or tiny)
            c = (1.0 + term / c) or tiny
            fraction *= c * d
        if abs(c * d - 1.0) < 1e-15:
            break
    return fraction


def binomial_tails(n: int, probability: float) -> Array:
    """P(X >= k) for k = 0 … n + 1, shape (n + 2,)."""
    k = np.arange(n + 1)
    log_factorial = np.concatenate([[0.0], np.cumsum(np.log(np.arange(1, n + 1)))])
    log_choose = log_factorial[n] - log_factorial - log_factorial[::-1]
    mass = np.exp(log_choose + k * math.log(probability) + (n - k) * math.log1p(-probability))
    return np.concatenate([np.cumsum(mass[::-1])[::-1], [0.0]])


def t_test_power(shift: float, df: float, alpha: float) -> float:
    """P(|T| > its critical value) for the noncentral t with noncentrality `shift`.

    Given s, the estimated over the true standard deviation, T is normal; this averages over s. Right to seven
    digits from 7 degrees of freedom on; with one and a tiny alpha, too coarse.
    """
    critical = t_quantile(1.0 - alpha / 2.0, df)
    spread = 1.0 / math.sqrt(2.0 * df)
    low, high = max(0.0, 1.0 - 9.0 * spread), 1.0 + 9.0 * spread
    node, weight = _legendre(128)
    s = (high - low) / 2.0 * node + (high + low) / 2.0
    log_density = (
        math.log(2.0) + df / 2.0 * math.log(df / 2.0) - math.lgamma(df / 2.0)
        + (df - 1.0) * np.log(s) - df * s**2 / 2.0
    )  # fmt: skip
    rejected = normal_cdf(shift - critical * s) + normal_cdf(-shift - critical * s)
    return float((high - low) / 2.0 * np.sum(weight * np.exp(log_density) * rejected))


@functools.cache
def _legendre(points: int) -> tuple[Array, Array]:
    """Nodes and weights of Gauss and Legendre's rule on [-1, 1]."""
    node, weight = np.polynomial.legendre.leggauss(points)
    return np.asarray(node), np.asarray(weight)


def bisect(function: Callable[[float], float], low: float, high: float) -> float:
    """Where `function`, which is not positive at `low` and not negative at `high`, changes sign."""
    for _ in range(200):
        middle = (low + high) / 2.0
        if middle in (low, high):
            break
        low, high = (middle, high) if function(middle) < 0.0 else (low, middle)
    return (low + high) / 2.0
