"""Every comparison with its test: as sentences for a text, as a table for the page."""

from __future__ import annotations

from collections.abc import Iterator

from frustration.report.findings import Analysis, Comparison
from frustration.report.formatting import by, change, code, many, p_value, with_interval
from frustration.report.table import Table, place_of
from frustration.report.topics import FEW, Topic, does, evidence_of, headline, p_values, topics


def comparison_sentence(one: Comparison, topic: Topic, analysis: Analysis) -> str:
    """In which architecture, what was found, and with what certainty."""
    place = f"In {code(str(one.architecture))}"
    if analysis.group(one.setting, one.architecture).learns is False:
        place += " (where no trial beats chance)"
    name, control = code(one.treatment), code(one.control)
    part = f"; it is inert in {one.idle} of {many(one.difference.n, 'trial')}" if one.idle else ""
    metric = one.setting.metric
    difference = change(one.difference.value, metric)
    evidence = evidence_of(one.difference, metric, one.test.p, one.member.adjusted_p)
    if one.finding == "inert":
        return f"{place}, {name} is inert: it did the same as {control} in every trial."
    if one.finding == "mostly inert":
        return (
            f"{place}, {name} is inert in {one.idle} of {many(one.difference.n, 'trial')}, so its "
            f"difference from {control} ({difference}) is not judged."
        )
    if one.finding == "identical":
        return f"{place}, {name} and {control} agree in every trial."
    if one.successes is not None:
        return _success(one, topic, part)
    if one.finding in ("better", "worse"):
        more = _more_often(one)
        if not more:
            return (
                f"{place}, {name} {does(topic, one.finding, analysis)} by "
                f"{by(one.difference.value, metric)} ({evidence}){part}."
            )
        return (
            f"{place}, {headline(topic, analysis)} under {name} is {more} than under {control}, though not "
            f"on average: {difference} ({evidence})."
        )
    if one.finding == "undecided":
        return f"{place}, {name} cannot be distinguished from {control}: {difference} ({evidence}){part}."
    few = (
        f"{many(one.test.n, 'trial')} are"
        if one.test.informative == one.test.n
        else f"only {one.test.informative} of {one.test.n} trials differ, which is"
    )
    return (
        f"{place}, {few} too few for any verdict on {name} ({one.member.verdict}); "
        f"the difference is {difference}{part}."
    )


def _success(one: Comparison, topic: Topic, part: str) -> str:
    """Where only some trials learn, the sentence is about how many do."""
    x, m, y, n = one.successes or (0, 0, 0, 0)
    counts = (
        f"{x} of {many(m, 'trial')} learn under {code(one.treatment)}, {y} of {n} under {code(one.control)}"
    )
    evidence = f"{one.test.method.partition(',')[0]}: {p_values(one.test.p, one.member.adjusted_p)}"
    verdict = {
        "better": "more than chance explains",
        "worse": "fewer than chance explains",
        "undecided": "which chance can explain",
    }.get(one.finding, f"too few for a verdict, {one.member.verdict}")
    return f"In {code(str(one.architecture))}, {counts}: {verdict} ({evidence}){part}."


def comparisons_in_short(analysis: Analysis) -> Table:
    """A row for each comparison that a sentence could name; many architectures are counted instead."""
    named = [topic for topic in topics(analysis) if len(topic.comparisons) <= FEW]
    level = next((100 * one.difference.level for topic in named for one in topic.comparisons), 95)
    rows = tuple(
        (
            one.treatment,
            f"{one.control} (equal parameters)" if topic.kind == "size" else one.control,
            place_of(analysis, one.setting, one.architecture),
            with_interval(one.difference, metric=one.setting.metric),
            p_value(one.test.p) if one.tested else "",
            p_value(one.member.adjusted_p) if one.tested else "",
            one.verdict,
            "; ".join(_notes(one, analysis)),
        )
        for topic in named
        for one in topic.comparisons
    )
    made = Table(
        name="each",
        title="Every comparison, with its test",
        note=(
            "Undecided: treatment and control cannot be distinguished, which does not mean that they are "
            "equal. p (adjusted): corrected for all verdicts of this report. The tables below have the rest."
        ),
        headers=(
            "treatment",
            "against",
            "architecture",
            f"difference ({level:g} % interval)",
            "p",
            "p (adjusted)",
            "verdict",
            "note",
        ),
        rows=rows,
        left=(0, 1, 2, 6, 7),
    )
    return made if any(row[-1] for row in rows) else made.without("note")


def _notes(one: Comparison, analysis: Analysis) -> Iterator[str]:
    """What the columns do not say."""
    if analysis.group(one.setting, one.architecture).learns is False:
        yield "no trial beats chance"
    if one.successes is not None:
        yield "{} of {} trials learn, of control {} of {}; this is tested".format(*one.successes)
    elif one.finding in ("better", "worse") and (more := _more_often(one)):
        yield f"{more}, though not on average"
    if one.tested and one.test.informative < one.test.n:
        yield f"{one.test.informative} of {one.test.n} trials differ"


def _more_often(one: Comparison) -> str:
    """What a test of ranks found where the means point the other way; nothing where they agree."""
    if one.test.paired or one.difference.value * one.test.effect > 0:
        return ""
    return "more often higher" if one.test.effect > 0 else "more often lower"
