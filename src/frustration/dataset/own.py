"""A user's own data: labelled rows of numbers become a Split.

Standardised by the training part, split by a seed unless the parts are given. Every step is a sum in a fixed
order, so that equal rows have equal digests on every machine.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frustration.dataset.catalogue import DatasetError
from frustration.dataset.split import SPLIT_SEED, Columns, Part, Split, permutation

PARTS = ("train", "validation", "test")
HELD_OUT = 0.15
"""Share of the rows that validation and test have each, where a seed splits them."""


@dataclass(frozen=True, eq=False)
class Table:
    """Rows as they were read, checked.

    numbers: [rows, features], finite; labels: [rows], whole numbers or text.
    """

    where: str
    """The file or the name, as errors call it."""
    columns: tuple[str, ...]
    numbers: NDArray[np.float64]
    label: str
    """The label column's name."""
    labels: NDArray[Any]

    def __post_init__(self) -> None:
        if len(self.numbers) != len(self.labels):
            raise DatasetError(
                f"{self.where} has {len(self.numbers):,} rows of features and {len(self.labels):,} labels"
            )
        if not self.numbers.size:
            rows, features = self.numbers.shape
            raise DatasetError(f"{self.where} has nothing to learn from: {rows} rows of {features} features")
        bad = ~np.isfinite(self.numbers)
        if bad.any():
            row, column = np.argwhere(bad)[0]
            value = self.numbers[row, column]
            raise DatasetError(
                f'{self.where}, row {row + 1}, column "{self.columns[column]}": '
                f"{value} is not a finite number"
            )
        object.__setattr__(self, "labels", self._checked_labels())

    def _checked_labels(self) -> NDArray[Any]:
        """Text that is whole numbers throughout becomes numbers."""
        labels = self.labels
        if labels.dtype.kind in "biu":
            return labels.astype(np.int64)
        if labels.dtype.kind == "f":
            broken = ~(np.isfinite(labels) & (labels == np.floor(labels)))
            if broken.any():
                row = int(broken.argmax())
                raise self._bad_label(row, f"{labels[row]} is not a class, which is a whole number or text")
            return labels.astype(np.int64)
        text = labels.astype(np.str_)
        # A missing value is None, NaN, which equals nothing, or blank.
        missing = [value is None or value != value for value in labels] | (np.char.strip(text) == "")
        if missing.any():
            raise self._bad_label(int(missing.argmax()), "the label is missing")
        try:
            return text.astype(np.int64)
        except ValueError:
            return text

    def _bad_label(self, row: int, why: str) -> DatasetError:
        return DatasetError(f'{self.where}, row {row + 1}, column "{self.label}": {why}')

    def rows(self, which: NDArray[Any]) -> Table:
        return Table(self.where, self.columns, self.numbers[which], self.label, self.labels[which])


def make_split(
    X: Any,
    y: Any = None,
    *,
    validation: Any = None,
    test: Any = None,
    seed: int = SPLIT_SEED,
    name: str = "data",
    standardise: bool = True,
) -> Split:
    """A Split of arrays, of data frames, or of a `TensorDataset` of (X, y).

    X: [rows, features], or more dimensions, which are flattened; y: [rows], a class each: whole numbers or
    text. `validation` and `test` are pairs (X, y) or `TensorDataset`s; without them, `seed` sets 15 % of the
    rows aside for each. `standardise`: every feature gets mean 0 and standard deviation 1 in the training
    part.
    """
    table = as_table((X, y) if y is not None else X, name, "X")
    given = {"validation": validation, "test": test}
    missing = [part for part, pair in given.items() if pair is None]
    if len(missing) == 1:
        raise DatasetError(
            f"{name} has no {missing[0]} part: give both validation and test, or neither to have them split"
        )
    if missing:
        return split_rows(name, table, seed, standardise)
    held_out = [as_table(pair, f"{name}, {part}", "X") for part, pair in given.items()]
    return of_tables(name, [table, *held_out], standardise)


def as_table(pair: Any, where: str, features: str) -> Table:
    """(X, y), or what has them as `tensors`, with the names of columns that a data frame has."""
    X, y = _pair(pair, where)
    array, labels = _array(X), _array(y)
    if array.ndim < 2:
        raise DatasetError(f"{where}: {features} has the shape {array.shape}, and must be [rows, features]")
    labels = labels.reshape(len(labels), -1) if labels.ndim > 1 else labels
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim != 1:
        raise DatasetError(f"{where}: y has the shape {labels.shape}, and must be [rows], one class each")
    array = array.reshape(len(array), -1)
    named = getattr(X, "columns", None)
    columns = [str(one) for one in named] if named is not None else [str(n) for n in range(array.shape[1])]
    return Table(
        where, tuple(columns), as_numbers(array, columns, where), str(getattr(y, "name", "y")), labels
    )


