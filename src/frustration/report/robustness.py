"""Sentences about growing arms and about robustness; they state only what their tests support."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from frustration.metric import Metric
from frustration.report.findings import Analysis, Arm, Arms, ProbeComparison
from frustration.report.formatting import amount, code, interval, many, points, with_interval
from frustration.statistics.results import Estimate

TOLD: Final = {
    "knock-out area": "the area under the knock-out curve",
    "weight-noise area": "accuracy under weight noise",
    "corruptions mean": "accuracy on corrupted images",
    "ECE": "expected calibration error",
}
"""Measures that get a sentence; the table has all of them."""


def arms_sentences(analysis: Analysis) -> Iterator[str]:
    """Each growing arm and the reference within equal training FLOPs; no claim is made of it."""
    for arms in analysis.arms:
        reference = next(arm for arm in arms.arms if arm.label == arms.reference)
        for arm in arms.arms:
            mostly_inert = 2 * arm.inert > arm.n
            if arm.grows and arm is not reference and arm.against_flops is not None and not mostly_inert:
                yield _arm(arms, arm, reference, arm.against_flops)
        if arms.reached is None:
            yield f"In {code(str(arms.architecture))}, nothing grew within {arms.epochs} epochs."


def _arm(arms: Arms, arm: Arm, reference: Arm, difference: Estimate) -> str:
    return (
        f"In {code(str(arms.architecture))}, within equal training FLOPs, {code(arm.label)} "
        f"({amount(arm.parameters)} parameters) minus {code(reference.label)} "
        f"({amount(reference.parameters)} parameters) is {_by(difference, arms.setting.metric)}, "
        "which is not a verdict."
    )


def _by(difference: Estimate, metric: Metric) -> str:
    said = with_interval(difference, metric=metric)
    return (
        f"{said} points of validation {metric.name}"
        if metric.in_points
        else f"{said} in validation {metric.name}"
    )


def probe_sentences(analysis: Analysis) -> Iterator[str]:
    """Each measure in a sentence: what differs from control by it, and in how many architectures.

    Each measure of an architecture is a family of its own, so these sentences say how many chance would give.
    """
    families = {
        (one.setting, one.architecture, one.measure) for one in analysis.probes if one.measure in TOLD
    }
    if families:
        chance = len(families) * analysis.alpha
        yield (
            f"These are {many(len(families), 'family', 'families')} of tests, each at {analysis.alpha:g}: "
            f"chance alone gives a false claim in {chance:.2g} of them."
        )
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
                yield f"By {words}, no treatment can be distinguished from {code(control)} in any of {where}."


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
