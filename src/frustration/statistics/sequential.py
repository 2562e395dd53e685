"""A study that is looked at repeatedly while it is extended: alpha spending over its looks.

The first look may spend four fifths of alpha. The rest is spent as the study grows: up to n trials, of n_1 at
the first look, 1 - n_1 / (5 n) of alpha. The sum stays below alpha however often it is extended, so nobody
needs to plan the looks beforehand. What was found at a look stays found.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics.inputs import Array, numbers

FIRST: Final = 0.8
"""The share of alpha that the first look may spend."""


def shares(looks: Sequence[int]) -> tuple[float, ...]:
    """What each look may spend of alpha; `looks` are the trials that there were, rising."""
    if not looks or looks[0] < 1 or any(later <= one for one, later in itertools.pairwise(looks)):
        raise InputError(f"looks: {list(looks)}; expected rising numbers of trials")
    spent = [1.0 - (1.0 - FIRST) * looks[0] / trials for trials in looks]
    return tuple(now - before for now, before in zip(spent, [0.0, *spent], strict=False))


def over_looks(p: ArrayLike, looks: Sequence[int]) -> Array:
    """p values (looks, tests) -> (tests,): at most alpha where some look's p is within its share of alpha.

    A test that could not be made at a look has p = 1 there.
    """
    values = numbers(p, "p values")
    if values.ndim != 2 or len(values) != len(looks):
        raise InputError(f"p values: shape {values.shape}; expected a row for each of {len(looks)} looks")
    return np.asarray(np.minimum(1.0, (values / np.array(shares(looks))[:, None]).min(axis=0)))
