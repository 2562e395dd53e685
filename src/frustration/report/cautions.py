"""What a report adds to its findings: statistical power, costs, and warnings."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator

import numpy as np

from frustration.inert import why_inert
from frustration.report.findings import Analysis, Comparison
from frustration.report.formatting import (
    amount,
    apart,
    by,
    code,
    listed,
    many,
    p_value,
    score,
    with_unit,
)
from frustration.report.results import Cell, Floats, Setting, StudyResults
from frustration.report.topics import FEW


def power_notes(analysis: Analysis) -> Iterator[str]:
    main = [one for one in analysis.verdicts if one.main]
    active = [one for one in main if one.tested]
    if not active:
        return
    yield from _looks(analysis)
    small = [one for one in active if one.finding in ("n too small", "too few draws")]
    if small:
        needed = [one.member.needs for one in small if one.finding == "n too small"]
        told = [n for n in needed if n is not None]
        ask = f"; at least n = {max(told)} is needed" if told and len(told) == len(needed) else ""
        yield (
            f"In {len(small)} of {many(len(active), 'comparison')} no outcome could have been "
            f"significant at {analysis.alpha:g} with so few trials{ask}."
        )
    smallest = min(one.test.smallest_p for one in active)
    yield f"The smallest p that any of these tests could have given is {p_value(smallest)}."
    learning = {(group.setting, group.architecture) for group in analysis.groups if group.learns is not False}
    for metric in analysis.metrics:
        of_metric = [one for one in active if one.setting.metric == metric]
        known = [
            one.detectable
            for one in of_metric
            if (one.setting, one.architecture) in learning and math.isfinite(one.detectable)
        ]
        what = "" if len(analysis.metrics) == 1 else f" of {metric.name}"
        if known:
            yield (
                f"Detectable effect{what} at 80 % power: {by(float(np.median(known)), metric)} in the median "
                f"comparison, {score(float(np.quantile(known, 0.9)), metric)} in the 90th percentile."
            )
        undecided = [one for one in of_metric if one.finding == "undecided"]
        more = [one.more.more for one in undecided if one.more and one.more.more]
        margin = metric.margin_or(analysis.margin)
        if more and margin is not None:
            yield (
                f"The median undecided comparison{what} needs {int(np.median(more)):,} more trials to detect "
                f"{apart(f'{margin:g}', metric)} at 80 % power."
            )


def _looks(analysis: Analysis) -> Iterator[str]:
    """What the verdicts hold together, and what was paid for looking."""
    together = (
        f"All verdicts about treatments are from one procedure: the chance that any of them is false is at "
        f"most {100 * analysis.alpha:g} %"
    )
    if len(analysis.looks) > 1:
        times = listed([str(n) for n in analysis.looks])
        yield (
            f"{together}, over all looks. The study was looked at with {times} trials; each look spends "
            "part of it, and p values are adjusted for that."
        )
    elif analysis.paired and not analysis.runs:
        yield f"{together}, also if the study is extended and looked at again."
    else:
        yield f"{together}."


def costs(analysis: Analysis) -> Iterator[str]:
    """Each treatment's training FLOPs and CPU time against control, over the architectures that have both."""
    if analysis.runs:
        return
    ratios: dict[tuple[Setting, str, str], list[tuple[float, float]]] = {}
    for group in analysis.groups:
        for name, cell in group.cells.items():
            if name in group.comparisons:
                control = group.comparisons[name].control
                bare = group.cells[control]
                pair = (
                    _ratio(cell.training_flops, bare.training_flops),
                    _ratio(cell.seconds, bare.seconds),
                )
                ratios.setdefault((group.setting, name, control), []).append(pair)
    if not ratios:
        return
    several = len({setting for setting, _, _ in ratios}) > 1
    alike: list[str] = []
    dearer: dict[tuple[Setting, str, str], list[tuple[str, str]]] = {}
    for (setting, name, control), pairs in ratios.items():
        columns = [
            np.array([one for one in column if math.isfinite(one)]) for column in zip(*pairs, strict=True)
        ]
        if not any(map(_differs, columns)):
            alike.append(code(name))
            continue
        kinds = ("training FLOPs", "CPU time")
        what = " and ".join(kind for kind, found in zip(kinds, columns, strict=True) if found.size)
        said = " and ".join(_range(found) for found in columns if found.size)
        dearer.setdefault((setting, control, what), []).append((code(name), said))
    for (setting, control, what), found in dearer.items():
        where = f"With {setting.name}, times" if several else "Times"
        each = ", ".join(f"{name} {said}" for name, said in found)
        yield f"{where} the {what} of {code(control)}: {each}."
    if alike:
        known = any(math.isfinite(time) for pairs in ratios.values() for _, time in pairs)
        shared = " Trials that are trained together share their CPU time equally."
        names = listed(list(dict.fromkeys(alike)))
        verb = "costs" if len(set(alike)) == 1 else "cost"
        what = "the same as control" if known else "as many training FLOPs as control"
        yield f"{names} {verb} {what}, within 1 %.{shared if known else ' CPU times are not known.'}"
    yield from _costs_of_networks(analysis)


def _costs_of_networks(analysis: Analysis) -> Iterator[str]:
    """The cheapest network that comes within the margin of the best one."""
    for setting in dict.fromkeys(row.setting for row in analysis.pareto):
        metric = setting.metric
        margin = metric.margin_or(analysis.margin)
        if margin is None:
            continue
        rows = [(metric.sign * row.headline.value, row) for row in analysis.pareto if row.setting == setting]
        most, best = max(rows, key=lambda pair: pair[0])
        near = [(value, row) for value, row in rows if value >= most - margin]
        _, small = min(near, key=lambda pair: (pair[1].parameters, -pair[0]))
        if small is not best and small.parameters < best.parameters:
            yield (
                f"The {'highest' if metric.sign > 0 else 'lowest'} mean is "
                f"{with_unit(score(best.headline.value, metric), metric)} ({code(best.label)} in "
                f"{code(str(best.architecture))}, {amount(best.parameters)} parameters); "
                f"{code(small.label)} in {code(str(small.architecture))} comes within "
                f"{apart(f'{margin:g}', metric)} of it with {amount(small.parameters)}."
            )


