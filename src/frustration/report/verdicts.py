"""The one procedure behind all verdicts of a report: together they err in at most a share alpha of studies.

A question is a treatment against one control. Questions share alpha, and hand a share on only once everything
that they ask is decided; within a question, its architectures and their average step down by joint sign flips
(Holm where trials are not paired). Each look at a study spends its own part of alpha. docs/statistics.md has
the reasons.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from frustration.report.comparisons import Draft, TestSettings
from frustration.report.results import Bools, Floats
from frustration.statistics import families
from frustration.statistics.families import Finding, Member
from frustration.statistics.hierarchy import share_out
from frustration.statistics.joint import joint_sign_flip, joint_step_down, mean_of_rows
from frustration.statistics.paired import trials_to_reach
from frustration.statistics.results import Significance
from frustration.statistics.sequential import FIRST, over_looks


@dataclass(frozen=True, eq=False)
class Question:
    """A treatment against one control: its architectures, in the study's order."""

    drafts: tuple[Draft, ...]
    learn: Bools
    """Which architectures learn, and so enter the average; (architectures,)."""


@dataclass(frozen=True, eq=False)
class Answer:
    """The verdicts of a question."""

    members: tuple[Member, ...]
    """One for each draft."""
    average: Member | None
    """Of the mean over the architectures that learn; None for fewer than two, or without pairs."""
    share: float
    """The part of alpha that a single test of this question has at the first look."""


def questions(drafts: Sequence[tuple[Draft, bool]]) -> list[Question]:
    """All drafts by what they ask; with each, whether its architecture learns."""
    found: dict[tuple[object, str, str], list[tuple[Draft, bool]]] = {}
    for one, learns in drafts:
        found.setdefault(one.question, []).append((one, learns))
    return [
        Question(tuple(one for one, _ in members), np.array([learns for _, learns in members]))
        for members in found.values()
    ]


def effective_looks(looks: Sequence[int], trials: int, alpha: float) -> tuple[int, ...]:
    """The looks that could have led to a claim, the present one of `trials` last.

    Fewer trials than a single test needs cannot be significant, so looking at them spends nothing.
    """
    fewest = trials_to_reach(FIRST * alpha)
    return (*sorted({one for one in looks if fewest <= one < trials}), trials)


def answer(asked: Sequence[Question], terms: TestSettings, looks: Sequence[int]) -> list[Answer]:
    """Verdicts of all questions; `looks` are as `effective_looks` gives them."""
    tests = [[one.tested.test(terms) for one in question.drafts] for question in asked]
    averages = [_average(question, terms) for question in asked]
    open_members = [
        [_is_open(one, test, terms) for one, test in zip(question.drafts, found, strict=True)]
        for question, found in zip(asked, tests, strict=True)
    ]
    share = _first(terms) / max(1, sum(any(members) for members in open_members))
    p = _over_looks(asked, open_members, averages, terms, looks)
    answers = []
    for question, found, chosen, average, row in zip(asked, tests, open_members, averages, p, strict=True):
        members = [
            _member(one, test, adjusted if counted else None, terms, share)
            for one, test, adjusted, counted in zip(question.drafts, found, row, chosen, strict=False)
        ]
        overall = None
        if average is not None:
            sign = question.drafts[0].cell.setting.metric.sign
            overall = _judged("average", average, row[-1] if any(chosen) else None, terms, share, sign)
        answers.append(Answer(tuple(members), overall, share))
    return answers


def _is_open(one: Draft, test: Significance, terms: TestSettings) -> bool:
    """Whether it is in the procedure: it acted in most trials, and some outcome could have been a claim.

    What decides it does not depend on which of two trials of a pair was treated, so nothing is selected.
    """
    return not _mostly_idle(one) and test.smallest_p <= _first(terms)


def _first(terms: TestSettings) -> float:
    """What the first look may spend; what nobody can extend is looked at once."""
    return FIRST * terms.alpha if terms.extends else terms.alpha


def _mostly_idle(one: Draft) -> bool:
    return 2 * one.idle > one.pair.treatment.size


