"""What a report is about, treatment by treatment, and the words for how one differs from its control."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

from frustration.metric import Metric
from frustration.report.findings import Analysis, Claim, Comparison
from frustration.report.formatting import code, interval, listed, p_value
from frustration.report.results import Setting
from frustration.statistics.results import Estimate

FEW = 4
"""Up to so many architectures, each is named in a sentence."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """A treatment against one control, wherever both were tried."""

    setting: Setting
    treatment: str
    kind: str
    comparisons: tuple[Comparison, ...]
    claim: Claim | None

    @property
    def name(self) -> str:
        return code(self.treatment)

    @property
    def control(self) -> str:
        names = list(dict.fromkeys(one.control for one in self.comparisons))
        return listed([code(one) for one in names])

    def having(self, *findings: str) -> list[Comparison]:
        return [one for one in self.comparisons if one.finding in findings]


def topics(analysis: Analysis) -> list[Topic]:
    """What the study is mainly about first: treatments at equal size, then treatments and their controls."""
    found: dict[tuple[Setting, str, str, str], list[Comparison]] = {}
    for one in analysis.verdicts:
        if one.main:
            key = one.setting, one.treatment, one.kind, "" if one.kind == "size" else one.control
            found.setdefault(key, []).append(one)
    claims = {(one.setting, one.treatment, one.kind): one for one in analysis.claims if one.main}
    made = [
        Topic(
            setting=setting,
            treatment=treatment,
            kind=kind,
            comparisons=tuple(comparisons),
            claim=claims.get((setting, treatment, kind)),
        )
        for (setting, treatment, kind, _), comparisons in found.items()
    ]
    return sorted(made, key=lambda topic: topic.kind != "size")


def across_settings(found: Iterable[Topic]) -> list[Topic]:
    """Each treatment once, for all settings in which the same is scored; claims are of one setting."""
    alike: dict[tuple[str, str, str, Metric], list[Topic]] = {}
    for topic in found:
        key = topic.treatment, topic.kind, topic.control, topic.setting.metric
        alike.setdefault(key, []).append(topic)
    return [
        replace(some[0], comparisons=tuple(one for topic in some for one in topic.comparisons), claim=None)
        for some in alike.values()
    ]


def moves(topic: Topic, finding: str) -> str:
    higher = (finding == "better") == (topic.setting.metric.sign > 0)
    return "raises" if higher else "lowers"


def stands(topic: Topic, finding: str) -> str:
    """Above and below, where higher is better; where lower is, nobody would know which of them is good."""
    if topic.setting.metric.sign > 0:
        return "is above" if finding == "better" else "is below"
    return f"is {finding} than"


def does(topic: Topic, finding: str, analysis: Analysis) -> str:
    if topic.kind == "own":
        return f"{moves(topic, finding)} {headline(topic, analysis)}"
    size = ", an ordinary network with as many parameters," if topic.kind == "size" else ""
    return f"{stands(topic, finding)} {topic.control}{size}"


def headline(topic: Topic, analysis: Analysis) -> str:
    if analysis.runs:
        return topic.setting.metric.name
    return f"test {topic.setting.metric.name}" if analysis.metric == "test" else "the bounty"


def evidence_of(difference: Estimate, metric: Metric, p: float, adjusted: float | None) -> str:
    return f"{certainty(difference, metric)}; {p_values(p, adjusted)}"


def p_values(p: float, adjusted: float | None) -> str:
    said = p_value(p)
    more = f", {p_value(adjusted)} adjusted" if adjusted is not None else ""
    return f"p {said if said.startswith('<') else '= ' + said}{more}"


def certainty(difference: Estimate, metric: Metric) -> str:
    if math.isinf(difference.low) and math.isinf(difference.high):
        return f"no bound at {100 * difference.level:g} %"
    return f"{100 * difference.level:g} % interval {interval(difference, metric=metric)}"
