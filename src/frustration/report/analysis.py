"""From results to findings: every test, effect, mask, regime and family of a report, computed once."""

from __future__ import annotations

import dataclasses

import numpy as np

from frustration.architecture import Architecture
from frustration.report import arms, overview
from frustration.report.cells import summarise
from frustration.report.comparisons import TestSettings, compare_group, control_of, explore, winner_of
from frustration.report.findings import Analysis, Group, RegimeFinding
from frustration.report.probes import compare_probes
from frustration.report.results import Cell, Setting, StudyResults
from frustration.statistics.chance import chance_mask
from frustration.statistics.regimes import ABLATIONS, BASELINES, label_frequencies, regime

ALPHA = 0.05
MARGIN = 0.5
"""Points of accuracy within which two arms count as equivalent."""
RESAMPLES = 1_000


def analyse(
    results: StudyResults, *, alpha: float = ALPHA, margin: float = MARGIN, seed: int = 0
) -> Analysis:
    """Everything that can be said of these results; the same for the same results and seed."""
    terms = TestSettings(
        metric=results.metric, paired=not results.published, alpha=alpha, margin=margin, seed=seed
    )
    groups = [
        _group(setting, architecture, cells, terms) for setting, architecture, cells in results.groups()
    ]
    explored = explore([group.comparisons for group in groups])
    groups = [
        dataclasses.replace(group, comparisons=comparisons)
        for group, comparisons in zip(groups, explored, strict=True)
    ]
    return Analysis(
        metric=terms.metric,
        alpha=alpha,
        margin=margin,
        paired=terms.paired,
        groups=tuple(groups),
        claims=tuple(overview.claims(groups, terms)),
        aggregates=tuple(overview.aggregates(groups, terms)),
        pareto=tuple(overview.pareto(groups)),
        arms=tuple(found for group in groups if (found := arms.arms_of(group, terms)) is not None),
        probes=tuple(compare_probes(results, groups, terms)),
    )


def _group(
    setting: Setting, architecture: Architecture, cells: tuple[Cell, ...], terms: TestSettings
) -> Group:
    control = control_of(cells) if len(cells) > 1 else None
    comparisons, family = compare_group(cells, control, terms) if control else ({}, None)
    return Group(
        setting=setting,
        architecture=architecture,
        control=control.label if control else None,
        cells={cell.label: summarise(cell, terms.metric) for cell in cells},
        comparisons=comparisons,
        family=family,
        learns=_learns(setting, cells, "bounty"),
        learns_test=_learns(setting, cells, "test"),
        regimes=_regimes(setting, cells, terms),
        winner=winner_of(cells, terms),
    )


def _learns(setting: Setting, cells: tuple[Cell, ...], metric: str) -> bool | None:
    """Whether any trial beats chance: the bounty is the best of as many looks as there are loops."""
    scale = setting.yardstick
    values = np.concatenate([cell.values(metric) for cell in cells])
    known = values[np.isfinite(values)]
    if scale is None or not known.size:
        return None
    on_test = metric == "test"
    masked = chance_mask(
        [known],
        scale.zero_r_test if on_test else scale.zero_r_validation,
        scale.test_images if on_test else scale.validation_images,
        looks=1 if on_test else setting.meta_loops,
    )
    return not bool(masked[0])


def _regimes(setting: Setting, cells: tuple[Cell, ...], terms: TestSettings) -> dict[str, RegimeFinding]:
    """By both published rule sets, always on bounties."""
    scale = setting.yardstick
    six = (*BASELINES, *ABLATIONS)
    bounties = {
        cell.label: known
        for cell in cells
        if cell.label in six and (known := cell.bounty[np.isfinite(cell.bounty)]).size
    }
    if scale is None or not bounties:
        return {}
    joint = terms.paired and len({values.size for values in bounties.values()}) == 1
    found = {}
    for rules in ("paper", "code"):
        judged = regime(bounties, scale.zero_r_validation, rules)
        frequencies = label_frequencies(
            bounties,
            scale.zero_r_validation,
            rules,
            generator=terms.generator(),
            joint=joint,
            resamples=RESAMPLES,
        )
        found[rules] = RegimeFinding(
            rules=rules,
            label=judged.label,
            confidence=frequencies.get(judged.label, 0.0),
            frequencies=frequencies,
            not_judged=judged.not_judged,
            missing=judged.missing,
        )
    return found
