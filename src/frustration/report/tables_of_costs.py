"""Tables of training and its costs: dynamics, growing arms, Pareto fronts, probes."""

from __future__ import annotations

import numpy as np

from frustration.report.findings import Analysis, Arm, Arms, CellSummary, ProbeComparison
from frustration.report.formatting import (
    amount,
    many,
    number,
    p_value,
    seconds,
    with_interval,
)
from frustration.report.table import Table, each_cell, place_of
from frustration.statistics.results import Estimate


def dynamics_table(analysis: Analysis) -> Table:
    """What happens from loop to loop."""
    rows = tuple(
        (
            place,
            label,
            number(cell.acceptance, 1),
            *(
                with_interval(one, metric=group.setting.metric)
                for one in (cell.harm, cell.recovery, cell.late_gain)
            ),
            number(_loop(cell), 1),
        )
        for place, group, label, cell in each_cell(analysis)
        if cell.acceptance is not None
    )
    return Table(
        name="dynamics",
        title="Harm, recovery, acceptance",
        note=(
            f"Accepted loops in percent. Harm: validation {analysis.scores} lost to an intervention; "
            "recovery: what the next epoch regained (means over loops, intervals over trials). "
            "Late gain: gain of the bounty in the last 20 % of the loops."
        ),
        headers=(
            "architecture",
            "treatment",
            "accepted %",
            "harm",
            "recovery",
            "late gain",
            "bounty at loop",
        ),
        rows=rows,
    )


def _loop(cell: CellSummary) -> float | None:
    known = cell.cell.bounty_loop[np.isfinite(cell.cell.bounty_loop)]
    return float(known.mean()) if known.size else None


def arms_table(analysis: Analysis) -> Table:
    """Networks that grow, beside fixed ones."""
    rows = []
    for arms in analysis.arms:
        metric = arms.setting.metric
        for arm in arms.arms:
            note = [] if arm.chosen else [_other_size(arms)]
            note += [f"{arm.inert} of {arm.n} never grew"] if arm.inert else []
            rows.append(
                (
                    place_of(analysis, arms.setting, arms.architecture),
                    arm.label,
                    str(arm.n),
                    amount(arm.parameters),
                    number(arm.dendrites, 1),
                    with_interval(arm.test, signed=False, metric=metric),
                    _against(arms, arm, arm.against_test),
                    p_value(arm.test_p.adjusted_p if arm.test_p else None),
                    with_interval(arm.epochs_bounty, signed=False, metric=metric),
                    _against(arms, arm, arm.against_epochs),
                    p_value(arm.epochs_p.adjusted_p if arm.epochs_p else None),
                    with_interval(arm.flops_bounty, signed=False, metric=metric),
                    number(arm.flops_loops, 0),
                    _against(arms, arm, arm.against_flops),
                    p_value(arm.flops_p.adjusted_p if arm.flops_p else None),
                    "; ".join(note),
                )
            )
    scale = "; ".join(
        f"{place_of(analysis, arms.setting, arms.architecture)}: {arms.epochs} epochs, "
        f"{arms.flops:,.0f} FLOPs per training image"
        + (f", {many(arms.reached, 'dendrite')} reached" if arms.reached else ", nothing grew")
        for arms in analysis.arms
    )
    return Table(
        name="arms",
        title="Arms at equal epochs and at equal FLOPs",
        note=(
            f"Test {analysis.scores} is that of each trial's own final LKG, beside its parameters. Equal "
            f"epochs and equal FLOPs compare the best validation {analysis.scores} within one budget: the "
            "smallest spent by any completed trial. A trial that stopped early by its own rule keeps its "
            f"best. Holm over the arms of an architecture. Budgets: {scale}."
        ),
        headers=(
            "architecture",
            "arm",
            "n",
            "parameters",
            "dendrites",
            f"{analysis.column('LKG test')} at its end",
            "difference",
            "p (Holm)",
            f"{analysis.column('validation')} at equal epochs",
            "difference",
            "p (Holm)",
            f"{analysis.column('validation')} at equal FLOPs",
            "loops paid for",
            "difference",
            "p (Holm)",
            "note",
        ),
        rows=tuple(rows),
        left=(0, 1, 15),
    )


def _against(arms: Arms, arm: Arm, difference: Estimate | None) -> str:
    if arm.label == arms.reference:
        return "reference"
    return with_interval(difference, metric=arms.setting.metric)


def pareto_table(analysis: Analysis) -> Table:
    """The Pareto front of the means."""
    rows = tuple(
        (
            place_of(analysis, row.setting, row.architecture),
            row.label,
            with_interval(row.headline, signed=False, metric=row.setting.metric),
            amount(row.parameters),
            amount(row.flops),
            amount(row.training_flops),
            seconds(row.seconds),
            ", ".join(_COSTS[cost] for cost in row.best_for),
        )
        for row in analysis.pareto
        if row.best_for
    )
    return Table(
        name="pareto",
        title=f"{analysis.scores.capitalize()} against cost",
        note=(
            f"Pareto front: cells that no cell of equal or lower cost surpasses in mean {analysis.headline}. "
            "Only means decide; overlapping intervals leave it open. FLOPs: one forward pass of one "
            "sample; training FLOPs: their sum over the loops, per training image."
        ),
        headers=(
            "architecture",
            "treatment",
            f"{analysis.column(analysis.headline)} (95 % interval)",
            "parameters",
            "FLOPs",
            "training FLOPs",
            "CPU time",
            "best for its",
        ),
        rows=rows,
        left=(0, 1, 7),
    )


def _other_size(arms: Arms) -> str:
    return "another size than was reached" if arms.reached else "widened, though nothing grew"


_COSTS = {
    "parameters": "parameters",
    "flops": "FLOPs",
    "training_flops": "training FLOPs",
    "seconds": "CPU time",
}


def probes_table(analysis: Analysis) -> Table:
    """Fault tolerance and the like."""
    rows = tuple(
        (
            place_of(analysis, one.setting, one.architecture),
            one.measure,
            one.treatment,
            str(one.member.test.n),
            number(one.mean, digits(one)),
            number(one.control_mean, digits(one)),
            with_interval(one.difference, digits=digits(one)),
            p_value(one.member.test.p),
            p_value(one.member.test.smallest_p),
            p_value(one.member.adjusted_p),
            one.verdict,
        )
        for one in analysis.probes
    )
    return Table(
        name="probes",
        title="Fault tolerance, calibration, representation, latency",
        note=(
            "Measured on the kept LKG networks; paired by trial number, Holm within each measure of an "
            "architecture. docs/probes.md explains each measure."
        ),
        headers=(
            "architecture",
            "measure",
            "treatment",
            "n",
            "mean",
            "control",
            "difference (95 % interval)",
            "p",
            "smallest p",
            "p (Holm)",
            "verdict",
        ),
        rows=rows,
        left=(0, 1, 2, 10),
    )


def digits(one: ProbeComparison) -> int:
    """Behind the point: two for percents, more for what is small."""
    return 2 if max(abs(one.mean), abs(one.control_mean)) >= 10.0 else 3
