"""What the page's own script draws and filters: numbers only, rounded to what is shown."""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from frustration.metric import POINTS, Metric
from frustration.report.figures.families import families, short
from frustration.report.figures.markers import POLYGONS
from frustration.report.figures.mode_style import Look, looks_of
from frustration.report.figures.quartiles import quartiles
from frustration.report.findings import Analysis, CellSummary, Comparison
from frustration.report.results import Cell, Curves, StudyResults
from frustration.statistics.results import Estimate

CURVE_POINTS: Final = 34
"""Loops of a learning curve that the page holds, at most."""
MOST_TRIALS: Final = 20_000
"""Rows of the table of trials; the CSV has all."""
CURVE_BUDGET: Final = 30_000
"""Points of curves in the page, over all cells."""

FINDINGS: Final = (
    "better",
    "worse",
    "undecided",
    "n too small",
    "too few draws",
    "identical",
    "inert",
    "mostly inert",
)


class Names:
    """Indices by which rows, marks and filters know settings, architectures and treatments."""

    def __init__(self, results: StudyResults) -> None:
        self.settings = {setting: index for index, setting in enumerate(results.settings)}
        ordered = [a for family in families(results.architectures) for a in family.members]
        self.architectures = {architecture: index for index, architecture in enumerate(ordered)}
        self.labels = {label: index for index, label in enumerate(results.labels)}

    def at(self, cell: Cell | Comparison) -> tuple[int, int, int]:
        label = cell.label if isinstance(cell, Cell) else cell.treatment
        return self.settings[cell.setting], self.architectures[cell.architecture], self.labels[label]


def payload(results: StudyResults, analysis: Analysis, names: Names) -> dict[str, Any]:
    """The JSON of the page; docs/figures.md says what each list holds."""
    groups = families(results.architectures)
    summaries = [summary for group in analysis.groups for summary in group.cells.values() if summary.cell.n]
    by_label = looks_of(names.labels)
    looks = [by_label[label] for label in names.labels]
    return {
        "headline": analysis.headline,
        "alpha": analysis.alpha,
        "settings": [setting.name for setting in names.settings],
        "metrics": [_metric(setting.metric) for setting in names.settings],
        "labels": list(names.labels),
        "marks": [_mark(look) for look in looks],
        "dashes": [_dash(look) for look in looks],
        "architectures": [[short(a), str(a)] for a in names.architectures],
        "families": [[family.name, len(family.members)] for family in groups],
        "findings": FINDINGS,
        "cells": [_cell(summary, names) for summary in summaries],
        "comparisons": [_comparison(one, names) for one in analysis.comparisons],
        "curves": _curves(summaries),
        "trials": _trials(summaries),
    }


def _metric(metric: Metric) -> list[Any]:
    """Of a setting: name, unit of scores, unit of differences, 1 or -1 where lower is better."""
    return [metric.name, metric.unit, POINTS if metric.in_points else metric.unit, metric.sign]


def _mark(look: Look) -> list[list[float]]:
    """Corners of the marker that figures have."""
    return [[round(x, 3), round(y, 3)] for x, y in POLYGONS[look.marker]]


def _dash(look: Look) -> str:
    """The dashes that figures have, for lines of 1.5 pixels."""
    return "" if look.dash == "-" else " ".join(f"{1.5 * length:g}" for length in look.dash[1])


def _cell(summary: CellSummary, names: Names) -> list[Any]:
    """setting, architecture, label, n, headline mean, low, high, std, bounty, accepted, harm, recovery, late,
    parameters, FLOPs, training FLOPs, seconds."""
    cell, metric = summary.cell, summary.cell.setting.metric
    values = cell.values("test" if summary.test else "bounty")
    known = values[np.isfinite(values)]
    return [
        *names.at(cell),
        cell.n,
        *_interval(summary.headline, metric, 2),
        _score(float(known.std()), metric) if known.size > 1 else None,
        _score(summary.bounty.mean, metric) if summary.bounty else None,
        rounded(summary.acceptance, 1),
        _score(summary.harm.value, metric) if summary.harm else None,
        _score(summary.recovery.value, metric) if summary.recovery else None,
        _score(summary.late_gain.value, metric) if summary.late_gain else None,
        rounded(summary.parameters, 0),
        rounded(summary.flops, 0),
        rounded(summary.training_flops, 0),
        rounded(summary.seconds, 3),
    ]


def _comparison(one: Comparison, names: Names) -> list[Any]:
    """setting, architecture, label, difference, low, high, finding, p, adjusted p."""
    adjusted = one.member.adjusted_p
    return [
        *names.at(one),
        *_interval(one.difference, one.setting.metric, 3),
        FINDINGS.index(one.finding),
        significant(one.test.p),
        None if adjusted is None else significant(adjusted),
    ]


def _curves(summaries: list[CellSummary]) -> list[Any]:
    """One per cell: loops, median, lower and upper quartile of the best validation score so far; or null."""
    curved = sum(summary.cell.curves is not None for summary in summaries)
    points = max(8, min(CURVE_POINTS, CURVE_BUDGET // max(curved, 1)))
    return [
        None if s.cell.curves is None else _curve(s.cell.curves, points, s.cell.setting.metric)
        for s in summaries
    ]


def _curve(curves: Curves, points: int, metric: Metric) -> list[Any] | None:
    length = curves.best.shape[1]
    if not length:
        return None
    at = np.unique(np.linspace(0, length - 1, min(points, length)).round().astype(int))
    return [
        (at + 1).tolist(),
        *[[_score(v, metric) for v in row] for row in quartiles(curves.best[:, at]).tolist()],
    ]


def _trials(summaries: list[CellSummary]) -> list[Any]:
    """Per trial: index of its cell, number, bounty, its loop, test accuracy, loops, seconds."""
    rows: list[Any] = []
    for index, summary in enumerate(summaries):
        cell, metric = summary.cell, summary.cell.setting.metric
        columns = (cell.bounty, cell.bounty_loop, cell.test_accuracy, cell.loops, cell.seconds)
        for trial, numbers in enumerate(zip(*(column.tolist() for column in columns), strict=True)):
            bounty, loop, test, loops, seconds = numbers
            rows.append(
                [
                    index,
                    int(cell.trial[trial]),
                    _score(bounty, metric),
                    rounded(loop, 0),
                    _score(test, metric),
                    loops,
                    rounded(seconds, 2),
                ]
            )
            if len(rows) == MOST_TRIALS:
                return rows
    return rows


def _interval(estimate: Estimate | None, metric: Metric, digits: int) -> list[float | None]:
    if estimate is None:
        return [None, None, None]
    return [_score(value, metric, digits) for value in (estimate.value, estimate.low, estimate.high)]


def _score(value: float | None, metric: Metric, digits: int = 2) -> float | None:
    """Two digits behind the point of a percentage; four figures of anything else."""
    if value is None or metric.in_points:
        return rounded(value, digits)
    return float(f"{value:.4g}") if math.isfinite(value) else None


def rounded(value: float | None, digits: int) -> float | None:
    """None where there is no finite number; whole where no digits are kept."""
    if value is None or not math.isfinite(value):
        return None
    return round(value, digits) if digits else round(value)


def significant(value: float) -> float | None:
    """Three significant digits."""
    return float(f"{value:.3g}") if math.isfinite(value) else None
