"""Tables of results: cells, comparisons, claims over architectures, success rates, regimes."""

from __future__ import annotations

import math
from collections.abc import Iterator

from frustration.report.findings import Analysis, CellSummary, Claim, Group
from frustration.report.formatting import (
    DASH,
    amount,
    digits_of,
    interval,
    listed,
    mean_std,
    number,
    p_value,
    points,
    score,
    seconds,
    with_interval,
)
from frustration.report.table import (
    Table,
    each_cell,
    margins,
    place_of,
    several_settings,
    what_scores_are,
)
from frustration.statistics.regimes import RULES, UNKNOWN


def cells_table(analysis: Analysis) -> Table:
    """The main table: one row for each treatment of each architecture."""
    test = analysis.metric == "test"
    rows = []
    for place, group, label, cell in each_cell(analysis):
        headline, metric = cell.test if test else cell.bounty, group.setting.metric
        mean = interval(cell.headline, signed=False, metric=metric)
        rows.append(
            (
                place,
                label,
                str(cell.cell.n),
                *([mean_std(headline, metric), mean] if test else []),
                mean_std(cell.bounty, metric),
                *([] if test else [mean]),
                *_versus(group, label),
                amount(cell.parameters),
                seconds(cell.seconds),
                "; ".join(_notes(cell)),
            )
        )
    headers = ["architecture", "treatment", "n"]
    bounty = f"{analysis.column('bounty')} (std)"
    headers += [f"{analysis.column('LKG test')} (std)", "95 % interval", bounty] if test else []
    headers += [] if test else [bounty, "95 % interval"]
    headers += ["control", "difference (95 % interval)", "p (adjusted)", "verdict"]
    headers += ["parameters", "CPU time", "note"]
    return Table(
        name="cells",
        title="Treatments",
        note=(
            f"Mean over trials of {analysis.headline}; std divides by n; the interval of the mean is "
            f"Student's. Difference to control and verdict as in the next table.{what_scores_are(analysis)}"
        ),
        headers=tuple(headers),
        rows=tuple(rows),
        left=(0, 1, len(headers) - 7, len(headers) - 4, len(headers) - 1),
    )


def _versus(group: Group, label: str) -> tuple[str, str, str, str]:
    one = group.comparisons.get(label)
    if one is None:
        return ("", "control" if group.comparisons else DASH, "", "")
    difference = with_interval(one.difference, metric=one.setting.metric)
    return (one.control, difference, p_value(one.member.adjusted_p), one.verdict)


def _notes(cell: CellSummary) -> Iterator[str]:
    if cell.inert:
        yield "inert"
    if cell.success is not None and not cell.success.successes:
        yield "never beats chance"
    elif cell.success is not None and cell.bimodal:
        yield f"{cell.success.successes} of {cell.success.rate.n} learn"
    if diverged := int(cell.cell.diverged.sum()):
        yield f"{diverged} loops diverged"
    if early := int(cell.cell.ended_early.sum()):
        yield f"{early} ended early"


def comparisons_table(analysis: Analysis) -> Table:
    """The primary families in full."""
    rows = [
        (
            place_of(analysis, one.setting, one.architecture),
            one.treatment,
            one.control,
            str(one.test.n),
            f"{one.idle} of {one.difference.n}" if one.idle else "",
            with_interval(one.difference, metric=one.setting.metric),
            with_interval(one.beside.difference, metric=one.setting.metric) if one.beside else "",
            with_interval(one.cliffs_delta),
            f"{number(one.improvement.value)} "
            f"({number(one.improvement.low)} to {number(one.improvement.high)})",
            p_value(one.test.p),
            p_value(one.test.smallest_p),
            p_value(one.member.adjusted_p),
            p_value(one.explored_p),
            one.verdict,
            one.equivalence.verdict if one.equivalence else "no margin",
            score(one.detectable, one.setting.metric) if math.isfinite(one.detectable) else "∞",
            _more(one.more.more if one.more else None),
        )
        for one in analysis.verdicts
    ]
    methods = sorted({one.test.method for one in analysis.verdicts})
    explored = [one.explored_p for one in analysis.verdicts if one.explored_p is not None]
    passed = sum(p <= analysis.alpha for p in explored)
    baselines = listed(sorted({group.control for group in analysis.groups if group.control}))
    ends = "intervals invert the test" if analysis.paired else "intervals are Welch's"
    return Table(
        name="comparisons",
        title="Treatments against control",
        note=(
            f"{'; '.join(methods)}; {ends}. p (adjusted): all verdicts about treatments share "
            f"{analysis.alpha:g}, and those about controls have their own {analysis.alpha:g}. p (BH): "
            f"Benjamini-Hochberg over this table, for exploration; {passed} of {len(explored)} pass, with an "
            f"expected false-discovery rate of {analysis.alpha:g}. Inert: trials in which nothing "
            "was done, or that equal their control to the bit. Beside: the difference from "
            f"{baselines}, if that is not the control. Cliff's delta and P(improvement) are "
            "above 0 and 0.5 if the treatment is better. Smallest p: the smallest that these trials could "
            f"give. Equivalent: within {margins(analysis)}, each test at {analysis.alpha:g}. "
            "Detectable: the true difference detected with 80 % power. More trials: to detect "
            f"{margins(analysis)} with that power.{what_scores_are(analysis)}"
        ),
        headers=(
            "architecture",
            "treatment",
            "control",
            "n",
            "inert",
            "difference (95 % interval)",
            "beside (interval)",
            "Cliff's delta (interval)",
            "P(improvement) (interval)",
            "p",
            "smallest p",
            "p (adjusted)",
            "p (BH)",
            "verdict",
            f"within {analysis.margin:g}" if analysis.in_points else "equivalent",
            "detectable",
            "more trials",
        ),
        rows=tuple(rows),
        left=(0, 1, 2, 13, 14),
    )


