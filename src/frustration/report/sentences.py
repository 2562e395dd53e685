"""The first screen of a report: plain sentences that state the verdicts and no more.

"Raises" and "lowers" mean a difference from the treatment's own control; "is above" and "is below" a
difference that may have other causes, too. Everything else "cannot be distinguished".
Names of treatments and architectures are in backticks, as in Markdown; nothing else is marked up.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields

from frustration.metric import ACCURACY
from frustration.report import cautions
from frustration.report.about_runs import about_runs
from frustration.report.chosen_rates import chosen_sentences
from frustration.report.each_comparison import comparison_sentence
from frustration.report.findings import Analysis, Claim, Comparison
from frustration.report.formatting import apart, by, change, code, listed, many
from frustration.report.results import StudyResults
from frustration.report.robustness import arms_sentences, probe_sentences
from frustration.report.shared_policies import shared_sentence
from frustration.report.table import in_several
from frustration.report.topics import (
    FEW,
    Topic,
    across_settings,
    certainty,
    does,
    evidence_of,
    moves,
    stands,
    topics,
)


@dataclass(frozen=True, kw_only=True)
class Plain:
    """The answer to "which interventions help, with what certainty, and at what cost?", a sentence each."""

    answer: tuple[str, ...]
    """At most three: the main contrast, what else was found, what was not; then what names leave out."""
    about: tuple[str, ...]
    """What was run."""
    helps: tuple[str, ...]
    """What each treatment does, with its test."""
    together: tuple[str, ...]
    """Of these, the ones that are not about a single comparison: the page has those in a table."""
    withstand: tuple[str, ...]
    """How robust the kept networks are; each measure has its own error rate."""
    power_notes: tuple[str, ...]
    """What these trials could not have detected."""
    costs: tuple[str, ...]
    warnings: tuple[str, ...]
    """Inert treatments, networks that never learn, failed trials, skipped records."""


def plain_sentences(results: StudyResults, analysis: Analysis) -> Plain:
    """Everything that belongs on top."""
    plain = _plain(results, analysis)
    if results.runs is None:
        return plain
    said = {one.name: tuple(map(about_runs, getattr(plain, one.name))) for one in fields(plain)}
    return Plain(**said)


def _plain(results: StudyResults, analysis: Analysis) -> Plain:
    return Plain(
        answer=(*answer(analysis), *shared_sentence(results)),
        about=tuple(_about(results, analysis)),
        helps=(*_helps(analysis), *arms_sentences(analysis)),
        together=(*_helps(analysis, each=False), *arms_sentences(analysis)),
        withstand=tuple(probe_sentences(analysis)),
        power_notes=tuple(cautions.power_notes(analysis)),
        costs=tuple(cautions.costs(analysis)),
        warnings=tuple(cautions.warnings(results, analysis)),
    )


def _about(results: StudyResults, analysis: Analysis) -> Iterator[str]:
    asked = f" of {results.expected:,}" if results.expected not in (None, results.trials) else ""
    grid = f"{many(len(results.architectures), 'architecture')}, {many(len(results.labels), 'treatment')}"
    most = max((cell.n for cell in results.cells), default=0)
    yield f"{results.trials:,}{asked} trials are finished: {grid}, up to {many(most, 'trial')} in a cell."
    if results.runs is not None:
        yield from _about_runs(results, analysis)
        return
    if len(results.settings) > 1:
        yield f"There are {len(results.settings)} settings: {'; '.join(s.name for s in results.settings)}."
    elif results.settings:
        setting = results.settings[0]
        yield f"Setting: {setting.name}, up to {setting.meta_loops} loops of batches of {setting.batch_size}."
    yield from chosen_sentences(results)
    if results.plan.questions:
        asked_about = listed([code(label) for label in results.plan.questions])
        yield f"The study asks about {asked_about}: these share the error rate; the rest is exploration."
    how = "paired by trial number" if analysis.paired else "not paired, because these trials have no seeds"
    if analysis.metric == "test":
        yield f"The headline is the test {analysis.scores} of the LKG, which was selected on validation."
    else:
        yield (
            f"The headline is the bounty, the best of many validation scores: it is optimistic, "
            f"but no test {analysis.scores} is known."
        )
    yield from _scores(analysis)
    baselines = sorted({group.control for group in analysis.groups if group.control})
    if baselines:
        yield (
            f"Each treatment is compared with its own control, {how}; "
            f"{listed([code(one) for one in baselines])} is shown beside it."
        )
    if results.extensions:
        yield f"Trials were added to this study {_times(results.extensions)}."


def _about_runs(results: StudyResults, analysis: Analysis) -> Iterator[str]:
    yield from _scores(analysis)
    how = "in pairs" if analysis.paired else "by ranks, because no column defines pairs"
    control = next((code(group.control) for group in analysis.groups if group.control), "nothing")
    yield f"Read from {results.source.name}; each treatment is compared with {control}, {how}."


def _scores(analysis: Analysis) -> Iterator[str]:
    """What is scored, where that is not accuracy in percent."""
    for metric in analysis.metrics:
        if metric.name == ACCURACY.name and metric.unit == ACCURACY.unit:
            continue
        having = [str(group.architecture) for group in analysis.groups if group.setting.metric == metric]
        names = listed([code(one) for one in dict.fromkeys(having)], FEW)
        unit = f" in {metric.unit}" if metric.unit else ""
        margin = metric.margin_or(analysis.margin)
        matters = (
            f"differences below {apart(f'{margin:g}', metric)} do not matter"
            if margin is not None
            else "it has no margin, so nothing is called equivalent"
        )
        yield f"The score of {names} is {metric.name}{unit}, {metric.better} is better; {matters}."


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def answer(analysis: Analysis) -> Iterator[str]:
    """The study in at most three sentences, with effects and without tests; those are below."""
    every = across_settings(topics(analysis))
    if not every:
        return
    several = in_several(analysis)
    sizes = [topic for topic in every if topic.kind == "size"]
    if sizes:
        told = [_brief(topic, several) for topic in sizes if topic.having("better", "worse")]
        same = [topic.name for topic in sizes if _judged(topic) and not topic.having("better", "worse")]
        if same:
            told.append(f"{listed(same)} cannot be distinguished from an ordinary network of that size")
        if told:
            yield f"At equal parameters, {'; '.join(told)}."
    rest = [topic for topic in every if topic.kind != "size"]
    told = [_brief(topic, several) for topic in rest if topic.having("better", "worse")]
    acted = [topic.name for topic in rest if _judged(topic)]
    if told:
        yield f"Against its own control, {'; '.join(told)}."
    elif acted:
        yield f"{listed(acted)}: no difference from control can be distinguished from chance."
    left = list(_left_over(rest, several, bool(told)))
    if left:
        yield f"{'; '.join(left)}."


def _judged(topic: Topic) -> bool:
    return len(topic.having("inert", "mostly inert")) < len(topic.comparisons)


def _where(one: Comparison, several: bool) -> str:
    return code(str(one.architecture)) + (f" ({one.setting.name})" if several else "")


def _cases(topic: Topic, several: bool) -> str:
    return many(len(topic.comparisons), "comparison" if several else "architecture")


def _brief(topic: Topic, several: bool) -> str:
    """`hidden` lowers test accuracy by 0.56 points in `[1*32]` and by 4.10 in `[8*8]`."""
    parts = []
    for finding in ("better", "worse"):
        having = topic.having(finding)
        if not having:
            continue
        verb = _verb(topic, finding)
        if len(having) <= FEW:
            where = [f"{_size(one)} in {_where(one, several)}" for one in having]
            parts.append(f"{verb} {listed(where)}")
        else:
            parts.append(f"{verb} in {len(having)} of {_cases(topic, several)}")
    return f"{topic.name} {' and '.join(parts)}"


def _size(one: Comparison) -> str:
    if one.successes:
        return "({} of {} against {} of {} trials learn)".format(*one.successes)
    return f"by {by(one.difference.value, one.setting.metric)}"


def _verb(topic: Topic, finding: str) -> str:
    if topic.kind == "own":
        return f"{moves(topic, finding)} {topic.setting.metric.name}"
    return f"{stands(topic, finding)} {topic.control}"


def _left_over(rest: Sequence[Topic], several: bool, told: bool) -> Iterator[str]:
    """What was not distinguished from its control, and what did nothing."""
    same = [
        _places(topic, several, "undecided", "n too small", "too few draws", "identical") for topic in rest
    ]
    if told and any(same):
        yield f"Not distinguished from control: {', '.join(one for one in same if one)}"
    idle = [text for topic in rest for text in _idle(topic, several)]
    if idle:
        yield f"{'inert' if told and any(same) else 'Inert'}: {listed(idle, 4)}"


def _places(topic: Topic, several: bool, *findings: str) -> str:
    """Where these came out; only the name where that is everywhere."""
    having = topic.having(*findings)
    if not having:
        return ""
    if len(having) == len(topic.comparisons):
        return topic.name
    if len(having) > FEW:
        return f"{topic.name} in {len(having)} of {_cases(topic, several)}"
    return f"{topic.name} in {listed([_where(one, several) for one in having], FEW)}"


def _idle(topic: Topic, several: bool) -> Iterator[str]:
    """Where it did nothing: the trials of each architecture, or in how many where these are many."""
    having = [one for one in topic.comparisons if one.idle]
    if len(having) > (1 if several else FEW):
        trials = sum(one.idle for one in having), sum(one.difference.n for one in topic.comparisons)
        yield f"{topic.name} ({trials[0]:,} of {trials[1]:,} trials)"
    else:
        yield from (
            f"{topic.name} in {_where(one, several)} ({one.idle} of {many(one.difference.n, 'trial')})"
            for one in having
        )


def _helps(analysis: Analysis, each: bool = True) -> Iterator[str]:
    several = in_several(analysis)
    for topic in topics(analysis):
        where = f"With {topic.setting.name}: " if several else ""
        yield from (where + sentence for sentence in _topic(topic, analysis, each))


def _topic(topic: Topic, analysis: Analysis, each: bool) -> Iterator[str]:
    if topic.claim is not None:
        yield from _average(topic, topic.claim, analysis)
    if len(topic.comparisons) > FEW:
        yield _counted(topic)
    else:
        if each:
            yield from (comparison_sentence(one, topic, analysis) for one in topic.comparisons)
        yield from _beside(topic)
    if topic.kind == "substitute":
        yield (
            f"{topic.control} is not the control of {topic.name}, which this study lacks: what "
            "else the two differ in may be the cause."
        )


def _average(topic: Topic, claim: Claim, analysis: Analysis) -> Iterator[str]:
    """One sentence about the average, where it describes the architectures; else how far they are apart."""
    name = topic.name
    scope = f"Over {claim.architectures} architectures"
    low, high = claim.least, claim.most
    metric = topic.setting.metric
    span = (
        f"from {change(low.difference.value, metric)} in {code(str(low.architecture))} to "
        f"{change(high.difference.value, metric).removesuffix(' points')} in {code(str(high.architecture))}"
    )
    if claim.member is None:
        yield (
            f"{scope}, {name} differs from {topic.control} by {change(claim.difference.value, metric)} on "
            f"average ({certainty(claim.difference, metric)}), {span}; without pairs there is no joint test."
        )
    elif not claim.one_effect(analysis.alpha):
        yield (f"{scope}, the effect of {name} ranges {span}; no average is given.")
    elif claim.member.finding in ("better", "worse"):
        evidence = evidence_of(claim.difference, metric, claim.member.test.p, claim.member.adjusted_p)
        verb = does(topic, claim.member.finding, analysis)
        yield (
            f"{scope}, {name} {verb} by {by(claim.difference.value, metric)} on average, {span} ({evidence})."
        )


def _counted(topic: Topic) -> str:
    """Where there are too many architectures to name. What is counted has been tested together."""
    total, up, down = len(topic.comparisons), len(topic.having("better")), len(topic.having("worse"))
    raises, lowers = (
        (_verb(topic, "better"), f"{moves(topic, 'worse')} it in {down}, against {topic.control}")
        if topic.kind == "own"
        else (_verb(topic, "better"), f"{stands(topic, 'worse').removeprefix('is ')} it in {down}")
    )
    idle = sum(bool(one.idle) for one in topic.comparisons)
    part = f"; it is inert in some trials of {many(idle, 'architecture')}" if idle else ""
    return (
        f"Of {many(total, 'architecture')}, {topic.name} {raises} in {up} and {lowers}; in the "
        f"other {total - up - down} no verdict is possible{part}."
    )


def _beside(topic: Topic) -> Iterator[str]:
    """The difference to the arm that everything is set beside, without a claim."""
    having = [(one, one.beside) for one in topic.comparisons if one.beside is not None]
    if having:
        control = having[0][1].control
        said = [
            f"{change(beside.difference.value, one.setting.metric)} in {code(str(one.architecture))} "
            f"({certainty(beside.difference, one.setting.metric)})"
            for one, beside in having
        ]
        yield f"Beside {code(control)}, which is not its control, {topic.name}: {listed(said)}."