def _over_looks(
    asked: Sequence[Question],
    open_members: Sequence[Sequence[bool]],
    averages: Sequence[Significance | None],
    terms: TestSettings,
    looks: Sequence[int],
) -> list[Floats]:
    """Adjusted p: for each question one number per draft, and one more if it has an average."""
    per_look = []
    for at, trials in enumerate(looks):
        last = at == len(looks) - 1
        within: list[Floats | None] = []
        for question, chosen, average in zip(asked, open_members, averages, strict=True):
            within.append(_within(question, chosen, average is not None, terms, None if last else trials))
        asked_now = [one[~np.isnan(one)] for one in within if one is not None]
        shared = iter(share_out(asked_now) if asked_now else [])
        rows = []
        for one, chosen, average in zip(within, open_members, averages, strict=True):
            row = np.ones(len(chosen) + (average is not None))
            if one is not None:
                row[~np.isnan(one)] = next(shared)
            rows.append(row)
        per_look.append(rows)
    if not terms.extends:
        return per_look[0]
    return [over_looks(np.stack([rows[at] for rows in per_look]), looks) for at in range(len(asked))]


def _within(
    question: Question, chosen: Sequence[bool], averaged: bool, terms: TestSettings, trials: int | None
) -> Floats | None:
    """Adjusted p within a question at a look: as many as its row has, NaN for what is not tested."""
    row = np.full(len(chosen) + averaged, np.nan)
    at = np.flatnonzero(chosen)
    if not at.size:
        return None
    if not terms.paired:
        row[at] = families.holm([question.drafts[one].tested.test(terms).p for one in at])
        return row
    last = max(int(one.pair.trial.max()) for one in question.drafts) + 1
    values, there = _table([question.drafts[one] for one in at], min(last, trials or last))
    rows, present = [values], [there]
    if averaged:
        means, known = _mean_row(question, min(last, trials or last))
        rows, present = [*rows, means], [*present, known]
    table, where = np.concatenate(rows), np.concatenate(present)
    used = np.atleast_1d(where.any(axis=1))
    if not used.any():
        return None
    columns = where.any(axis=0)
    p = joint_step_down(
        table[used][:, columns],
        present=where[used][:, columns],
        generator=terms.generator(),
        draws=terms.draws,
    )
    filled = np.full(len(table), np.nan)
    filled[used] = p
    row[[*at, *([len(chosen)] if averaged else [])]] = filled
    return row


def _table(drafts: Sequence[Draft], trials: int) -> tuple[Floats, Bools]:
    """What is tested of each, (drafts, trials), 0 where missing; and which trials are there."""
    values, there = np.zeros((len(drafts), trials)), np.zeros((len(drafts), trials), dtype=bool)
    for row, one in enumerate(drafts):
        known = one.tested.trial < trials
        values[row, one.tested.trial[known]] = one.tested.differences[known]
        there[row, one.tested.trial[known]] = True
    return values, there


def averaged(question: Question) -> tuple[Draft, ...]:
    """The drafts that an average is over: accuracies of architectures that learn, where it mostly acted."""
    return tuple(
        one
        for one, learns in zip(question.drafts, question.learn, strict=True)
        if learns and not one.counts_successes and not _mostly_idle(one)
    )


def _mean_row(question: Question, trials: int) -> tuple[Floats, Bools]:
    values, there = _table(averaged(question), trials)
    having = there.any(axis=1)
    if not having.all():
        return np.zeros((1, trials)), np.zeros((1, trials), dtype=bool)
    return mean_of_rows(values, there)[None, :], np.atleast_2d(there.any(axis=0))


def _average(question: Question, terms: TestSettings) -> Significance | None:
    drafts = averaged(question)
    if not terms.paired or len(drafts) < 2:
        return None
    values, there = _table(drafts, max(int(one.pair.trial.max()) for one in drafts) + 1)
    columns = there.any(axis=0)
    return joint_sign_flip(
        values[:, columns], present=there[:, columns], generator=terms.generator(), draws=terms.draws
    )


def _member(
    one: Draft, test: Significance, adjusted: float | None, terms: TestSettings, share: float
) -> Member:
    name = one.cell.label
    if one.idle == one.pair.treatment.size or test.informative == 0:
        return Member(name=name, test=test, finding="inert", adjusted_p=None)
    if _mostly_idle(one):
        return Member(name=name, test=test, finding="mostly inert", adjusted_p=None)
    return _judged(name, test, adjusted, terms, share, one.sign)


def _judged(
    name: str, test: Significance, adjusted: float | None, terms: TestSettings, share: float, sign: int
) -> Member:
    p = 1.0 if adjusted is None else float(adjusted)
    if p <= terms.alpha:
        finding: Finding = "better" if sign * test.effect > 0 else "worse"
        return Member(name=name, test=test, finding=finding, adjusted_p=p)
    if test.smallest_p > share:
        small, needs = families.missing(test, share)
        return Member(name=name, test=test, finding=small, adjusted_p=p, needs=needs)
    return Member(name=name, test=test, finding="undecided", adjusted_p=p)
