"""The first screen of a report: plain sentences that follow from the tests, and say no more than they show.

A word such as "raises" stands only where a test at alpha rejects after Holm; everything else is "not told
from". Names of treatments and architectures are in backticks, as in Markdown; nothing else is marked up.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from frustration.report import cautions
from frustration.report.findings import Analysis, Claim, Comparison, Group
from frustration.report.formatting import code, interval, listed, many, p_value, points
from frustration.report.results import StudyResults
from frustration.report.robustness import arms_sentences, probe_sentences
from frustration.statistics.results import Estimate

FEW = 4
"""Up to so many architectures, each gets sentences of its own."""


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The answer to "which interventions help, how surely, at what cost?", a sentence each."""

    about: tuple[str, ...]
    """What was run."""
    helps: tuple[str, ...]
    """What each treatment does, with its test."""
    power_notes: tuple[str, ...]
    """What these trials could not have told."""
    costs: tuple[str, ...]
    warnings: tuple[str, ...]
    """Inert treatments, networks that never learn, failed trials, records passed over."""


def plain_sentences(results: StudyResults, analysis: Analysis) -> Plain:
    """Everything that belongs on top."""
    return Plain(
        about=tuple(_about(results, analysis)),
        helps=(*_helps(analysis), *arms_sentences(analysis), *probe_sentences(analysis)),
        power_notes=tuple(cautions.power_notes(analysis)),
        costs=tuple(cautions.costs(analysis)),
        warnings=tuple(cautions.warnings(results, analysis)),
    )


def _about(results: StudyResults, analysis: Analysis) -> Iterator[str]:
    asked = f" of {results.expected:,}" if results.expected not in (None, results.trials) else ""
    grid = f"{many(len(results.architectures), 'architecture')}, {many(len(results.labels), 'treatment')}"
    most = max((cell.n for cell in results.cells), default=0)
    yield f"{results.trials:,}{asked} trials are finished: {grid}, up to {many(most, 'trial')} in a cell."
    if len(results.settings) > 1:
        yield f"There are {len(results.settings)} settings: {'; '.join(s.name for s in results.settings)}."
    elif results.settings:
        setting = results.settings[0]
        yield f"Setting: {setting.name}, up to {setting.meta_loops} loops of batches of {setting.batch_size}."
    controls = sorted({group.control for group in analysis.groups if group.control})
    how = "paired by trial number" if analysis.paired else "not paired, because these trials have no seeds"
    if analysis.metric == "test":
        yield "The headline is the accuracy of the LKG on test; it was chosen on validation."
    else:
        yield (
            "The headline is the bounty, the best of many looks at validation: no accuracy on test is known, "
            "and it flatters every treatment."
        )
    if controls:
        yield f"Treatments are compared with {listed([code(one) for one in controls])}, {how}."


def _helps(analysis: Analysis) -> Iterator[str]:
    settings = list(dict.fromkeys(group.setting for group in analysis.groups))
    for setting in settings:
        where = f"With {setting.name}: " if len(settings) > 1 else ""
        groups = [group for group in analysis.groups if group.setting == setting and group.comparisons]
        for claim in analysis.claims:
            if claim.setting == setting:
                yield where + _claim(claim, analysis, groups)
        if len(groups) <= FEW:
            for group in groups:
                for comparison in group.comparisons.values():
                    if comparison.acted:
                        yield where + _comparison(comparison, analysis, group)
        else:
            yield from (where + sentence for sentence in _counts(groups))
        yield from (where + sentence for sentence in _winners(groups))


def _claim(claim: Claim, analysis: Analysis, groups: Sequence[Group]) -> str:
    known = any(group.learns is not None for group in groups)
    scope = (
        f"Over the {claim.architectures} architectures that learn"
        if known
        else (f"Over {claim.architectures} architectures")
    )
    if claim.member is None:
        return (
            f"{scope}, {code(claim.treatment)} is {points(claim.difference.value)} points away from "
            f"{code(claim.control)} on average ({_surety(claim.difference)}); without pairs there is no "
            f"joint test."
        )
    finding = claim.member.finding
    evidence = _evidence(claim.difference, claim.member.test.p, claim.member.adjusted_p)
    if finding in ("better", "worse"):
        does = "raises" if finding == "better" else "lowers"
        return (
            f"{scope}, {code(claim.treatment)} {does} {_headline(analysis)} by "
            f"{abs(claim.difference.value):.2f} points on average ({evidence})."
        )
    if finding == "undecided":
        within = max(abs(claim.difference.low), abs(claim.difference.high)) < analysis.margin
        size = f"; whatever it is, it lies within {analysis.margin:g} points" if within else ""
        return (
            f"{scope}, {code(claim.treatment)} is not told from {code(claim.control)} on average: "
            f"{points(claim.difference.value)} points ({evidence}){size}."
        )
    return (
        f"{scope}, nothing could have been found about the average effect of {code(claim.treatment)} "
        f"with {claim.trials} trials ({claim.member.verdict}); "
        f"the difference is {points(claim.difference.value)} points."
    )


