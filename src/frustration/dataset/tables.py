"""Files of a user's own data: `data.npz`, `data.csv:label`, `data.parquet:label`, read strictly.

A third word names the column that says which part a row belongs to: `data.csv:label:part`. CSV needs NumPy
alone; Parquet the extra `tables`.
"""

from __future__ import annotations

import csv
import io
import re
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from frustration.dataset.catalogue import DatasetError
from frustration.dataset.own import PARTS, Table, as_numbers, as_table, not_a_number, of_tables, split_rows
from frustration.dataset.split import Split
from frustration.files import open_file

SUFFIXES = ("csv", "npz", "parquet")
LINE_LENGTH = 2**24
"""No line of a table has as many characters: a hole in a file would be read as one line."""
_REFERENCE = re.compile(rf"(?P<file>.+?\.(?P<suffix>{'|'.join(SUFFIXES)}))(?P<columns>(:[^:]+)*)", re.I)


@dataclass(frozen=True)
class Reference:
    """What names a user's file: the file, its label column, and the column of the parts, if there is one."""

    text: str
    path: Path
    suffix: str
    label: str = ""
    part: str = ""

    @classmethod
    def parse(cls, text: str) -> Reference | None:
        """None where the text names no such file; DatasetError where its columns are wrong."""
        found = _REFERENCE.fullmatch(text)
        if found is None:
            return None
        suffix, columns = found["suffix"].lower(), found["columns"].split(":")[1:]
        if suffix == "npz" and columns:
            raise DatasetError(f"{text}: an npz file has arrays X and y and no columns; name the file alone")
        if suffix != "npz" and not 1 <= len(columns) <= 2:
            raise DatasetError(f"{text}: say which column is the label, as in {found['file']}:label")
        return cls(text, Path(found["file"]), suffix, *columns)

    @property
    def stem(self) -> str:
        """The name without folders, fit for a file's: data.csv-label."""
        return re.sub(r"[^\w.-]+", "-", "-".join(filter(None, (self.path.name, self.label, self.part))))


def load_file(reference: Reference) -> Split:
    """The data of a file, split as it says or by the seed of all splits."""
    path = reference.path.expanduser()
    try:
        if reference.suffix == "npz":
            return _load_npz(reference.text, path)
        table, parts = (_read_csv if reference.suffix == "csv" else _read_parquet)(path, reference)
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    if not reference.part:
        return split_rows(reference.text, table)
    unknown = ~np.isin(parts, PARTS)
    if unknown.any():
        row = int(unknown.argmax())
        raise DatasetError(
            f'{path}, row {row + 1}, column "{reference.part}": "{parts[row]}" is no part; '
            f"parts are {', '.join(PARTS)}"
        )
    for part in PARTS:
        if not (parts == part).any():
            raise DatasetError(f'{path} has no {part} part: no row has {part} in column "{reference.part}"')
    return of_tables(reference.text, [table.rows(parts == part) for part in PARTS])


