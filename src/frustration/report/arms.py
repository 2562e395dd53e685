"""Networks that grow, beside fixed ones: at equal epochs and at equal training FLOPs, parameters beside all.

Growth makes loops more expensive. So the best validation accuracy of every arm is compared within one number
of epochs and within one number of operations: the smallest spent by any completed trial. A trial that stopped
early by its own rule keeps its best. Test accuracy is known only of the final LKG, and is given with its
parameters.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from frustration.report.cells import last_dendrites, mean_of
from frustration.report.comparisons import Pair, TestSettings, paired_values
from frustration.report.findings import Arm, Arms, Group
from frustration.report.results import Cell, Curves, Floats, Ints
from frustration.statistics import families
from frustration.statistics.results import Estimate

GROWING, WIDE = "dendrites", "wide"
REFERENCES = ("plain", "early-stop", "none")
"""Where nothing was widened, the first of these that was tried is what arms are compared with."""


def arms_of(group: Group, terms: TestSettings) -> Arms | None:
    """The arms of an architecture, if something in it grows or was widened."""
    cells = [one.cell for one in group.cells.values() if one.cell.curves is not None and one.cell.n]
    if len(cells) < 2 or not any(cell.grows or GROWING in cell.modes for cell in cells):
        return None
    reached = reached_by(cells)
    epochs, budget = _budgets(cells)
    reference = _reference(cells, reached, group.control)
    at_epochs = {cell.label: best_at(_curves(cell), np.minimum(cell.loops, epochs)) for cell in cells}
    within = {cell.label: loops_within(_curves(cell), budget) for cell in cells}
    at_flops = {cell.label: best_at(_curves(cell), within[cell.label]) for cell in cells}
    by_test = _Family(cells, reference, {cell.label: cell.test_accuracy for cell in cells}, terms)
    by_epochs = _Family(cells, reference, at_epochs, terms)
    by_flops = _Family(cells, reference, at_flops, terms)
    return Arms(
        setting=group.setting,
        architecture=group.architecture,
        reference=reference.label,
        epochs=epochs,
        flops=budget,
        reached=reached,
        arms=tuple(
            Arm(
                label=cell.label,
                n=cell.n,
                grows=cell.grows,
                chosen=widened(cell) in (None, reached),
                parameters=float(np.nanmean(cell.parameters)),
                dendrites=float(np.nanmean(last_dendrites(cell))),
                inert=sum(GROWING in names for names in cell.inert),
                test=mean_of(cell.test_accuracy),
                bounty=mean_of(cell.bounty),
                epochs_bounty=mean_of(at_epochs[cell.label]),
                flops_bounty=mean_of(at_flops[cell.label]),
                flops_loops=float(within[cell.label].mean()),
                against_test=by_test.difference(cell.label, terms),
                against_epochs=by_epochs.difference(cell.label, terms),
                against_flops=by_flops.difference(cell.label, terms),
                test_p=by_test.member(cell.label),
                epochs_p=by_epochs.member(cell.label),
                flops_p=by_flops.member(cell.label),
            )
            for cell in cells
        ),
    )


def _budgets(cells: Sequence[Cell]) -> tuple[int, float]:
    """Epochs and training FLOPs; where every trial ended by a schedule of its own, nothing is cut off."""
    loops = np.concatenate([cell.loops for cell in cells])
    flops = np.concatenate([cell.training_flops for cell in cells])
    whole = ~np.concatenate([cell.ended_early for cell in cells])
    if not whole.any():
        return int(loops.max()), float(flops.max())
    return int(loops[whole].min()), float(flops[whole].min())


def widened(cell: Cell) -> int | None:
    """K of `wide@K`, the dendrites whose parameters the network was widened to; None for other arms."""
    if WIDE not in cell.modes and not cell.label.startswith(WIDE):
        return None
    for knobs in cell.knobs:
        for name, value in knobs.items():
            if knobs.get("mode") == WIDE and name != "mode" and isinstance(value, int):
                return value
    found = re.search(r"\d+", cell.label)
    return int(found[0]) if found else None


def loops_within(curves: Curves, budget: float) -> Ints:
    """How many loops of each trial `budget` training FLOPs pay for, (trials,)."""
    spent = curves.training_flops
    return np.asarray((curves.trained & (spent <= budget * (1.0 + 1e-9))).sum(axis=1))


def best_at(curves: Curves, loops: Ints) -> Floats:
    """Best validation accuracy after so many loops of each trial, (trials,); NaN after none."""
    last = np.maximum(loops - 1, 0)
    return np.where(loops > 0, curves.best[np.arange(len(loops)), last], np.nan)


def _curves(cell: Cell) -> Curves:
    assert cell.curves is not None  # arms_of keeps cells with curves only
    return cell.curves


def at_equal_size(cells: Sequence[Cell]) -> list[tuple[Cell, Cell]]:
    """Every arm that grew, with the network that was widened to as many parameters, where there is one."""
    reached = reached_by([cell for cell in cells if cell.curves is not None and cell.n])
    wide = next((cell for cell in cells if reached is not None and widened(cell) == reached), None)
    return [] if wide is None else [(cell, wide) for cell in cells if GROWING in cell.modes and cell.grows]


def reached_by(cells: Sequence[Cell]) -> int | None:
    """The dendrites per neuron that most trials of growing arms kept; None if nothing grew."""
    counts: Counter[int] = Counter()
    for cell in cells:
        if cell.grows:
            counts.update(int(one) for one in last_dendrites(cell) if np.isfinite(one) and one > 0)
    return max(counts, key=lambda count: (counts[count], -count), default=None)


def _reference(cells: Sequence[Cell], reached: int | None, control: str | None) -> Cell:
    for cell in cells:
        if reached is not None and widened(cell) == reached:
            return cell
    by_label = {cell.label: cell for cell in cells}
    named = next((by_label[label] for label in REFERENCES if label in by_label), None)
    return named or by_label.get(control or "", cells[0])


class _Family:
    """All arms against the reference at one budget, corrected together."""

    def __init__(
        self, cells: Sequence[Cell], reference: Cell, values: dict[str, Floats], terms: TestSettings
    ) -> None:
        self._pairs: dict[str, Pair] = {}
        for cell in cells:
            if cell is reference or widened(cell) not in (None, widened(reference)):
                continue
            pair = paired_values(
                cell.trial, values[cell.label], reference.trial, values[reference.label], paired=True
            )
            if pair is not None:
                self._pairs[cell.label] = pair
        tests = {label: pair.test(terms) for label, pair in self._pairs.items()}
        self._family = families.judge(tests, alpha=terms.alpha) if tests else None

    def difference(self, label: str, terms: TestSettings) -> Estimate | None:
        pair = self._pairs.get(label)
        return pair.difference(terms) if pair else None

    def member(self, label: str) -> families.Member | None:
        return self._family[label] if self._family and label in self._pairs else None