def _more(count: int | None) -> str:
    return DASH if count is None else f"{count:,}"


def claims_table(analysis: Analysis) -> Table:
    """Over architectures."""
    rows = tuple(
        (
            f"{one.treatment} ({one.setting.name})" if several_settings(analysis) else one.treatment,
            one.control,
            str(one.architectures),
            str(one.trials),
            with_interval(one.difference, metric=one.setting.metric),
            p_value(one.member.test.p if one.member else None),
            p_value(one.member.test.smallest_p if one.member else None),
            p_value(one.member.adjusted_p if one.member else None),
            one.member.verdict if one.member else "not tested",
            p_value(one.varies),
            _range(one),
            f"{one.wins.effect:+.2f} (p {p_value(one.wins.p)})" if one.wins else DASH,
            f"{number(one.improvement.value)} ({number(one.improvement.low)} to "
            f"{number(one.improvement.high)})"
            if one.improvement
            else DASH,
            f"{one.better} / {one.worse} / {one.equivalent}",
        )
        for one in analysis.claims
    )
    return Table(
        name="claims",
        title="Over architectures",
        note=(
            "Architectures that learn, and in which the treatment mostly acted. They share batch orders, so "
            "their signs flip together and n stays the number of trials; p is adjusted as in the previous "
            "table. One effect: p of the hypothesis that all effects are equal; if it is small, the "
            "average is misleading. Wins: share of architectures that improve minus share that get "
            "worse. Better, worse, equivalent: numbers of architectures."
        ),
        headers=(
            "treatment",
            "control",
            "architectures",
            "n",
            "mean difference (95 % interval)",
            "p",
            "smallest p",
            "p (adjusted)",
            "verdict",
            "one effect: p",
            "range",
            "wins",
            "P(improvement)",
            "better / worse / equivalent",
        ),
        rows=rows,
        left=(0, 1, 8),
    )


def _range(one: Claim) -> str:
    low, high = one.least.difference.value, one.most.difference.value
    digits = digits_of(one.setting.metric, low, high)
    return f"{points(low, digits)} to {points(high, digits)}"


def aggregates_table(analysis: Analysis) -> Table:
    """Interquartile means."""
    rows = tuple(
        (
            f"{one.treatment} ({one.setting.name})" if several_settings(analysis) else one.treatment,
            str(one.architectures),
            score(one.iqm.value, one.setting.metric),
            interval(one.iqm, signed=False, metric=one.setting.metric),
        )
        for one in analysis.aggregates
    )
    return Table(
        name="aggregates",
        title="Interquartile means",
        note=f"Of {analysis.headline}: the middle half of all trials of the architectures that learn.",
        headers=("treatment", "architectures", "IQM", "95 % interval"),
        rows=rows,
        left=(0,),
    )


def success_table(analysis: Analysis) -> Table:
    """Cells of which some trials learn and some do not."""
    rows = []
    for place, group, label, cell in each_cell(analysis):
        if cell.success is None or not cell.bimodal:
            continue
        rate = cell.success.rate
        rows.append(
            (
                place,
                label,
                f"{cell.success.successes} of {rate.n}",
                f"{100 * rate.low:.0f} to {100 * rate.high:.0f} %",
                with_interval(cell.success.conditional, signed=False, metric=group.setting.metric),
            )
        )
    return Table(
        name="success",
        title="Cells in which only some trials learn",
        note="Trials whose headline beats chance, with Wilson's 95 % interval, and their mean.",
        headers=(
            "architecture",
            "treatment",
            "learn",
            "95 % interval",
            f"{analysis.column('mean')} of those (interval)",
        ),
        rows=tuple(rows),
    )


def regimes_table(analysis: Analysis) -> Table:
    """By both published rule sets."""
    rows = []
    for group in analysis.groups:
        if not group.regimes:
            continue
        shown = []
        for rules in ("paper", "code"):
            found = group.regimes[rules]
            shown += [found.label, f"{100 * found.confidence:.0f} %", ", ".join(found.not_judged)]
        missing = ", ".join(next(iter(group.regimes.values())).missing)
        rows.append((place_of(analysis, group.setting, group.architecture), *shown, missing))
    return Table(
        name="regimes",
        title="Training regimes",
        note=(
            "By the rules of the published paper and by those of its code, always on bounties. Confidence: "
            "how often resampled trials give the same label. Rules, in order: "
            f"{', '.join(RULES)}; else {UNKNOWN}."
        ),
        headers=(
            "architecture",
            "paper's rules",
            "confidence",
            "not judged",
            "code's rules",
            "confidence",
            "not judged",
            "modes not tried",
        ),
        rows=tuple(rows),
        left=(0, 1, 3, 4, 6, 7),
    )