def _load_npz(name: str, path: Path) -> Split:
    """X and y, or X_train, y_train, X_validation, …; the case of letters does not matter."""
    try:
        with open_file(path) as file, np.load(file, allow_pickle=False) as archive:
            arrays = {key.lower(): archive[key] for key in archive.files}
    except (ValueError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise DatasetError(f"{path} is not a file of plain arrays that np.savez wrote: {error}") from None
    if "x" in arrays and "y" in arrays:
        return split_rows(name, as_table((arrays["x"], arrays["y"]), str(path), "X"))
    keys = [f"{kind}_{part}" for part in PARTS for kind in ("X", "y")]
    missing = [key for key in keys if key.lower() not in arrays]
    if len(missing) == len(keys):
        raise DatasetError(f"{path} has no arrays X and y; it has {', '.join(arrays) or 'none'}")
    if missing:
        lacking = missing[0].partition("_")[2]
        raise DatasetError(
            f"{path} has no {lacking} part: {missing[0]} is missing; give {', '.join(keys)}, or X and y alone"
        )
    x, y = ([arrays[f"{kind}_{part}"] for part in PARTS] for kind in "xy")
    tables = [
        as_table(pair, f"{path}, {part}", f"X_{part}")
        for part, pair in zip(PARTS, zip(x, y, strict=True), strict=True)
    ]
    return of_tables(name, tables)


def _read_csv(path: Path, reference: Reference) -> tuple[Table, NDArray[Any]]:
    """The table, and the part of every row where a column says so."""
    cells, labels, parts = array("d"), list[str](), list[str]()
    try:
        with io.TextIOWrapper(open_file(path), "utf-8-sig", newline="") as file:
            rows = csv.reader(_lines(file, path), strict=True)
            header = next(rows, [])
            label, part, features = _columns(header, reference, path)
            for number, row in enumerate((row for row in rows if row), start=1):
                if len(row) != len(header):
                    raise DatasetError(
                        f"{path}, row {number} (line {rows.line_num}) has {len(row)} cells, "
                        f"and the header has {len(header)}"
                    )
                try:
                    cells.extend([float(row[at]) for at in features])
                except ValueError:
                    where = f"{path}, row {number} (line {rows.line_num})"
                    raise _bad_cell(where, header, row, features) from None
                labels.append(row[label].strip())
                if part is not None:
                    parts.append(row[part].strip())
    except UnicodeDecodeError as error:
        raise DatasetError(f"{path} is not text in UTF-8: {error}") from None
    except csv.Error as error:
        raise DatasetError(f"{path} is not a table of comma-separated values: {error}") from None
    numbers = np.frombuffer(cells, np.float64) if cells else np.empty(0)
    table = Table(
        str(path),
        tuple(header[at] for at in features),
        numbers.reshape(len(labels), len(features)),
        reference.label,
        np.array(labels, np.str_),
    )
    return table, np.array(parts, np.str_)


def _lines(file: TextIO, path: Path) -> Iterator[str]:
    """The lines of a file, of which one may be all that a large hole holds."""
    while line := file.readline(LINE_LENGTH):
        if len(line) == LINE_LENGTH:
            raise DatasetError(f"{path} is no table: it has a line of {LINE_LENGTH:,} characters or more")
        yield line


def _bad_cell(where: str, header: Sequence[str], row: Sequence[str], features: Sequence[int]) -> DatasetError:
    at = next(at for at in features if not _is_number(row[at]))
    return not_a_number(where, header[at], row[at])


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def read_parquet(path: Path) -> Any:
    """The pyarrow table of a file."""
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise DatasetError(
            f"{path}: Parquet files are read with pyarrow, which is not installed; "
            'pip install "frustration-engine[tables]"'
        ) from None
    if not path.is_file():
        raise DatasetError(f"{path} cannot be read: there is no such file")
    try:
        # As a file, and not as a folder whose names are columns.
        return pyarrow.parquet.ParquetFile(path).read()
    except pyarrow.ArrowException as error:
        raise DatasetError(f"{path} is not a Parquet file: {error}") from None


def _read_parquet(path: Path, reference: Reference) -> tuple[Table, NDArray[Any]]:
    """As `_read_csv`."""
    read = read_parquet(path)
    header = list(read.column_names)
    label, part, features = _columns(header, reference, path)

    def column(at: int) -> NDArray[Any]:
        values = read.column(at)
        if values.null_count:
            row = values.is_null().to_pylist().index(True)
            raise not_a_number(f"{path}, row {row + 1}", header[at], None)
        array: NDArray[Any] = values.to_numpy()
        return array

    names = tuple(header[at] for at in features)
    columns = [as_numbers(column(at)[:, None], [header[at]], str(path)) for at in features]
    table = Table(str(path), names, np.concatenate(columns, axis=1), reference.label, column(label))
    return table, np.array([], np.str_) if part is None else column(part).astype(np.str_)


def _columns(header: Sequence[str], reference: Reference, path: Path) -> tuple[int, int | None, list[int]]:
    """Where the label, the part and the features are."""
    twice = next((name for name in header if header.count(name) > 1), None)
    if twice is not None:
        raise DatasetError(f'{path} has two columns "{twice}"')

    def place(name: str) -> int:
        if name in header:
            return header.index(name)
        some = ", ".join(header[:20]) + (", …" if len(header) > 20 else "")
        raise DatasetError(f'{path} has no column "{name}"; its columns are {some}')

    label = place(reference.label)
    part = place(reference.part) if reference.part else None
    if part == label:
        raise DatasetError(f'{path}: column "{reference.label}" cannot be both the label and the part')
    features = [at for at in range(len(header)) if at not in (label, part)]
    if not features:
        raise DatasetError(f"{path} has no columns beside {', '.join(header)}")
    return label, part, features
