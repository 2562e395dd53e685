"""The middle half of trials, loop by loop."""

from __future__ import annotations

import warnings

import numpy as np

from frustration.report.results import Floats

QUARTILES = (0.5, 0.25, 0.75)


def quartiles(values: Floats) -> Floats:
    """(trials, loops) -> (median, lower, upper quartile), each (loops,), of the trials that have the loop."""
    if np.isfinite(values).all():  # the usual case, and much the faster
        return np.asarray(np.quantile(values, QUARTILES, axis=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # loops that no trial has stay NaN
        return np.asarray(np.nanquantile(values, QUARTILES, axis=0))
