"""Sentences about arms that grow and about what networks withstand; no more than their tests show."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from frustration.report.findings import Analysis, Arm, Arms, ProbeComparison
from frustration.report.formatting import amount, code, interval, many, p_value, points, with_interval
from frustration.statistics.families import Member
from frustration.statistics.results import Estimate

TOLD: Final = {
    "knock-out area": "the area under the knock-out curve",
    "weight-noise area": "accuracy under weight noise",
    "corruptions mean": "accuracy on corrupted images",
    "ECE": "expected calibration error",
}
"""Measures that get a sentence; the table has all of them."""


def arms_sentences(analysis: Analysis) -> Iterator[str]:
    """Each growing arm against the reference: by test accuracy, and within equal training FLOPs."""
    for arms in analysis.arms:
        reference = next(arm for arm in arms.arms if arm.label == arms.reference)
        for arm in arms.arms:
            if arm.grows and arm is not reference and arm.test_p is not None:
                yield _arm(arms, arm, arm.test_p, reference)
        if arms.reached is None:
            yield f"In {code(str(arms.architecture))}, nothing grew within {arms.epochs} epochs."


def _arm(arms: Arms, arm: Arm, test: Member, reference: Arm) -> str:
    at_flops = (
        f"; within equal training FLOPs, by validation, {_with_p(arm.against_flops, arm.flops_p)}"
        if arm.against_flops is not None
        else ""
    )
    return (
        f"In {code(str(arms.architecture))}, {code(arm.label)} ({amount(arm.parameters)} parameters) "
        f"{_is(test)} {code(reference.label)} ({amount(reference.parameters)} parameters) "
        f"by test accuracy: {_with_p(arm.against_test, test)}{at_flops}."
    )


def probe_sentences(analysis: Analysis) -> Iterator[str]:
    """Each measure in a sentence: whom it tells from control, and in how many architectures."""
    for measure, words in TOLD.items():
        taken = [one for one in analysis.probes if one.measure == measure]
        for control in dict.fromkeys(one.control for one in taken):
            against = [one for one in taken if one.control == control]
            places = len({(one.setting, one.architecture) for one in against})
            told = list(_told(against))
            if told:
                yield f"By {words}, Holm within each of {many(places, 'architecture')}: {'; '.join(told)}."
            elif any(one.acted for one in against):
                where = f"{many(places, 'architecture')} with probes"
                yield f"By {words}, no treatment is told from {code(control)} in any of {where}."


def _told(against: Sequence[ProbeComparison]) -> Iterator[str]:
    for treatment in dict.fromkeys(one.treatment for one in against):
        for finding, above in (("better", "above"), ("worse", "below")):
            found = [one for one in against if (one.treatment, one.member.finding) == (treatment, finding)]
            if len(found) == 1:
                (one,) = found
                yield (
                    f"{code(treatment)} is {above} {code(one.control)} in {code(str(one.architecture))} "
                    f"({points(one.difference.value)}; {interval(one.difference)})"
                )
            elif found:
                yield f"{code(treatment)} is {above} {code(found[0].control)} in {len(found)}"


def _is(member: Member) -> str:
    if member.finding in ("better", "worse"):
        return "is above" if member.finding == "better" else "is below"
    if member.finding == "inert":
        return "equals"
    why = "" if member.finding == "undecided" else f" ({member.verdict})"
    return f"is not told{why} from"


def _with_p(difference: Estimate | None, member: Member | None) -> str:
    if difference is None or member is None:
        return points(None)
    holm = f", p {p_value(member.adjusted_p)} after Holm" if member.adjusted_p is not None else ""
    return f"{with_interval(difference)} points{holm}"
