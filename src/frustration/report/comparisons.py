"""Treatments against controls: values in pairs, and everything of a comparison but its verdict."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from frustration.controls import control_of, own_control
from frustration.metric import Metric
from frustration.report.cells import beats_chance
from frustration.report.findings import Beside, Comparison, Winner
from frustration.report.results import Bools, Cell, Floats, Ints
from frustration.statistics import families
from frustration.statistics.equivalence import Equivalence, paired_equivalence, unpaired_equivalence
from frustration.statistics.paired import sign_flip, sign_flip_interval
from frustration.statistics.power import minimum_detectable_effect, more_trials
from frustration.statistics.results import Estimate, Significance
from frustration.statistics.success import fisher, mcnemar
from frustration.statistics.unpaired import mean_difference, probability_of_improvement, rank_sum


@dataclass(frozen=True, kw_only=True)
class TestSettings:
    """How comparisons are made, everywhere in a report."""

    metric: str
    paired: bool
    alpha: float
    margin: float
    """Of scores in points; other metrics have their own or none."""
    seed: int
    extends: bool = True
    """Whether trials may be added and looked at again: each look then spends its own part of alpha."""
    draws: int = 19_999
    """Random flips where trials are too many for all of them (more than 30 pairs): p goes down to 0.00005."""
    resamples: int = 1_000
    """Of a bootstrap: no verdict or sentence rests on one, only intervals in tables and figures."""

    def generator(self) -> np.random.Generator:
        """A fresh one for each use: no number depends on what else is in the report."""
        return np.random.default_rng(self.seed)


@dataclass(frozen=True, eq=False)
class Pair:
    """A treatment and its control: finite values, (m,) and (n,); trial by trial if paired."""

    treatment: Floats
    control: Floats
    paired: bool
    trial: Ints
    """Numbers of the treatment's trials, (m,)."""

    @property
    def differences(self) -> Floats:
        return np.round(self.treatment - self.control, 9)

    def until(self, trials: int) -> Pair | None:
        """What was known when there were so many trials; None where that was nothing."""
        there = self.trial < trials
        if not self.paired or not there.any():
            return None
        return Pair(self.treatment[there], self.control[there], self.paired, self.trial[there])

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

    def equivalence(self, terms: TestSettings, metric: Metric) -> Equivalence | None:
        """None where no difference is known to be too small to matter."""
        margin = metric.margin_or(terms.margin)
        if margin is None:
            return None
        if self.paired:
            return paired_equivalence(
                self.differences, margin, alpha=terms.alpha, generator=terms.generator(), draws=terms.draws
            )
        return unpaired_equivalence(self.treatment, self.control, margin, alpha=terms.alpha)

    @property
    def spread(self) -> float:
        """Standard deviation (ddof 1) of the differences, or the larger one of the two arms."""
        if self.paired:
            return float(self.differences.std(ddof=1)) if self.differences.size > 1 else float("nan")
        spreads = [float(arm.std(ddof=1)) for arm in (self.treatment, self.control) if arm.size > 1]
        return max(spreads, default=float("nan"))


class Successes(Pair):
    """The same with 1 for every trial that learns and 0 for every other."""

    def test(self, terms: TestSettings) -> Significance:
        return (mcnemar if self.paired else fisher)(self.treatment, self.control)


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
    trial: Ints, values: Floats, control_trial: Ints, control: Floats, *, paired: bool
) -> Pair | None:
    """What both have of two arms with their trial numbers; trials without a finite value are left out."""
    known, known_control = np.isfinite(values), np.isfinite(control)
    if not known.any() or not known_control.any():
        return None
    if not paired:
        return Pair(values[known], control[known_control], paired=False, trial=trial[known])
    of_trial = dict(zip(control_trial[known_control].tolist(), control[known_control], strict=True))
    both = [
        (x, of_trial[t], t)
        for t, x in zip(trial[known].tolist(), values[known], strict=True)
        if t in of_trial
    ]
    if not both:
        return None
    x, y, numbers = zip(*both, strict=True)
    return Pair(np.array(x), np.array(y), paired=True, trial=np.array(numbers))