def _why(cell: Cell) -> str:
    grown = next((growth for growth in cell.growth if growth is not None), None)
    return why_inert(
        cell.treatments[0],
        knobs=cell.knobs,
        learning_rate=cell.learning_rate,
        loops=int(cell.loops.max(initial=0)),
        growth=None if grown is None else grown.why,
    )


def _idle(analysis: Analysis) -> Iterator[str]:
    """Treatments that did nothing in some trials, and controls that are their own control."""
    idle: dict[tuple[str, str, bool], list[Comparison]] = {}
    for group in analysis.groups:
        for one in group.comparisons.values():
            if one.idle and not group.cells[one.treatment].inert:
                idle.setdefault((one.treatment, one.control, one.acted), []).append(one)
    for several in idle.values():
        if len(several) > FEW and several[0].acted:
            trials = sum(one.idle for one in several), sum(one.difference.n for one in several)
            yield (
                f"{code(several[0].treatment)} is inert in {trials[0]:,} of {trials[1]:,} trials of "
                f"{many(len(several), 'architecture')}: nothing was done in them, or they equal "
                f"{code(several[0].control)} to the bit."
            )
            continue
        for one in several:
            place = f"In {code(str(one.architecture))}"
            if not one.acted:
                yield f"{place}, {code(one.treatment)} equals {code(one.control)} to the bit in every trial."
            else:
                yield (
                    f"{place}, {code(one.treatment)} is inert in {one.idle} of "
                    f"{many(one.difference.n, 'trial')}: nothing was done in them, or they equal "
                    f"{code(one.control)} to the bit."
                )


def _ratio(one: float, other: float) -> float:
    return one / other if other > 0 else math.nan


def _differs(ratios: Floats) -> bool:
    return bool(ratios.size) and bool(np.abs(ratios - 1.0).max() > 0.01)


def _range(ratios: Floats) -> str:
    """`1.50`, of two `1.20 to 1.80`, of more `1.50 (median; 1.20 to 1.80)`."""
    middle = f"{np.median(ratios):.2f}"
    extremes = f"{ratios.min():.2f} to {ratios.max():.2f}"
    return {1: middle, 2: extremes}.get(ratios.size, f"{middle} (median; {extremes})")


def warnings(results: StudyResults, analysis: Analysis) -> Iterator[str]:
    inert: dict[str, int] = {}
    for group in analysis.groups:
        for label, summary in group.cells.items():
            if summary.inert:
                inert[label] = inert.get(label, 0) + 1
    for name, count in inert.items():
        cell = next(cell for cell in results.cells if cell.label == name and cell.is_inert)
        yield f"{code(name)} is inert in {many(count, 'architecture')}: {_why(cell)}. It was not tested." + (
            " Its numbers are copied from its control: nothing was trained twice."
            if cell.twins == cell.n
            else ""
        )
    yield from _idle(analysis)
    stuck = [group for group in analysis.groups if group.learns is False]
    if stuck:
        names = [code(str(group.architecture)) for group in stuck]
        yield (
            f"In {len(stuck)} of {many(len(analysis.groups), 'architecture')} no trial of any treatment "
            f"beats chance ({listed(names)}): differences there are between networks that do not learn."
        )
    if results.looks_lost:
        yield (
            "The manifest was damaged, so earlier looks at this study may be unknown. Verdicts hold their "
            "error rate only if there were none."
        )
    yield from _unknown_chance(analysis)
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
        yield f"The loss was not finite in {many(diverged, 'loop')}; those epochs were discarded."
    lost = sum(int((~np.isfinite(cell.values(analysis.metric))).sum()) for cell in results.cells)
    if lost:
        yield f"{many(lost, 'trial')} ended without a usable network, so they are in no test."
    if results.failures:
        causes = Counter(failure.cause for failure in results.failures)
        yield (
            f"{many(len(results.failures), 'trial')} failed "
            f"({'; '.join(cause for cause, _ in causes.most_common(3))}) and are in no test."
        )
    if results.expected is not None and results.trials < results.expected:
        left = results.expected - results.trials - len(results.failures) - len(results.skipped)
        if left > 0:
            yield f"{many(left, 'trial')} of the study {'is' if left == 1 else 'are'} not finished yet."
    for skipped in results.skipped[:6]:
        yield f"Skipped: {skipped.path.name} {skipped.reason}."
    if len(results.skipped) > 6:
        yield f"Skipped: {len(results.skipped) - 6} more files, listed below."
    if results.published:
        decay = [cell for cell in results.cells if cell.label == "decay"]
        if decay:
            yield (
                "`decay` at the published settings multiplies weights by 1 - 1e-4 * 1e-4, which is 1 in "
                "float32: any difference from `none` is chance."
            )


def _unknown_chance(analysis: Analysis) -> Iterator[str]:
    """Where networks that never learn cannot be distinguished from others."""
    if analysis.runs:
        return
    unknown = [group for group in analysis.groups if group.learns is None]
    problems = [code(str(group.architecture)) for group in unknown if group.setting.problem_metric]
    if len(problems) < len(unknown):
        yield "ZeroR of a data set is not known here, so networks that never learn are not masked."
    if problems:
        yield (
            f"The metric of {listed(list(dict.fromkeys(problems)), 4)} does not say what chance scores, so "
            "networks that never learn are not masked."
        )
