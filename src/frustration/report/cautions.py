"""What a report says beside its findings: what could not have been found, costs, and what to beware of."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from frustration.report.findings import Analysis, Comparison
from frustration.report.formatting import amount, code, listed, many, number, p_value, percent
from frustration.report.results import Cell, Floats, Setting, StudyResults


def power_notes(analysis: Analysis) -> Iterator[str]:
    families = [group.family for group in analysis.groups if group.family is not None and group.family.size]
    if not families:
        return
    closed = [family for family in families if not family.can_reject]
    if closed:
        needed = max((family.needs or 0 for family in closed), default=0)
        ask = f"; n = {needed} would do for all of them" if needed else ""
        yield (
            f"In {len(closed)} of {many(len(families), 'family', 'families')} no outcome could have been "
            f"significant at {analysis.alpha:g} with so few trials{ask}."
        )
    smallest = sorted({member.test.smallest_p for family in families for member in family.members})
    if smallest:
        yield f"The smallest p that any of these tests could have given is {p_value(smallest[0])}."
    active = [one for one in analysis.comparisons if one.tested]
    learning = {(group.setting, group.architecture) for group in analysis.groups if group.learns is not False}
    known = [
        one.detectable
        for one in active
        if (one.setting, one.architecture) in learning and math.isfinite(one.detectable)
    ]
    if known:
        yield (
            f"Half of the comparisons in networks that learn would find a true difference of "
            f"{number(float(np.median(known)))} points or less with a power of 0.8, "
            f"nine in ten one of {number(float(np.quantile(known, 0.9)))}."
        )
    more = [one.more.more for one in active if one.more and one.more.more and one.finding == "undecided"]
    if more:
        yield (
            f"To find {analysis.margin:g} points with a power of 0.8, half of the undecided comparisons that "
            f"lack trials for it need {int(np.median(more)):,} more or fewer."
        )
    alike = sum(one.equivalence.equivalent for one in active)
    if active:
        yield (
            f"In {alike} of {len(active)} comparisons treatment and control agree within {analysis.margin:g} "
            f"points (two one-sided tests at {analysis.alpha:g})."
        )
    yield _explored(analysis, active)


def _explored(analysis: Analysis, active: list[Comparison]) -> str:
    """How many pass Benjamini and Hochberg, in which direction, and how many gains are worth nothing."""
    passed = [one for one in active if one.explored_p is not None and one.explored_p <= analysis.alpha]
    gains = [one for one in passed if one.test.effect > 0]
    stuck = {(g.setting, g.architecture) for g in analysis.groups if g.learns is False}
    idle = sum((one.setting, one.architecture) in stuck for one in gains)
    but = f", {idle} of them in networks that never beat chance" if idle else ""
    found = f" ({len(gains)} better{but}; {len(passed) - len(gains)} worse)" if passed else ""
    return (
        f"For exploration: {len(passed)} of {len(active)} comparisons pass Benjamini and Hochberg at "
        f"{analysis.alpha:g}{found}; on average at most {100 * analysis.alpha:g} % of such finds are false."
    )


def costs(analysis: Analysis) -> Iterator[str]:
    """Each treatment's training FLOPs and CPU time against control, over the architectures that have both."""
    ratios: dict[tuple[Setting, str, str], list[tuple[float, float]]] = {}
    for group in analysis.groups:
        for name, cell in group.cells.items():
            if group.control is not None and name != group.control:
                bare = group.cells[group.control]
                pair = (
                    _ratio(cell.training_flops, bare.training_flops),
                    _ratio(cell.seconds, bare.seconds),
                )
                ratios.setdefault((group.setting, name, group.control), []).append(pair)
    if not ratios:
        return
    several = len({setting for setting, _, _ in ratios}) > 1
    alike: list[str] = []
    for (setting, name, control), pairs in ratios.items():
        works, times = (
            np.array([one for one in column if math.isfinite(one)]) for column in zip(*pairs, strict=True)
        )
        if not _differs(works) and not _differs(times):
            alike.append(code(name))
            continue
        where = f"With {setting.name}: " if several else ""
        said = [f"{_range(works)} times the training FLOPs"] if works.size else []
        said += [f"{_range(times)} times the CPU time"] if times.size else []
        yield f"{where}{code(name)} takes {' and '.join(said)} of {code(control)}."
    if alike:
        known = any(math.isfinite(time) for pairs in ratios.values() for _, time in pairs)
        shared = (
            " (Trials that are trained together share their CPU time alike, so it cannot tell "
            "treatments of one group apart.)"
        )
        names = listed(list(dict.fromkeys(alike)))
        verb = "costs" if len(set(alike)) == 1 else "cost"
        yield f"{names} {verb} what control costs, within 1 %.{shared if known else ''}"
    yield from _costs_of_networks(analysis)


