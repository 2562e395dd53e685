"""Probes of the kept networks in a report: fault tolerance and the like, treatment against control."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np

from frustration.report.comparisons import TestSettings, paired_values
from frustration.report.findings import Group, ProbeComparison
from frustration.report.results import Cell, Floats, StudyResults
from frustration.statistics import families

MEASURES: Final = {
    "knock-out area": (("knockout", "area"), True),
    "weight-noise area": (("weight_noise", "area"), True),
    "corruptions mean": (("corruptions", "mean"), True),
    "ECE": (("calibration", "ece"), False),
    "NLL": (("calibration", "nll"), False),
    "dead units": (("representation", "dead"), False),
    "effective rank": (("representation", "effective_rank"), True),
    "latency": (("latency", "median_us"), False),
}
"""Name -> (where it is in a probe, whether more of it is better). docs/probes.md says what each is."""


def compare_probes(
    results: StudyResults, groups: Sequence[Group], terms: TestSettings
) -> list[ProbeComparison]:
    """Every measure of every treatment against control; a family is one measure of one architecture."""
    if not results.probes:
        return []
    return [
        found
        for group in groups
        for measure in MEASURES
        for found in _family(results.probes, group, measure, terms)
    ]


def _family(
    probes: Mapping[str, Mapping[str, Any]], group: Group, measure: str, terms: TestSettings
) -> list[ProbeComparison]:
    pairs = {}
    for label, comparison in group.comparisons.items():
        cell, control = group.cells[label].cell, group.cells[comparison.control].cell
        pair = paired_values(
            cell.trial,
            measured(cell, probes, measure),
            control.trial,
            measured(control, probes, measure),
            paired=True,
        )
        if pair is not None:
            pairs[label] = pair
    if not pairs:
        return []
    inert = {label for label in pairs if not group.comparisons[label].acted}
    family = families.judge(
        {label: pair.test(terms) for label, pair in pairs.items()}, inert=inert, alpha=terms.alpha
    )
    return [
        ProbeComparison(
            setting=group.setting,
            architecture=group.architecture,
            measure=measure,
            higher_is_better=MEASURES[measure][1],
            treatment=label,
            control=group.comparisons[label].control,
            acted=label not in inert,
            member=family[label],
            mean=float(pair.treatment.mean()),
            control_mean=float(pair.control.mean()),
            difference=pair.difference(terms),
        )
        for label, pair in pairs.items()
    ]


def measured(cell: Cell, probes: Mapping[str, Mapping[str, Any]], measure: str) -> Floats:
    """One number per trial, (trials,); NaN where it was not measured."""
    return np.array([_number(probes.get(one, {}), measure) for one in cell.ids], dtype=np.float64)


def curve(cell: Cell, probes: Mapping[str, Mapping[str, Any]], measure: str) -> tuple[Floats, Floats] | None:
    """Levels (k,) and accuracy (trials, k) of `knockout` or `weight_noise`; None where nothing was measured.

    Levels are shares of silenced units, or sigmas. Networks measured at other levels than the first are left
    out: NaN.
    """
    found = [_measure(probes.get(one, {}), measure) for one in cell.ids]
    axis = "fractions" if measure == "knockout" else "sigmas"
    levels = next((one["settings"][axis] for one in found if one), None)
    if levels is None:
        return None
    table = np.full((len(found), len(levels)), np.nan)
    for row, one in enumerate(found):
        if one and one["settings"][axis] == levels and len(one["accuracy"]) == len(levels):
            table[row] = [math.nan if value is None else value for value in one["accuracy"]]
    return np.array(levels, dtype=np.float64), table


def _measure(probe: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = probe.get("measures", {}).get(name)
    return found if isinstance(found, Mapping) else {}


def _number(probe: Mapping[str, Any], measure: str) -> float:
    name, field = MEASURES[measure][0]
    found = _measure(probe, name)
    value = found.get(field)
    if value is None or value == []:
        return math.nan
    if measure == "dead units":
        units = sum(found.get("units") or [0])
        return 100.0 * sum(value) / units if units else math.nan
    if measure == "effective rank":
        return float(np.mean(value))
    return float(value[0] if isinstance(value, list) else value)
