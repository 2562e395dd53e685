"""Treatments against the control of their architecture: the primary family, and exploration beside it."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from frustration.report.findings import Comparison, Winner
from frustration.report.results import Cell, Floats
from frustration.statistics import families
from frustration.statistics.equivalence import Equivalence, paired_equivalence, unpaired_equivalence
from frustration.statistics.families import Family
from frustration.statistics.paired import sign_flip, sign_flip_interval
from frustration.statistics.power import minimum_detectable_effect, more_trials
from frustration.statistics.results import Estimate, Significance
from frustration.statistics.unpaired import mean_difference, probability_of_improvement, rank_sum


@dataclass(frozen=True, kw_only=True)
class TestSettings:
    """How comparisons are made, everywhere in a report."""

    metric: str
    paired: bool
    alpha: float
    margin: float
    seed: int
    draws: int = 19_999
    """Random flips where trials are too many for all of them (more than 30 pairs): p goes down to 0.00005."""

    def generator(self) -> np.random.Generator:
        """A fresh one for each use: no number depends on what else is in the report."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, eq=False)
class Pair:
    """A treatment and its control: finite values, (m,) and (n,); trial by trial if paired."""

    treatment: Floats
    control: Floats
    paired: bool

    @property
    def differences(self) -> Floats:
        return np.round(self.treatment - self.control, 9)

    def test(self, terms: TestSettings) -> Significance:
        if self.paired:
            return sign_flip(self.differences, generator=terms.generator(), draws=terms.draws)
        return rank_sum(self.treatment, self.control, generator=terms.generator(), draws=terms.draws)

    def difference(self, terms: TestSettings, level: float = 0.95) -> Estimate:
        if self.paired:
            return sign_flip_interval(
                self.differences, level=level, generator=terms.generator(), draws=terms.draws
            )
        return mean_difference(self.treatment, self.control, level=level)

    def equivalence(self, terms: TestSettings) -> Equivalence:
        if self.paired:
            return paired_equivalence(
                self.differences,
                terms.margin,
                alpha=terms.alpha,
                generator=terms.generator(),
                draws=terms.draws,
            )
        return unpaired_equivalence(self.treatment, self.control, terms.margin, alpha=terms.alpha)

    @property
    def spread(self) -> float:
        """Standard deviation (ddof 1) of the differences, or the larger one of the two arms."""
        if self.paired:
            return float(self.differences.std(ddof=1)) if self.differences.size > 1 else float("nan")
        spreads = [float(arm.std(ddof=1)) for arm in (self.treatment, self.control) if arm.size > 1]
        return max(spreads, default=float("nan"))


def pair_of(treatment: Cell, control: Cell, terms: TestSettings) -> Pair | None:
    """By the headline; None where one of them has no trial to compare."""
    return paired_values(
        treatment.trial,
        treatment.values(terms.metric),
        control.trial,
        control.values(terms.metric),
        paired=terms.paired,
    )


def paired_values(
    trial: np.ndarray, values: Floats, control_trial: np.ndarray, control: Floats, *, paired: bool
) -> Pair | None:
    """What both have of two arms with their trial numbers; trials without a finite value are left out."""
    known, known_control = np.isfinite(values), np.isfinite(control)
    if not known.any() or not known_control.any():
        return None
    if not paired:
        return Pair(values[known], control[known_control], paired=False)
    of_trial = dict(zip(control_trial[known_control].tolist(), control[known_control], strict=True))
    both = [
        (x, of_trial[t]) for t, x in zip(trial[known].tolist(), values[known], strict=True) if t in of_trial
    ]
    if not both:
        return None
    x, y = np.array(both).T
    return Pair(x, y, paired=True)


def control_of(cells: Sequence[Cell]) -> Cell | None:
    """The bare ratchet, with the policies that most others have; else another control; else the first."""
    bare = [cell for cell in cells if cell.program == "none"]
    other = [cell for cell in cells if not cell.treatments]
    common = Counter(cell.policies for cell in cells if cell.program != "none")
    candidates = bare or other or list(cells)
    return max(candidates, key=lambda cell: common[cell.policies], default=None)