def _comparison(one: Comparison, analysis: Analysis, group: Group) -> str:
    place = f"In {code(str(one.architecture))}"
    if group.learns is False:
        place += " (where no trial beats chance)"
    evidence = _evidence(one.difference, one.test.p, one.member.adjusted_p)
    if one.finding in ("better", "worse"):
        does = "raises" if one.finding == "better" else "lowers"
        if one.test.paired or one.difference.value * one.test.effect > 0:
            return (
                f"{place}, {code(one.treatment)} {does} {_headline(analysis)} by "
                f"{abs(one.difference.value):.2f} points ({evidence})."
            )
        more = "more often higher" if one.finding == "better" else "more often lower"
        return (
            f"{place}, {_headline(analysis)} under {code(one.treatment)} is {more} than under "
            f"{code(one.control)}, though not on average: {points(one.difference.value)} points ({evidence})."
        )
    if one.finding == "undecided":
        same = f"; the two agree within {analysis.margin:g} points" if one.equivalence.equivalent else ""
        return (
            f"{place}, {code(one.treatment)} is not told from {code(one.control)}: "
            f"{points(one.difference.value)} points ({evidence}){same}."
        )
    if one.finding == "identical":
        return f"{place}, {code(one.treatment)} and {code(one.control)} agree in every trial."
    few = (
        f"{many(one.test.n, 'trial')} are"
        if one.test.informative == one.test.n
        else (f"only {one.test.informative} of {one.test.n} trials differ, which is")
    )
    return (
        f"{place}, {few} too few for any verdict on {code(one.treatment)} ({one.verdict}); "
        f"the difference is {points(one.difference.value)} points."
    )


def _headline(analysis: Analysis) -> str:
    return "test accuracy" if analysis.metric == "test" else "the bounty"


def _evidence(difference: Estimate, p: float, adjusted: float | None) -> str:
    holm = f", {p_value(adjusted)} after Holm" if adjusted is not None else ""
    said = p_value(p)
    return f"{_surety(difference)}; p {said if said.startswith('<') else '= ' + said}{holm}"


def _surety(difference: Estimate) -> str:
    if math.isinf(difference.low) and math.isinf(difference.high):
        return f"no bound at {100 * difference.level:g} %"
    return f"{100 * difference.level:g} % interval {interval(difference)}"


def _counts(groups: Sequence[Group]) -> Iterator[str]:
    """Where there are too many architectures to name: how often each verdict came out."""
    for label in dict.fromkeys(label for group in groups for label in group.comparisons):
        having = [group for group in groups if label in group.comparisons]
        found = Counter(group.comparisons[label].finding for group in having)
        if not any(group.comparisons[label].acted for group in having):
            continue
        said = [
            f"{what} in {found[what]}"
            for what in ("better", "worse", "undecided", "n too small", "too few draws", "identical", "inert")
            if found[what]
        ]
        stuck = sum(
            group.comparisons[label].finding == "better" and group.learns is False for group in having
        )
        but = f" ({stuck} of those that are better never beat chance)" if stuck else ""
        yield (
            f"Architecture by architecture, {code(label)} is {listed(said)} of {len(having)}{but}, "
            f"by Holm within each."
        )


def _winners(groups: Sequence[Group]) -> Iterator[str]:
    settled = [group for group in groups if group.learns is not False and group.winner is not None]
    if not settled:
        return
    decided = Counter(group.winner.label for group in settled if group.winner and group.winner.decided)
    total = sum(decided.values())
    if not total:
        yield _no_winner(len(settled))
        return
    said = [f"{code(label)} in {count}" for label, count in decided.most_common()]
    rest = f"; undecided in the other {len(settled) - total}" if total < len(settled) else ""
    yield f"A best treatment that beats every other one significantly: {listed(said)}{rest}."


def _no_winner(count: int) -> str:
    if count == 1:
        return "The treatment with the highest mean does not beat every other one significantly."
    return (
        f"In none of {count} architectures does the treatment with the highest mean beat every other one "
        "significantly."
    )
