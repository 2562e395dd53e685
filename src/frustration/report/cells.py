"""One treatment of one architecture in numbers."""

from __future__ import annotations

import functools
import warnings

import numpy as np

from frustration.report.findings import CellSummary, Moments
from frustration.report.results import Bools, Cell, Curves, Floats, Setting
from frustration.statistics.chance import Success, chance_threshold, success_of
from frustration.statistics.paired import t_interval
from frustration.statistics.results import Estimate

LATE = 0.2
"""The share of the loops, at the end, whose gain counts as late."""


def summarise(cell: Cell, metric: str) -> CellSummary:
    """`metric` is the headline: test or bounty."""
    curves = cell.curves
    return CellSummary(
        cell=cell,
        bounty=moments(cell.bounty),
        test=moments(cell.test_accuracy),
        headline=mean_of(cell.values(metric)),
        success=_success(cell, metric),
        inert=cell.is_inert,
        acceptance=_acceptance(curves) if curves is not None else None,
        harm=mean_of(over_loops(curves.harm)) if curves is not None else None,
        recovery=mean_of(over_loops(curves.recovery)) if curves is not None else None,
        late_gain=mean_of(late_gains(curves)) if curves is not None else None,
        parameters=_mean(cell.parameters),
        flops=_mean(cell.flops),
        training_flops=_mean(cell.training_flops),
        seconds=_mean(cell.seconds),
        dendrites=_mean(last_dendrites(cell)),
    )


def moments(values: Floats) -> Moments | None:
    """Of the finite ones among (trials,); None where there is none."""
    known = values[np.isfinite(values)]
    if not known.size:
        return None
    return Moments(
        mean=float(known.mean()),
        std=float(known.std()),
        least=float(known.min()),
        most=float(known.max()),
        n=known.size,
    )


def mean_of(values: Floats) -> Estimate | None:
    """Mean over the trials that have the number, with its t interval."""
    known = values[np.isfinite(values)]
    return t_interval(known) if known.size else None


def over_loops(values: Floats) -> Floats:
    """(trials, loops) -> mean over the loops that have the number, (trials,); NaN where none has."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the mean of nothing is NaN, as wanted
        return np.asarray(np.nanmean(values, axis=1)) if values.shape[1] else np.full(len(values), np.nan)


def late_gains(curves: Curves) -> Floats:
    """By how much the best score improved in the last 20 % of the loops, (trials,)."""
    length = curves.trained.sum(axis=1)
    before = np.floor((1.0 - LATE) * length + 1e-9).astype(int)
    rows = np.flatnonzero(before >= 1)
    gains = np.full(len(length), np.nan)
    gains[rows] = curves.sign * (curves.best[rows, length[rows] - 1] - curves.best[rows, before[rows] - 1])
    return gains


def last_dendrites(cell: Cell) -> Floats:
    """Per neuron, (trials,): what growth says, else what was trained last."""
    if any(growth is not None for growth in cell.growth):
        return np.array([float("nan") if growth is None else float(growth.added) for growth in cell.growth])
    if cell.curves is None or not cell.curves.trained.shape[1]:
        return np.zeros(cell.n)
    last = np.maximum(cell.loops - 1, 0)
    return np.asarray(cell.curves.dendrites[np.arange(cell.n), last])


def _acceptance(curves: Curves) -> float | None:
    loops = int(curves.trained.sum())
    return 100.0 * int(curves.accepted.sum()) / loops if loops else None


def _mean(values: Floats) -> float:
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")


def _success(cell: Cell, metric: str) -> Success | None:
    """Against what a network which knows nothing passes with a probability of 0.05 or less."""
    known = cell.values(metric)[np.isfinite(cell.values(metric))]
    learns = beats_chance(cell.setting, metric, known, known.size) if known.size else None
    return None if learns is None else success_of(known, learns)


def beats_chance(setting: Setting, metric: str, values: Floats, trials: int) -> Bools | None:
    """Which scores are better than chance for one of so many trials; None where chance is not known.

    What chance scores in a problem is for its metric to say; of images it is ZeroR, and luck is counted in.
    """
    kind = setting.metric
    if kind.chance is not None:
        return np.asarray(kind.sign * values > kind.sign * kind.chance)
    scale = setting.chance_level
    if scale is None:
        return None
    on_test = metric == "test"
    limit = _threshold(
        scale.zero_r_test if on_test else scale.zero_r_validation,
        scale.test_images if on_test else scale.validation_images,
        trials * (1 if on_test else setting.meta_loops),
    )
    return np.asarray(values >= limit - 1e-9)  # accuracies are k / images in floats


@functools.cache
def _threshold(zero_r: float, images: int, looks: int) -> float:
    return chance_threshold(zero_r, images, comparisons=looks)
