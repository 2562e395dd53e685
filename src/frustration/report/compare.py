"""Two studies side by side, or a study and a published trials file: where they agree, where they differ.

Only what is alike is compared: the same treatment of the same architecture under the same settings. What
differs is said first, and compared only where it is asked for: across learning rates, say, or across knobs of
a mode (dropout 0.1 and 0.2). Trials are paired by number where they share weights and batch orders: same
seed, same data, same batch size. Agreement is shown, never inferred from a lack of difference.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.metric import Metric
from frustration.report.cells import moments
from frustration.report.comparisons import Pair, TestSettings, paired_values
from frustration.report.findings import Moments
from frustration.report.formatting import (
    apart,
    by,
    code,
    listed,
    many,
    mean_std,
    p_value,
    score,
    with_interval,
)
from frustration.report.results import Cell, Setting, StudyResults
from frustration.report.table import Table, of_metric
from frustration.statistics import families
from frustration.statistics.equivalence import Equivalence
from frustration.statistics.families import Member
from frustration.statistics.results import Estimate

ACROSS: Final[dict[str, tuple[str, tuple[str, ...]]]] = {
    "lr": ("learning rate", ("learning_rate",)),
    "batch-size": ("batch size", ("batch_size",)),
    "train-fraction": ("training fraction", ("train_fraction",)),
    "meta-loops": ("meta-loops", ("meta_loops",)),
    "data": ("data", ("dataset", "dataset_digest")),
    "knobs": ("knobs", ()),
}
"""What may be compared across: in words, and as fields of a setting."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """One treatment of one architecture in both; differences are B minus A."""

    architecture: Architecture
    label: str
    other_label: str
    """As it is called in B."""
    settings: str
    """Where A and B had other ones: `lr 0.0001 / 0.001`."""
    paired: bool
    a: Moments
    b: Moments
    member: Member
    """Test of a difference, Holm over the treatments of the architecture."""
    difference: Estimate
    equivalence: Equivalence | None
    """None where the metric has no margin."""
    metric: Metric

    @property
    def verdict(self) -> str:
        """equivalent, different, different within the margin, undecided, or n too small."""
        differs = self.member.finding in ("better", "worse")
        if self.equivalence is not None and self.equivalence.equivalent:
            return "different within the margin" if differs else "equivalent"
        if differs:
            return "different"
        few = self.equivalence is None or self.equivalence.verdict == "n too small"
        both = few and self.member.finding == "n too small"
        return "n too small" if both else "undecided"


@dataclass(frozen=True, kw_only=True)
class CompareReport:
    """All matches, and what has no counterpart."""

    name_a: str
    name_b: str
    metric: str
    alpha: float
    margin: float
    matches: tuple[Match, ...]
    only_a: tuple[str, ...]
    only_b: tuple[str, ...]
    differences: tuple[str, ...]
    """What A and B differ in, a phrase each."""

    @property
    def metrics(self) -> tuple[Metric, ...]:
        return tuple(dict.fromkeys(match.metric for match in self.matches))

    @property
    def within(self) -> str:
        """`0.5 points`: how far treatments may be apart that agree."""
        margins = [(metric.margin_or(self.margin), metric) for metric in self.metrics]
        told = [apart(f"{margin:g}", metric) for margin, metric in margins if margin is not None]
        return listed(list(dict.fromkeys(told))) if told else "a margin that the metric does not say"

    @property
    def architectures(self) -> Mapping[Architecture, tuple[Match, ...]]:
        found: dict[Architecture, list[Match]] = {}
        for match in self.matches:
            found.setdefault(match.architecture, []).append(match)
        return {architecture: tuple(matches) for architecture, matches in found.items()}

    def verdict(self, architecture: Architecture) -> str:
        """Of all its treatments: equivalent, different in some, or undecided."""
        matches = self.architectures[architecture]
        different = [match.label for match in matches if match.verdict == "different"]
        if different:
            return f"different: {', '.join(different)}"
        open_still = [match.label for match in matches if match.verdict in ("undecided", "n too small")]
        if not open_still:
            return "equivalent"
        return f"undecided: {', '.join(open_still)}"


def compare(
    a: StudyResults,
    b: StudyResults,
    *,
    alpha: float,
    margin: float,
    seed: int = 0,
    across: Collection[str] = (),
) -> CompareReport:
    """Both by the LKG on test where both know it, else by the bounty; `across` names keys of ACROSS."""
    metric = "test" if a.metric == b.metric == "test" else "bounty"
    terms = TestSettings(metric=metric, paired=True, alpha=alpha, margin=margin, seed=seed)
    settings = _settings(a, b, across)
    pairs = [pair for one, other in settings for pair in _cells(a, b, one, other, "knobs" in across)]
    differing = _differences(a, b)
    if not pairs:
        raise InputError(_nothing(a, b, differing))
    matches: list[Match] = []
    for architecture in dict.fromkeys(one.architecture for one, _ in pairs):
        matches += _matches([pair for pair in pairs if pair[0].architecture == architecture], terms)
    used_a, used_b = ({id(pair[side]) for pair in pairs} for side in (0, 1))
    return CompareReport(
        name_a=a.name,
        name_b=b.name,
        metric=metric,
        alpha=alpha,
        margin=margin,
        matches=tuple(matches),
        only_a=_left(a, used_a),
        only_b=_left(b, used_b),
        differences=tuple(differing.values()),
    )


def _nothing(a: StudyResults, b: StudyResults, differing: Mapping[str, str]) -> str:
    """Why nothing can be compared, and how it can be all the same."""
    common = set(a.architectures) & set(b.architectures)
    ways = [name for name in differing if name in ACROSS]
    if not common or not ways:
        return (
            f'"{a.name}" and "{b.name}" have no treatment of any architecture in common, so there is '
            "nothing to compare"
        )
    return (
        f'"{a.name}" (A) and "{b.name}" (B) have nothing in common that is alike, so there is nothing to '
        f"compare: {'; '.join(differing.values())}. With --across {' '.join(ways)} they are compared all the "
        f"same"
    )


def _differences(a: StudyResults, b: StudyResults) -> dict[str, str]:
    """What the two differ in, by its name in ACROSS: `learning rate 0.0001 in A, 0.001 in B`."""
    found = {}
    for name, (words, fields) in {**ACROSS, "seed": ("seed", ("seed",))}.items():
        mine, theirs = (
            {tuple(getattr(one, field) for field in fields) for one in side.settings} for side in (a, b)
        )
        if mine != theirs and not (name == "data" and _same_data(a, b)):
            shown = [", ".join(sorted(str(value[0]) for value in values)) for values in (mine, theirs)]
            other = "other content of " if name == "data" and shown[0] == shown[1] else ""
            found[name] = f"{words} {shown[0]} in A, {other}{shown[1]} in B"
    knobs = [
        f"{_labels(a, program)} in A, {_labels(b, program)} in B"
        for program in dict.fromkeys(cell.program for cell in a.cells)
        if _labels(b, program) not in ("", _labels(a, program))
    ]
    return found | ({"knobs": f"treatments {'; '.join(knobs)}"} if knobs else {})


def _labels(results: StudyResults, program: str) -> str:
    return ", ".join(sorted({code(cell.label) for cell in results.cells if cell.program == program}))


def _same_data(a: StudyResults, b: StudyResults) -> bool:
    """Whether the data are the same as far as it is known: published files do not say."""
    mine, theirs = ({(one.dataset, one.dataset_digest) for one in side.settings} for side in (a, b))
    unknown = "" in {digest for _, digest in mine | theirs}
    return {name for name, _ in mine} == {name for name, _ in theirs} and unknown


def _settings(a: StudyResults, b: StudyResults, across: Collection[str]) -> list[tuple[Setting, Setting]]:
    """Settings that are compared: those that are alike in all but what is compared across."""
    fields = [field for name, (_, fields) in ACROSS.items() if name not in across for field in fields]

    def alike(one: Setting, other: Setting) -> bool:
        known = one.dataset_digest and other.dataset_digest
        return all(
            getattr(one, field) == getattr(other, field)
            for field in fields
            if known or field != "dataset_digest"
        )

    return [(one, other) for one in a.settings for other in b.settings if alike(one, other)]


def _cells(
    a: StudyResults, b: StudyResults, one: Setting, other: Setting, knobs: bool
) -> Iterator[tuple[Cell, Cell]]:
    """Cells of the same label; across knobs, others that differ in those or in policies alone."""
    for architecture in a.architectures:
        mine = [cell for cell in a.cells if (cell.setting, cell.architecture) == (one, architecture)]
        theirs = {
            cell.label: cell for cell in b.cells if (cell.setting, cell.architecture) == (other, architecture)
        }
        left = []
        for cell in mine:
            if cell.label in theirs:
                yield cell, theirs.pop(cell.label)
            else:
                left.append(cell)
        for cell in left if knobs else ():
            alike = [label for label, their in theirs.items() if their.program == cell.program]
            rivals = [their for their in left if their.program == cell.program]
            if len(alike) == len(rivals) == 1:
                yield cell, theirs.pop(alike[0])


def share_streams(one: Cell, other: Cell) -> bool:
    """Whether trials of one number start from the same weights and see the same batches."""
    a, b = one.setting, other.setting
    known = bool(a.dataset_digest) and a.dataset_digest == b.dataset_digest
    return known and (a.seed, a.batch_size) == (b.seed, b.batch_size)


def _matches(pairs: Sequence[tuple[Cell, Cell]], terms: TestSettings) -> list[Match]:
    """The treatments of one architecture, corrected together."""
    values: dict[str, tuple[Cell, Cell, Pair]] = {}
    for one, other in pairs:
        pair = paired_values(
            other.trial,
            other.values(terms.metric),
            one.trial,
            one.values(terms.metric),
            paired=share_streams(one, other),
        ) or paired_values(
            other.trial, other.values(terms.metric), one.trial, one.values(terms.metric), paired=False
        )
        if pair is not None:
            values[f"{one.label} {one.setting} {other.setting}"] = one, other, pair
    if not values:
        return []
    family = families.judge(
        {name: pair.test(terms) for name, (_, _, pair) in values.items()}, alpha=terms.alpha
    )
    found = []
    for name, (one, other, pair) in values.items():
        a, b = moments(one.values(terms.metric)), moments(other.values(terms.metric))
        if a is not None and b is not None:
            found.append(
                Match(
                    architecture=one.architecture,
                    label=one.label,
                    other_label=other.label,
                    settings=_unlike(one.setting, other.setting),
                    paired=pair.paired,
                    a=a,
                    b=b,
                    member=family[name],
                    difference=pair.difference(terms),
                    equivalence=pair.equivalence(terms, one.setting.metric),
                    metric=one.setting.metric,
                )
            )
    return found


def _unlike(one: Setting, other: Setting) -> str:
    """`lr 0.0001 / 0.001`: in what two settings differ that are compared."""
    return ", ".join(
        f"{name} {getattr(one, fields[0])} / {getattr(other, fields[0])}"
        for name, (_, fields) in ACROSS.items()
        if fields and getattr(one, fields[0]) != getattr(other, fields[0])
    )


def _left(results: StudyResults, used: set[int]) -> tuple[str, ...]:
    return tuple(f"{cell.architecture} {cell.label}" for cell in results.cells if id(cell) not in used)


def compare_table(report: CompareReport) -> Table:
    """One row for each match."""
    return Table(
        name="compare",
        title=f"{report.name_a} and {report.name_b}",
        note=_note(report),
        headers=(
            "architecture",
            "treatment",
            f"A: {report.name_a} (std)",
            "n",
            f"B: {report.name_b} (std)",
            "n",
            "trials",
            "B - A (95 % interval)",
            "p",
            "smallest p",
            "p (Holm)",
            "p (equivalence)",
            "verdict",
        ),
        rows=tuple(
            (
                str(one.architecture),
                ", ".join(filter(None, [_treatment(one), one.settings])),
                mean_std(one.a, one.metric),
                str(one.a.n),
                mean_std(one.b, one.metric),
                str(one.b.n),
                "paired" if one.paired else "not paired",
                with_interval(one.difference, metric=one.metric),
                p_value(one.member.test.p),
                p_value(one.member.test.smallest_p),
                p_value(one.member.adjusted_p),
                p_value(one.equivalence.p) if one.equivalence else "no margin",
                one.verdict,
            )
            for one in report.matches
        ),
        left=(0, 1, 6, 12),
    )


def _treatment(one: Match) -> str:
    return one.label if one.label == one.other_label else f"{one.label} / {one.other_label}"


def verdict_table(report: CompareReport) -> Table:
    """One row for each architecture."""
    return Table(
        name="verdicts",
        title="Verdicts",
        note=(
            f"Equivalent: every treatment agrees within {report.within}. Different: some treatment "
            "differs after Holm, and does not agree within the margin. Undecided: these trials show neither."
        ),
        headers=("architecture", "treatments", "verdict"),
        rows=tuple(
            (str(architecture), str(len(matches)), report.verdict(architecture))
            for architecture, matches in report.architectures.items()
        ),
        left=(0, 2),
    )


def _note(report: CompareReport) -> str:
    what = "LKG test scores" if report.metric == "test" else "Bounties (validation)"
    units = ", ".join(of_metric(metric) for metric in report.metrics)
    return (
        f"{what}: {units}; std divides by n. Equivalence: two one-sided tests at {report.alpha:g} within "
        f"{report.within}. Differences: exact tests, Holm within each architecture."
    )


def compare_sentences(report: CompareReport) -> Iterator[str]:
    """What the comparison shows, a sentence each; what the two differ in comes first."""
    if report.differences:
        compared = (
            "; only matching settings are compared" if not any(m.settings for m in report.matches) else ""
        )
        yield f"A and B differ: {'; '.join(report.differences)}{compared}."
    verdicts = {architecture: report.verdict(architecture) for architecture in report.architectures}
    alike = [a for a, verdict in verdicts.items() if verdict == "equivalent"]
    different = [a for a, verdict in verdicts.items() if verdict.startswith("different")]
    total = len(verdicts)
    yield (
        f"Of {many(total, 'architecture')} that both have, {len(alike)} "
        f"{'is' if len(alike) == 1 else 'are'} equivalent in every treatment (within {report.within}), "
        f"{len(different)} {'differs' if len(different) == 1 else 'differ'} in at least one, and "
        f"{total - len(alike) - len(different)} are undecided."
    )
    if different:
        yield f"They differ in {listed([code(str(one)) for one in different])}."
    unpaired = sum(not match.paired for match in report.matches)
    if unpaired:
        yield (
            f"{unpaired} of {many(len(report.matches), 'comparison')} are not paired, because trials do not "
            "share seed and data."
        )
    for metric in report.metrics:
        gaps = np.array([abs(m.difference.value) for m in report.matches if m.metric == metric])
        what = "" if len(report.metrics) == 1 else f" of {metric.name}"
        yield (
            f"The median difference of means{what} is {by(float(np.median(gaps)), metric)}, the largest "
            f"{score(float(gaps.max()), metric)}."
        )
    for name, left in ((report.name_a, report.only_a), (report.name_b, report.only_b)):
        if left:
            yield f"Only in {name}: {listed([code(one) for one in left], 6)}."