def _costs_of_networks(analysis: Analysis) -> Iterator[str]:
    """The cheapest network that comes within the margin of the best one."""
    for setting in dict.fromkeys(row.setting for row in analysis.pareto):
        rows = [row for row in analysis.pareto if row.setting == setting]
        best = max(rows, key=lambda row: row.headline.value)
        near = [row for row in rows if row.headline.value >= best.headline.value - analysis.margin]
        small = min(near, key=lambda row: (row.parameters, -row.headline.value))
        if small is not best and small.parameters < best.parameters:
            yield (
                f"The highest mean is {percent(best.headline.value)} % ({code(best.label)} in "
                f"{code(str(best.architecture))}, {amount(best.parameters)} parameters); "
                f"{code(small.label)} in {code(str(small.architecture))} comes within "
                f"{analysis.margin:g} points of it with {amount(small.parameters)}."
            )


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else math.nan


def _differs(ratios: Floats) -> bool:
    return bool(ratios.size) and bool(np.abs(ratios - 1.0).max() > 0.01)


def _range(ratios: Floats) -> str:
    """`1.50`, or with the extremes `1.50 (1.20 to 1.80)`."""
    middle = f"{np.median(ratios):.2f}"
    extremes = f"{ratios.min():.2f} to {ratios.max():.2f}"
    return f"{middle} (median; {extremes})" if ratios.size > 1 else middle


def warnings(results: StudyResults, analysis: Analysis) -> Iterator[str]:
    inert: dict[str, int] = {}
    for group in analysis.groups:
        for label, summary in group.cells.items():
            if summary.inert:
                inert[label] = inert.get(label, 0) + 1
    for name, count in inert.items():
        cell = next(cell for cell in results.cells if cell.label == name and cell.is_inert)
        yield (
            f"{code(name)} is inert in {many(count, 'architecture')}: {why_inert(cell)} "
            f"It is in no family of tests."
        )
    stuck = [group for group in analysis.groups if group.learns is False]
    if stuck:
        names = [code(str(group.architecture)) for group in stuck]
        yield (
            f"In {len(stuck)} of {many(len(analysis.groups), 'architecture')} no trial of any treatment "
            f"beats chance ({listed(names)}): a difference there is one between networks that do not learn."
        )
    if any(group.learns is None for group in analysis.groups):
        yield "ZeroR of a data set is not known here, so networks that never learn are not masked."
    bimodal = [
        f"{code(label)} in {code(str(group.architecture))}"
        for group in analysis.groups
        for label, cell in group.cells.items()
        if cell.bimodal
    ]
    if bimodal:
        yield (
            f"In {many(len(bimodal), 'cell')} some trials learn and some do not ({listed(bimodal, 6)}): "
            f"read their success rate, not their mean."
        )
    diverged = sum(int(cell.diverged.sum()) for cell in results.cells)
    if diverged:
        yield f"The loss was not finite in {many(diverged, 'loop')}; they left no trace."
    lost = sum(int((~np.isfinite(cell.values(analysis.metric))).sum()) for cell in results.cells)
    if lost:
        yield f"{many(lost, 'trial')} ended without a usable network, so no test has them."
    if results.failures:
        causes = Counter(failure.cause for failure in results.failures)
        yield (
            f"{many(len(results.failures), 'trial')} failed "
            f"({'; '.join(cause for cause, _ in causes.most_common(3))}) and are in no test."
        )
    if results.expected is not None and results.trials < results.expected:
        left = results.expected - results.trials - len(results.failures) - len(results.skipped)
        if left > 0:
            yield f"{many(left, 'trial')} of the study {'is' if left == 1 else 'are'} not there yet."
    for skipped in results.skipped[:6]:
        yield f"Passed over: {skipped.path.name} {skipped.reason}."
    if len(results.skipped) > 6:
        yield f"Passed over: {len(results.skipped) - 6} more files, listed below."
    if not analysis.paired:
        decay = [cell for cell in results.cells if cell.label == "decay"]
        if decay:
            yield (
                "`decay` at the published settings multiplies weights by 1 - 1e-4 * 1e-4, which is 1 in "
                "float32: what differs between it and `none` is chance."
            )


def why_inert(cell: Cell) -> str:
    """A sentence: why the treatments of this cell never acted."""
    for knobs in cell.knobs:
        if knobs.get("mode") == "decay" and "weight_decay" in knobs:
            product = f"{cell.setting.learning_rate:g} * {knobs['weight_decay']:g}"
            return f"its factor 1 - lr * weight_decay = 1 - {product} is 1 in float32, so no weight changes."
    grown = next((growth for growth in cell.growth if growth is not None), None)
    if grown is not None:
        return f"nothing grew ({grown.why}); what it differs in is ordinary training."
    if cell.loops.max(initial=0) <= 1:
        return "only loop 1 was trained, which is never damaged."
    return "by its own records it never changed anything."
