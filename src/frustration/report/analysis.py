"""From results to findings: every test, effect, mask, regime and family of a report, computed once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frustration.architecture import Architecture
from frustration.controls import baseline_of
from frustration.report import arms, overview
from frustration.report.cells import beats_chance, summarise
from frustration.report.comparisons import (
    Draft,
    TestSettings,
    draft,
    drafts,
    explore,
    finished,
    winner_of,
)
from frustration.report.findings import Analysis, Comparison, Group, RegimeFinding
from frustration.report.probes import compare_probes
from frustration.report.results import Cell, Setting, StudyResults
from frustration.report.verdicts import Answer, Question, answer, effective_looks, questions
from frustration.statistics.chance import chance_mask
from frustration.statistics.regimes import ABLATIONS, BASELINES, label_frequencies, regime

ALPHA = 0.05
MARGIN = 0.5
"""Points within which two arms count as equivalent, where scores are counted in points."""


def analyse(
    results: StudyResults,
    *,
    alpha: float = ALPHA,
    margin: float = MARGIN,
    seed: int = 0,
    control: str | None = None,
    resamples: int = TestSettings.resamples,
) -> Analysis:
    """Everything that can be said of these results; the same for the same results and seed.

    `control` is the arm that everything is set beside; treatments are compared with their own control first.
    """
    terms = TestSettings(
        metric=results.metric,
        paired=results.paired,
        alpha=alpha,
        margin=margin,
        seed=seed,
        extends=results.extends,
        resamples=resamples,
    )
    looks = effective_looks(
        results.looks, max((int(cell.trial.max()) + 1 for cell in results.cells if cell.n), default=1), alpha
    )
    control = control or results.plan.control
    sketches = [_sketch(*group, terms, control) for group in results.groups()]
    judged = _judge(sketches, terms, looks, results.plan.questions)
    groups = [_group(sketch, judged, terms) for sketch in sketches]
    return Analysis(
        metric=terms.metric,
        alpha=alpha,
        margin=margin,
        paired=terms.paired,
        runs=results.runs is not None,
        looks=looks,
        groups=tuple(groups),
        claims=tuple(overview.claims(groups, judged.averages, terms)),
        aggregates=tuple(overview.aggregates(groups, terms)),
        pareto=tuple(overview.pareto(groups)),
        arms=tuple(found for group in groups if (found := arms.arms_of(group, terms)) is not None),
        probes=tuple(compare_probes(results, groups, terms)),
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Sketch:
    """One architecture in one setting before its verdicts."""

    setting: Setting
    architecture: Architecture
    cells: tuple[Cell, ...]
    baseline: Cell
    learns: bool | None
    drafts: tuple[Draft, ...]


@dataclass(frozen=True, eq=False)
class _Judged:
    comparisons: dict[int, Comparison]
    """By the id of their draft."""
    averages: list[tuple[Question, Answer]]


def _sketch(
    setting: Setting,
    architecture: Architecture,
    cells: tuple[Cell, ...],
    terms: TestSettings,
    control: str | None,
) -> _Sketch:
    baseline = baseline_of(cells, control)
    found = drafts(cells, terms, baseline) if len(cells) > 1 else []
    sized = (draft(cell, wide, "size", terms) for cell, wide in arms.at_equal_size(cells))
    return _Sketch(
        setting=setting,
        architecture=architecture,
        cells=cells,
        baseline=baseline,
        learns=_learns(setting, cells),
        drafts=(*found, *(one for one in sized if one is not None)),
    )


def _judge(
    sketches: Sequence[_Sketch], terms: TestSettings, looks: tuple[int, ...], wanted: Sequence[str]
) -> _Judged:
    """Verdicts about the wanted treatments, or all, together; those about the rest together, for tables."""
    asked = questions([(one, sketch.learns is not False) for sketch in sketches for one in sketch.drafts])
    about = [question for question in asked if _is_main(question, wanted)] or asked
    rest = [question for question in asked if question not in about]
    baselines = {(sketch.setting, sketch.architecture): sketch.baseline for sketch in sketches}
    comparisons: dict[int, Comparison] = {}
    averages: list[tuple[Question, Answer]] = []
    for some in (about, rest):
        for question, found in zip(some, answer(some, terms, looks), strict=True):
            averages.append((question, found))
            for one, member in zip(question.drafts, found.members, strict=True):
                baseline = baselines[one.cell.setting, one.cell.architecture]
                comparisons[id(one)] = finished(
                    one, member, terms, share=found.share, baseline=baseline, main=some is about
                )
    explored = explore(list(comparisons.values()))
    return _Judged(dict(zip(comparisons, explored, strict=True)), averages)


def _is_main(question: Question, wanted: Sequence[str]) -> bool:
    """One that the study asks; without any such, a treatment, or a policy against the usual one."""
    cell = question.drafts[0].cell
    if wanted:
        return cell.label in wanted
    return bool(cell.treatments) or bool(cell.departures)


def _group(sketch: _Sketch, judged: _Judged, terms: TestSettings) -> Group:
    cells = sketch.cells
    found = [(one, judged.comparisons[id(one)]) for one in sketch.drafts]
    return Group(
        setting=sketch.setting,
        architecture=sketch.architecture,
        control=sketch.baseline.label if len(cells) > 1 else None,
        cells={cell.label: summarise(cell, terms.metric) for cell in cells},
        comparisons={c.treatment: c for one, c in found if one.kind != "size"},
        at_equal_size={c.treatment: c for one, c in found if one.kind == "size"},
        learns=sketch.learns,
        regimes=_regimes(sketch.setting, cells, terms),
        winner=winner_of(cells, terms),
    )


def _learns(setting: Setting, cells: tuple[Cell, ...]) -> bool | None:
    """Whether any trial beats chance by its bounty, the best of as many looks as there are loops."""
    scale = setting.chance_level
    values = np.concatenate([cell.values("bounty") for cell in cells])
    known = values[np.isfinite(values)]
    if setting.metric.chance is not None and known.size:
        return bool(np.any(beats_chance(setting, "bounty", known, known.size)))
    if scale is None or not known.size:
        return None
    masked = chance_mask([known], scale.zero_r_validation, scale.validation_images, looks=setting.meta_loops)
    return not bool(masked[0])


def _regimes(setting: Setting, cells: tuple[Cell, ...], terms: TestSettings) -> dict[str, RegimeFinding]:
    """By both published rule sets, always on bounties."""
    scale = setting.chance_level
    six = (*BASELINES, *ABLATIONS)
    bounties = {
        cell.label: known
        for cell in cells
        if cell.label in six and not cell.departures and (known := cell.bounty[np.isfinite(cell.bounty)]).size
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
            resamples=terms.resamples,
        )
        found[rules] = RegimeFinding(
            rules=rules,
            label=judged.label,
            confidence=frequencies.get(judged.label, 0.0),
            not_judged=judged.not_judged,
            missing=judged.missing,
        )
    return found