def compare_group(
    cells: Sequence[Cell], control: Cell, terms: TestSettings
) -> tuple[dict[str, Comparison], Family | None]:
    """Every other cell against the control, corrected together."""
    pairs = {
        cell.label: pair for cell in cells if cell is not control and (pair := pair_of(cell, control, terms))
    }
    if not pairs:
        return {}, None
    inert = {cell.label for cell in cells if cell.is_inert} & set(pairs)
    tests = {label: pair.test(terms) for label, pair in pairs.items()}
    family = families.judge(tests, inert=inert, alpha=terms.alpha)
    share = terms.alpha / max(1, family.size)
    by_label = {cell.label: cell for cell in cells}
    found = {}
    for label, pair in pairs.items():
        improvement = probability_of_improvement(pair.treatment, pair.control)
        found[label] = Comparison(
            setting=control.setting,
            architecture=by_label[label].architecture,
            treatment=label,
            control=control.label,
            member=family[label],
            acted=label not in inert,
            explored_p=None,
            difference=pair.difference(terms),
            cliffs_delta=_delta(improvement),
            improvement=improvement,
            equivalence=pair.equivalence(terms),
            detectable=_detectable(pair, share),
            more=more_trials(pair.differences, effect=terms.margin, alpha=share) if pair.paired else None,
        )
    return found, family


def _delta(improvement: Estimate) -> Estimate:
    """Cliff's delta says the same on another scale."""
    return dataclasses.replace(
        improvement,
        value=2.0 * improvement.value - 1.0,
        low=2.0 * improvement.low - 1.0,
        high=2.0 * improvement.high - 1.0,
    )


def _detectable(pair: Pair, alpha: float) -> float:
    n = min(pair.treatment.size, pair.control.size)
    if not np.isfinite(pair.spread):
        return float("inf")
    return minimum_detectable_effect(pair.spread, n, alpha=alpha, paired=pair.paired)


def explore(found: Sequence[Mapping[str, Comparison]]) -> list[dict[str, Comparison]]:
    """The same comparisons with p adjusted by Benjamini and Hochberg over all that are in a family."""
    active = [one for group in found for one in group.values() if one.tested]
    adjusted: dict[int, float] = {}
    if active:
        p = families.benjamini_hochberg([one.test.p for one in active])
        adjusted = {id(one): float(value) for one, value in zip(active, p, strict=True)}
    return [
        {label: dataclasses.replace(one, explored_p=adjusted.get(id(one))) for label, one in group.items()}
        for group in found
    ]


def winner_of(cells: Sequence[Cell], terms: TestSettings) -> Winner | None:
    """The best by the headline's mean, decided only if it beats every other one at alpha.

    The largest p over all others is what a claim "the best of all" rests on; no correction is due, because
    all of them must be rejected. Inert treatments are the control under another name and do not compete.
    """
    means = {
        cell.label: float(np.mean(known))
        for cell in cells
        if not cell.is_inert
        and (known := cell.values(terms.metric)[np.isfinite(cell.values(terms.metric))]).size
    }
    if not means:
        return None
    by_label = {cell.label: cell for cell in cells}
    order = sorted(means, key=lambda label: -means[label])
    best = by_label[order[0]]
    tests = []
    for label in order[1:]:
        pair = pair_of(best, by_label[label], terms)
        tests.append(pair.test(terms) if pair else None)
    sure = bool(tests) and all(t is not None and t.p <= terms.alpha and t.effect > 0 for t in tests)
    known_p = [t.p for t in tests if t is not None]
    return Winner(
        label=order[0],
        runner_up=order[1] if len(order) > 1 else None,
        p=max(known_p, default=None),
        decided=sure,
    )
