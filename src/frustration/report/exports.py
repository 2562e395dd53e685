"""All trials and all their loops as CSV, for other analyses."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from frustration.metric import ACCURACY
from frustration.record import GROWN
from frustration.report.cells import last_dendrites
from frustration.report.results import Bools, Cell, Floats, StudyResults
from frustration.sinks import csv_text

WHO = ("id", "architecture", "treatment", "trial", "dataset", "train_fraction", "learning_rate", "seed")
OUTCOME = (
    "loops",
    "ended_early",
    "bounty",
    "bounty_loop",
    "test_accuracy",
    "accepted",
    "diverged",
    "inert",
    "dendrites",
    "parameters",
    "flops",
    "training_flops",
    "seconds",
    "backend",
)
SCORED = ("metric", "unit", "better")
LOOP = ("loop", "accuracy", "loss", "before", "damaged", "accepted", "new_bounty")


def trials_csv(results: StudyResults) -> str:
    """One row for each trial; what is not known is empty. Accuracies in percent, seconds of CPU time.

    Where something else than accuracy is scored, the last columns say what `bounty` and `test_accuracy` are.
    """
    scored = SCORED if any(setting.metric != ACCURACY for setting in results.settings) else ()
    rows = ([*row, *(_score(cell) if scored else ())] for cell in results.cells for row in _trials(cell))
    return csv_text([[*WHO, *OUTCOME, *scored], *rows])


def _score(cell: Cell) -> list[str]:
    metric = cell.setting.metric
    return [metric.name, metric.unit, metric.better]


def _trials(cell: Cell) -> Iterator[list[Any]]:
    curves = cell.curves
    accepted: Any = curves.accepted.sum(axis=1).tolist() if curves is not None else [""] * cell.n
    columns = (
        cell.loops.tolist(),
        cell.ended_early.tolist(),
        _texts(cell.bounty),
        _texts(cell.bounty_loop),
        _texts(cell.test_accuracy),
        accepted,
        cell.diverged.tolist(),
        ["+".join(names) for names in cell.inert],
        _texts(last_dendrites(cell)),
        _texts(cell.parameters),
        _texts(cell.flops),
        _texts(cell.training_flops),
        _texts(cell.seconds),
        cell.backends,
    )
    for who, outcome in zip(_who(cell), zip(*columns, strict=True), strict=True):
        yield [*who, *outcome]


def _who(cell: Cell) -> Iterator[list[Any]]:
    at = cell.setting
    axes = [at.dataset, at.train_fraction, cell.learning_rate, at.seed]
    for one, trial in zip(cell.ids, cell.trial.tolist(), strict=True):
        yield [one, str(cell.architecture), cell.whole_label, trial, *axes]


def curves_csv(results: StudyResults) -> Iterator[str]:
    """One row for each loop of each trial, trial by trial; the last columns only if something grows.

    Empty where nothing has curves.
    """
    cells = [cell for cell in results.cells if cell.curves is not None]
    if not cells:
        return
    grown = any(cell.grows for cell in cells)
    columns = [*LOOP, *(GROWN if grown else ())]
    yield csv_text([[*WHO[:4], *columns]])
    for cell in cells:
        yield from _loops(cell, grown)


def _loops(cell: Cell, grown: bool) -> Iterator[str]:
    curves = cell.curves
    if curves is None:
        return
    floats = [curves.accuracy, curves.loss, curves.before, curves.damaged]
    more = [curves.dendrites, curves.parameters, curves.flops] if grown else []
    for row, who in enumerate(_who(cell)):
        there = curves.trained[row]
        loops = (np.flatnonzero(there) + 1).tolist()
        lists: list[Iterable[Any]] = [map(str, loops)]
        lists += [_texts(table[row][there]) for table in floats]
        lists += [_flags(table[row][there]) for table in (curves.accepted, curves.new_bounty)]
        lists += [_texts(table[row][there]) for table in more]
        head = csv_text([who[:4]]).rstrip("\n")
        yield "".join(f"{head},{','.join(values)}\n" for values in zip(*lists, strict=True))


def _texts(values: Floats) -> list[str]:
    """The shortest text that reads back to the same number, without ".0"; empty for NaN."""
    return ["" if one != one else repr(one).removesuffix(".0") for one in values.tolist()]


def _flags(values: Bools) -> list[str]:
    return ["1" if one else "0" for one in values.tolist()]