def as_numbers(array: NDArray[Any], columns: Sequence[str], where: str) -> NDArray[np.float64]:
    """[rows, features] as float64; the first cell that is no number is named."""
    if array.dtype.kind in "biuf":
        return np.asarray(array, np.float64)
    for row, cells in enumerate(array, start=1):
        for column, cell in zip(columns, cells, strict=True):
            if not isinstance(cell, (int, float, np.number, np.bool_)):
                raise not_a_number(f"{where}, row {row}", column, cell)
    return array.astype(np.float64)


def not_a_number(where: str, column: str, cell: Any) -> DatasetError:
    """The sentence about a cell that is no number; `where` ends with its row."""
    if cell is None or str(cell).strip() == "":
        return DatasetError(f'{where}, column "{column}" is empty: fill it in, or leave the row out')
    return DatasetError(
        f'{where}, column "{column}": "{cell}" is not a number; turn categories into numbers, or leave '
        "the column out"
    )


def split_rows(name: str, table: Table, seed: int = SPLIT_SEED, standardise: bool = True) -> Split:
    """The rows in the order of one permutation: first the training part, then validation, then test."""
    held_out = round(HELD_OUT * len(table.labels))
    if held_out < 1:
        raise DatasetError(
            f"{table.where} has {len(table.labels)} rows: too few for a validation part of "
            f"{HELD_OUT:.0%}; give its parts, or more rows"
        )
    order = permutation(len(table.labels), seed)
    bounds = [len(order) - 2 * held_out, len(order) - held_out]
    parts = [table.rows(rows) for rows in np.split(order, bounds)]
    return of_tables(name, parts, standardise)


def of_tables(name: str, tables: Sequence[Table], standardise: bool = True) -> Split:
    """The Split of train, validation and test; the first says what mean and standard deviation are."""
    train, *held_out = tables
    for table in held_out:
        if table.columns != train.columns:
            raise DatasetError(
                f"{table.where} has {len(table.columns)} features where the training part has "
                f"{len(train.columns)}, or in another order"
            )
    names, labels = _classes(tables)
    if len(np.unique(labels[0])) < 2:
        raise DatasetError(
            f"{train.where}: the training part has one class only, {names[int(labels[0][0])]} in "
            f'"{train.label}", so there is nothing to tell apart'
        )
    mean, std = _mean_and_std(train) if standardise else (np.zeros(1), np.ones(1))
    parts: list[Part] = []
    for table, of_part in zip(tables, labels, strict=True):
        inputs = ((table.numbers - mean) / std).astype(np.float32)
        bad = ~(np.isfinite(inputs).all(0) & np.isfinite(std))
        if bad.any():
            column = table.columns[int(bad.argmax())]
            raise DatasetError(f'{table.where}, column "{column}" has numbers too large for float32')
        parts.append(Part(inputs, of_part, len(names)))
    width = len(train.columns)
    columns = Columns(train.columns, names, np.broadcast_to(mean, width), np.broadcast_to(std, width))
    return Split.of(name, parts[0], parts[1], parts[2], None, columns)


def _pair(pair: Any, where: str) -> tuple[Any, Any]:
    tensors = getattr(pair, "tensors", pair)
    if not isinstance(tensors, (tuple, list)) or len(tensors) != 2:
        raise DatasetError(f"{where}: features and labels are wanted, as a pair (X, y) or a TensorDataset")
    return tensors[0], tensors[1]


def _array(values: Any) -> NDArray[Any]:
    """Arrays, lists, data frames and torch's tensors, wherever they are."""
    return np.asarray(values.detach().cpu() if hasattr(values, "detach") else values)


def _mean_and_std(table: Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """[features] each; a feature that never changes becomes 0."""

    def mean_of(values: NDArray[np.float64]) -> NDArray[np.float64]:
        # One addition after the other: NumPy's sum may take another order on another CPU.
        mean: NDArray[np.float64] = np.cumsum(values, axis=0)[-1] / len(values)
        return mean

    with np.errstate(over="ignore", invalid="ignore"):
        mean = mean_of(table.numbers)
        std = np.sqrt(mean_of((table.numbers - mean) ** 2))
    constant = (table.numbers == table.numbers[0]).all(0)
    return np.where(constant, table.numbers[0], mean), np.where(constant, 1.0, std)


def _classes(tables: Sequence[Table]) -> tuple[tuple[str, ...], list[NDArray[np.int64]]]:
    """(names of the classes in ascending order, labels 0, 1, … of every table)."""
    kinds = [table.labels for table in tables]
    if len({kind.dtype.kind for kind in kinds}) > 1:
        kinds = [kind.astype(np.str_) for kind in kinds]
    values, flat = np.unique(np.concatenate(kinds), return_inverse=True)
    bounds = np.cumsum([len(kind) for kind in kinds])[:-1]
    return tuple(str(value) for value in values), np.split(flat.astype(np.int64), bounds)