Kind = Literal["own", "substitute", "size"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Draft:
    """A comparison that waits for its verdict."""

    cell: Cell
    control: Cell
    kind: Kind
    """own: the control that the mode names. substitute: the baseline, for the study lacks that control.
    size: an ordinary network with as many parameters."""
    pair: Pair
    """By the headline."""
    tested: Pair
    """What is tested: the same, or successes where some trials learn and some do not."""
    idle: int
    """Trials of the pair in which the treatment never acted, or equals the control to the bit."""

    @property
    def counts_successes(self) -> bool:
        return isinstance(self.tested, Successes)

    @property
    def question(self) -> tuple[object, str, str]:
        """What is asked: of architectures with one question, the answers belong together."""
        name = self.control.program if self.kind == "size" else self.control.label
        return self.cell.setting, self.cell.label, name

    @property
    def sign(self) -> int:
        """What an effect is multiplied by to be positive where the treatment is better."""
        return 1 if self.counts_successes else self.cell.setting.metric.sign


def drafts(cells: Sequence[Cell], terms: TestSettings, baseline: Cell) -> list[Draft]:
    """Every treatment of one architecture against its control."""
    found = []
    for cell in cells:
        control = control_of(cell, cells, baseline)
        if control is not None:
            own = own_control(cell, cells) is control
            found.append(draft(cell, control, "own" if own else "substitute", terms))
    return [one for one in found if one is not None]


def draft(cell: Cell, control: Cell, kind: Kind, terms: TestSettings) -> Draft | None:
    """None where the two have no trial to compare."""
    pair = pair_of(cell, control, terms)
    if pair is None:
        return None
    idle = cell.inert_trials | same_course(cell, control)
    return Draft(
        cell=cell,
        control=control,
        kind=kind,
        pair=pair,
        tested=_successes(cell, pair, terms.metric) or pair,
        idle=int(np.isin(pair.trial, cell.trial[idle]).sum()),
    )


def _successes(cell: Cell, pair: Pair, metric: str) -> Successes | None:
    """None where chance is not known, or where all trials learn, or none does."""
    trials = pair.treatment.size + pair.control.size
    learns = [beats_chance(cell.setting, metric, arm, trials) for arm in (pair.treatment, pair.control)]
    known = [np.where(arm, 1.0, 0.0) for arm in learns if arm is not None]
    if len(known) < 2:
        return None
    x, y = known
    if (x.all() and y.all()) or not (x.any() or y.any()):
        return None
    return Successes(x, y, pair.paired, pair.trial)


def same_course(one: Cell, other: Cell) -> Bools:
    """Which trials went as the other's of that number, to the bit, for two loops at least, (trials,)."""
    same = np.zeros(one.n, dtype=bool)
    row_of = {int(trial): row for row, trial in enumerate(other.trial)}
    for row, trial in enumerate(one.trial.tolist()):
        there, loops = row_of.get(trial), int(one.loops[row])
        if there is not None and one.courses[row] and loops >= 2 and loops == other.loops[there]:
            same[row] = one.courses[row] == other.courses[there] and np.array_equal(
                one.test_accuracy[row], other.test_accuracy[there], equal_nan=True
            )
    return same


def finished(
    one: Draft,
    member: families.Member,
    terms: TestSettings,
    *,
    share: float,
    baseline: Cell,
    main: bool,
) -> Comparison:
    """With its verdict; `share` is the part of alpha that a single test has, `main` whether it is about a
    treatment."""
    pair, metric = one.pair, one.cell.setting.metric
    margin = metric.margin_or(terms.margin)
    improvement = probability_of_improvement(metric.sign * pair.treatment, metric.sign * pair.control)
    return Comparison(
        setting=one.cell.setting,
        architecture=one.cell.architecture,
        treatment=one.cell.label,
        control=one.control.label,
        kind=one.kind,
        main=main,
        member=member,
        acted=one.idle < pair.treatment.size,
        idle=one.idle,
        successes=_counts(one.tested) if one.counts_successes else None,
        explored_p=None,
        difference=pair.difference(terms),
        cliffs_delta=_delta(improvement),
        improvement=improvement,
        equivalence=pair.equivalence(terms, metric),
        detectable=_detectable(pair, share),
        more=more_trials(pair.differences, effect=margin, alpha=share)
        if pair.paired and margin is not None
        else None,
        beside=_beside(one, baseline, terms),
    )


def _counts(pair: Pair) -> tuple[int, int, int, int]:
    x, y = pair.treatment, pair.control
    return int(x.sum()), x.size, int(y.sum()), y.size


def _beside(one: Draft, baseline: Cell, terms: TestSettings) -> Beside | None:
    """The same treatment and the arm that everything is set beside, where that is neither of the two."""
    if one.kind == "size" or baseline.label in (one.control.label, one.cell.label):
        return None
    pair = pair_of(one.cell, baseline, terms)
    if pair is None:
        return None
    return Beside(control=baseline.label, difference=pair.difference(terms), test=pair.test(terms))


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


def explore(found: Sequence[Comparison]) -> list[Comparison]:
    """The same comparisons with p adjusted by Benjamini and Hochberg over all that are tested."""
    active = [one for one in found if one.tested]
    adjusted: dict[int, float] = {}
    if active:
        p = families.benjamini_hochberg([one.test.p for one in active])
        adjusted = {id(one): float(value) for one, value in zip(active, p, strict=True)}
    return [dataclasses.replace(one, explored_p=adjusted.get(id(one))) for one in found]


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
    sign = cells[0].setting.metric.sign
    order = sorted(means, key=lambda label: -sign * means[label])
    best = by_label[order[0]]
    tests = []
    for label in order[1:]:
        pair = pair_of(best, by_label[label], terms)
        tests.append(pair.test(terms) if pair else None)
    sure = bool(tests) and all(t is not None and t.p <= terms.alpha and sign * t.effect > 0 for t in tests)
    known_p = [t.p for t in tests if t is not None]
    return Winner(
        label=order[0],
        runner_up=order[1] if len(order) > 1 else None,
        p=max(known_p, default=None),
        decided=sure,
    )
