"""Runs of any program, read from a table: one row per run, with its treatment and its score.

Exports of Weights & Biases and MLflow, Optuna's `trials_dataframe`, a spreadsheet. What a row belongs to are
its treatment, its group (a task, a data set, an architecture) and its pair (a seed, a fold); columns name
them. Runs of one pair are tested in pairs; without a column of pairs, by ranks.
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from frustration.errors import InputError, did_you_mean
from frustration.files import read_text
from frustration.metric import Metric
from frustration.references import ProblemReference
from frustration.report.formatting import listed, many
from frustration.report.outcomes import outcome_cell
from frustration.report.results import Cell, Setting, Skipped, StudyResults
from frustration.sinks import one_line

USUAL_CONTROLS: Final = ("none", "control", "baseline", "plain", "default", "vanilla")
"""What a control is called where nobody says which one it is; else the first treatment of the table."""
NO_SCORE: Final = ("", "nan", "none", "null", "n/a", "na", "-")
"""What stands for a run that has none: it crashed, or continues."""

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Columns:
    """Which columns of a table say what; several make one name together."""

    treatment: tuple[str, ...]
    score: str
    pair: tuple[str, ...] = ()
    """Runs of one pair differ in their treatment only. Empty: runs are not paired."""
    group: tuple[str, ...] = ()
    """Treatments are compared within a group. Empty: all runs are one group."""
    where: tuple[tuple[str, str], ...] = ()
    """Only rows with these values are used: `(("State", "finished"),)`."""

    @property
    def all(self) -> tuple[str, ...]:
        return (*self.treatment, self.score, *self.pair, *self.group, *(name for name, _ in self.where))


def read_runs(
    path: Path,
    columns: Columns,
    *,
    better: str = "higher",
    unit: str = "",
    margin: float | None = None,
    control: str | None = None,
) -> StudyResults:
    """The runs of a CSV file as results; InputError names the line that cannot be understood."""
    rows, first = _rows(path)
    return runs_of(
        rows,
        columns,
        name=path.stem,
        source=path,
        better=better,
        unit=unit,
        margin=margin,
        control=control,
        first=first,
    )


def runs_of(
    rows: Sequence[Row],
    columns: Columns,
    *,
    name: str,
    source: Path,
    better: str = "higher",
    unit: str = "",
    margin: float | None = None,
    control: str | None = None,
    first: int = 1,
) -> StudyResults:
    """The same from rows; `first` is the number that errors give the first one."""
    if not rows:
        raise InputError(f"{source} has no row below its header")
    _check(columns, rows[0], source)
    if better not in ("higher", "lower"):
        raise InputError(f'better is "higher" or "lower", not "{better}"')
    metric = Metric(columns.score, unit, "lower" if better == "lower" else "higher", margin=margin)
    table: dict[str, dict[str, dict[Any, float]]] = {}
    seen: dict[tuple[str, str, Any], int] = {}
    without: list[int] = []
    for number, row in enumerate(rows, start=first):
        if any(_text(row[column]) != value for column, value in columns.where):
            continue
        where = f"{source}, line {number}"
        group, treatment = _name(row, columns.group, where), _name(row, columns.treatment, where)
        pair = _name(row, columns.pair, where) if columns.pair else number
        score = _score(row[columns.score], columns.score, where)
        cell = table.setdefault(group or name, {}).setdefault(treatment, {})
        if not math.isfinite(score):
            without.append(number)
            continue
        before = seen.setdefault((group, treatment, pair), number)
        if before != number:
            raise InputError(
                f"{where}: there is a run of {treatment} in pair {pair} already, in line {before}; name a "
                "column that tells them apart, with --group or as a second one of --pair"
            )
        cell[pair] = score
    if not table:
        wanted = ", ".join(f"{column}={value}" for column, value in columns.where)
        raise InputError(f"{source}: no row has {wanted}")
    labels = list(dict.fromkeys(label for cells in table.values() for label in cells))
    _check_treatments(labels, table, columns, source)
    chosen = _control(labels, control, source)
    skipped = (_skipped(source, without),) if without else ()
    return StudyResults(
        name=name,
        source=source,
        published=False,
        cells=tuple(_cells(table, labels, chosen, metric, bool(columns.pair), name)),
        skipped=skipped,
        runs=metric,
        paired=bool(columns.pair),
    )


def rows_of_arrays(scores: Mapping[str, Any]) -> tuple[Sequence[Row], Columns]:
    """Treatment -> (runs,) or (runs, tasks), as rliable has them; runs of one index are a pair."""
    rows: list[Row] = []
    columns = Columns(treatment=("treatment",), score="score", pair=("run",), group=("task",))
    for treatment, values in scores.items():
        table = np.asarray(values, dtype=float)
        if table.ndim not in (1, 2):
            raise InputError(f"scores of {treatment}: shape {table.shape}; expected (runs,) or (runs, tasks)")
        for (run, task), value in np.ndenumerate(table.reshape(len(table), -1)):
            name = f"task {task + 1}" if table.ndim == 2 else "all"
            rows.append({"treatment": treatment, "score": value, "run": run, "task": name})
    return rows, columns


def _rows(path: Path) -> tuple[Sequence[Row], int]:
    text = read_text(path, encoding="utf-8-sig")
    head = text.partition("\n")[0]
    delimiter = max(",;\t", key=head.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        rows = list(reader)
    except csv.Error as error:
        raise InputError(f"{path}, line {reader.line_num}: {error}") from None
    for number, row in enumerate(rows, start=2):
        if None in row or None in row.values():
            raise InputError(f"{path}, line {number}: it does not have as many fields as the header")
    return rows, 2


def _check(columns: Columns, row: Row, source: Path) -> None:
    for column in columns.all:
        if column not in row:
            there = [str(name) for name in row]
            raise InputError(_unknown(source, "column", column, there))


def _unknown(source: Path, what: str, name: str, there: Sequence[str]) -> str:
    return f'{source} has no {what} "{name}"{did_you_mean(name, there)}; there are {listed(list(there), 20)}'


def _text(value: object) -> str:
    """A whole number of a data frame, 3.0, is 3."""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return one_line(value).strip()


def _name(row: Row, columns: Sequence[str], where: str) -> str:
    """`adamw`, or of several columns `adamw, lr=0.1`: the first speaks for itself."""
    parts = []
    for at, column in enumerate(columns):
        value = _text(row[column])
        if not value or value == "nan":
            raise InputError(f'{where}: column "{column}" is empty')
        parts.append(value if at == 0 else f"{column}={value}")
    return ", ".join(parts)


def _score(value: object, column: str, where: str) -> float:
    text = one_line(value).strip().removesuffix("%")
    if text.lower() in NO_SCORE:
        return math.nan
    try:
        return float(text)
    except ValueError:
        raise InputError(f'{where}: "{text}" in column "{column}" is not a number') from None


def _check_treatments(
    labels: Sequence[str],
    table: Mapping[str, Mapping[str, Mapping[Any, float]]],
    columns: Columns,
    source: Path,
) -> None:
    named = " and ".join(columns.treatment)
    if len(labels) < 2:
        raise InputError(f"{source}: {named} is {labels[0]} in every run, so there is nothing to compare")
    most = max(len(runs) for cells in table.values() for runs in cells.values())
    if most < 2:
        raise InputError(
            f"{source}: each of the {many(len(labels), 'treatment')} by {named} has one run in a group at "
            "most; a treatment is what several runs share"
        )


def _control(labels: Sequence[str], chosen: str | None, source: Path) -> str:
    if chosen is not None:
        if chosen not in labels:
            raise InputError(_unknown(source, "treatment", chosen, labels))
        return chosen
    return next((one for one in labels if one.lower() in USUAL_CONTROLS), labels[0])


def _skipped(source: Path, lines: Sequence[int]) -> Skipped:
    numbers = listed([str(one) for one in lines], 8)
    return Skipped(path=source, reason=f"has {many(len(lines), 'run')} without a score (line {numbers})")


def _cells(
    table: Mapping[str, Mapping[str, Mapping[Any, float]]],
    labels: Sequence[str],
    control: str,
    metric: Metric,
    paired: bool,
    name: str,
) -> Iterable[Cell]:
    setting = Setting(
        dataset=name,
        dataset_digest="",
        train_fraction=1.0,
        learning_rate=0.0,
        batch_size=0,
        seed=0,
        meta_loops=0,
        problem_metric=metric,
    )
    pairs = _numbers(pair for cells in table.values() for runs in cells.values() for pair in runs)
    for group, cells in table.items():
        subject = ProblemReference(
            path=f"runs:{group}", version=1, fields=(), metric=metric, label=group, source=None
        )
        for label in labels:
            if runs := cells.get(label):
                numbered = pairs if paired else {pair: at for at, pair in enumerate(runs)}
                scores = {numbered[pair]: score for pair, score in runs.items()}
                trial = np.array(sorted(scores))
                yield outcome_cell(
                    setting,
                    subject,
                    label,
                    trial,
                    control=control,
                    test=np.array([scores[one] for one in trial.tolist()]),
                )


def _numbers(pairs: Iterable[Any]) -> dict[Any, int]:
    """Numbers for pairs: in the order of numbers where all are, else of first appearance."""
    found = list(dict.fromkeys(pairs))
    with contextlib.suppress(ValueError):
        found.sort(key=float)
    return {pair: at for at, pair in enumerate(found)}
