"""Claims over many architectures, and what each treatment costs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from frustration.metric import PERCENT
from frustration.report.comparisons import Draft, TestSettings
from frustration.report.findings import Aggregate, Claim, Comparison, Group, ParetoRow
from frustration.report.results import Cell, Floats, Setting
from frustration.report.verdicts import Answer, Question, averaged
from frustration.statistics.aggregates import (
    average_probability_of_improvement,
    bootstrap_band,
    bootstrap_interval,
    iqm,
    performance_profile,
)
from frustration.statistics.families import Member
from frustration.statistics.joint import heterogeneity, joint_interval, joint_wins
from frustration.statistics.results import Estimate, Significance

COSTS = ("parameters", "flops", "training_flops", "seconds")


def settings_of(groups: Sequence[Group]) -> dict[Setting, list[Group]]:
    """Groups by setting; only those that learn, unless it is not known of any."""
    found: dict[Setting, list[Group]] = {}
    for group in groups:
        found.setdefault(group.setting, [])
        if group.learns is not False:
            found[group.setting].append(group)
    return found


def claims(
    groups: Sequence[Group], averages: Sequence[tuple[Question, Answer]], terms: TestSettings
) -> list[Claim]:
    """Every question over the architectures that learn and have it; from two on."""
    by_place = {(group.setting, group.architecture): group for group in groups}
    found = []
    for question, answered in averages:
        drafts = averaged(question)
        if len(drafts) < 2:
            continue
        comparisons = []
        for one in drafts:
            group = by_place[one.cell.setting, one.cell.architecture]
            where = group.at_equal_size if one.kind == "size" else group.comparisons
            comparisons.append(where[one.cell.label])
        found.append(_claim(drafts, comparisons, answered.average, terms))
    return found


def _claim(
    drafts: Sequence[Draft], comparisons: Sequence[Comparison], member: Member | None, terms: TestSettings
) -> Claim:
    x, y = _arms(drafts, terms)
    sign = drafts[0].cell.setting.metric.sign
    varies: float | None = None
    wins: Significance | None = None
    if terms.paired:
        differences, there = _differences(x, y)
        difference = joint_interval(
            differences, present=there, generator=terms.generator(), draws=terms.draws
        )
        wins = joint_wins(sign * differences, present=there, generator=terms.generator(), draws=terms.draws)
        shared = differences[:, there.all(axis=0)]
        if shared.shape[1]:
            varies = heterogeneity(shared, generator=terms.generator(), draws=terms.draws)
    else:
        whole = _whole(x), _whole(y)
        difference = bootstrap_interval(
            _mean_difference, *whole, generator=terms.generator(), joint=False, resamples=terms.resamples
        )
    first = comparisons[0]
    return Claim(
        setting=first.setting,
        treatment=first.treatment,
        control=first.control,
        kind=first.kind,
        main=first.main,
        architectures=len(drafts),
        trials=x.shape[1],
        member=member,
        varies=varies,
        difference=difference,
        least=min(comparisons, key=lambda one: one.difference.value),
        most=max(comparisons, key=lambda one: one.difference.value),
        wins=wins,
        improvement=_improvement(sign * x, sign * y, terms),
        better=sum(one.finding == "better" for one in comparisons),
        worse=sum(one.finding == "worse" for one in comparisons),
        equivalent=sum(one.equivalence is not None and one.equivalence.equivalent for one in comparisons),
    )


def _arms(drafts: Sequence[Draft], terms: TestSettings) -> tuple[Floats, Floats]:
    """Treatment and control, (architectures, trials) by trial number; NaN where a trial is missing."""
    cells = [(one.cell, one.control) for one in drafts]
    last = max(int(cell.trial.max()) for pair in cells for cell in pair if cell.n) + 1
    return _table([x for x, _ in cells], last, terms.metric), _table(
        [y for _, y in cells], last, terms.metric
    )


def _table(cells: Sequence[Cell], trials: int, metric: str) -> Floats:
    table = np.full((len(cells), trials), np.nan)
    for row, cell in enumerate(cells):
        table[row, cell.trial] = cell.values(metric)
    return table


def _differences(x: Floats, y: Floats) -> tuple[Floats, np.ndarray]:
    """Differences, 0 where missing, and which are there; columns of which nothing is there are dropped."""
    differences = x - y
    there = np.isfinite(differences)
    used = there.any(axis=0)
    return np.where(there, np.round(differences, 9), 0.0)[:, used], there[:, used]


def _whole(table: Floats) -> Floats:
    """The trial numbers that every architecture has."""
    return table[:, np.isfinite(table).all(axis=0)]


def _mean_difference(x: Floats, y: Floats) -> float:
    return float((x.mean(axis=1) - y.mean(axis=1)).mean())


def _improvement(x: Floats, y: Floats, terms: TestSettings) -> Estimate | None:
    both = np.isfinite(x).all(axis=0) & np.isfinite(y).all(axis=0)
    if not both.any():
        return None
    return bootstrap_interval(
        average_probability_of_improvement,
        x[:, both],
        y[:, both],
        generator=terms.generator(),
        joint=terms.paired,
        resamples=terms.resamples,
    )


def aggregates(groups: Sequence[Group], terms: TestSettings) -> list[Aggregate]:
    """IQM and performance profile of every treatment that all architectures of a setting that learn have."""
    found = []
    for setting, members in settings_of(groups).items():
        labels = list(dict.fromkeys(one for group in members for one in group.cells))
        for label in labels:
            having = [group.cells[label].cell for group in members if label in group.cells]
            having = [cell for cell in having if cell.n]
            if len(having) < 2 or len(having) < len(members):
                continue
            last = max(int(cell.trial.max()) for cell in having) + 1
            table = _whole(_table(having, last, terms.metric))
            if not table.shape[1]:
                continue
            found.append(_aggregate(setting, label, table, terms))
    return found


def _aggregate(setting: Setting, label: str, table: Floats, terms: TestSettings) -> Aggregate:
    """`table` is (architectures, trials)."""
    sign = setting.metric.sign
    thresholds = np.linspace(0.0, 100.0, 101) if setting.metric.unit == PERCENT else np.unique(table)
    return Aggregate(
        setting=setting,
        treatment=label,
        architectures=len(table),
        iqm=bootstrap_interval(
            iqm, table, generator=terms.generator(), joint=terms.paired, resamples=terms.resamples
        ),
        thresholds=thresholds,
        profile=bootstrap_band(
            lambda scores: performance_profile(sign * scores, sign * thresholds),
            table,
            generator=terms.generator(),
            joint=terms.paired,
            resamples=terms.resamples,
        ),
    )


def pareto(groups: Sequence[Group]) -> list[ParetoRow]:
    """Every cell with its costs, and at which nothing in its setting that is as cheap reaches more."""
    rows: list[ParetoRow] = []
    by_setting: dict[Setting, list[tuple[Group, str]]] = {}
    for group in groups:
        for label, cell in group.cells.items():
            if cell.headline is not None:
                by_setting.setdefault(group.setting, []).append((group, label))
    for setting, members in by_setting.items():
        cells = [group.cells[label] for group, label in members]
        sign = setting.metric.sign
        reached = sign * np.array([cell.headline.value for cell in cells if cell.headline])
        fronts = {cost: _front(np.array([getattr(cell, cost) for cell in cells]), reached) for cost in COSTS}
        for at, ((group, label), cell) in enumerate(zip(members, cells, strict=True)):
            if cell.headline is not None:
                rows.append(
                    ParetoRow(
                        setting=setting,
                        architecture=group.architecture,
                        label=label,
                        headline=cell.headline,
                        parameters=cell.parameters,
                        flops=cell.flops,
                        training_flops=cell.training_flops,
                        seconds=cell.seconds,
                        best_for=tuple(cost for cost in COSTS if fronts[cost][at]),
                    )
                )
    return rows


def _front(cost: Floats, reached: Floats) -> np.ndarray:
    """Which points no other one beats in one respect without being worse in the other, (points,)."""
    no_dearer = cost[None, :] <= cost[:, None]
    no_worse = reached[None, :] >= reached[:, None]
    better = (cost[None, :] < cost[:, None]) | (reached[None, :] > reached[:, None])
    return np.asarray(np.isfinite(cost) & ~(no_dearer & no_worse & better).any(axis=1))
