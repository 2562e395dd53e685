"""Reads the records of `train` in a model directory into `StudyResults`: `report models/1x32`.

A trial that was trained under more than one treatment is no arm of a comparison: it is named and skipped.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from frustration.architecture import Architecture
from frustration.files import read_file
from frustration.record import TrialRecord
from frustration.record_reading import RecordError, session_record
from frustration.report.results import Setting, Skipped, StudyResults
from frustration.report.rows import CellParts, Identities, Row, Unusable
from frustration.sealed_json import seal

RECORDS = "t[0-9]*_lkg.record.json"


def holds_sessions(folder: Path) -> bool:
    """Whether `train` has kept a comparison here, or comparisons of several architectures below."""
    return not (folder / "study.toml").exists() and any(_paths(folder))


def read_sessions(folder: Path) -> StudyResults:
    """All finished trials of the comparisons in this folder."""
    reads = ((path, functools.partial(read_file, path)) for path in _paths(folder))
    return _results(folder.resolve().name, folder, reads)


def results_of_records(records: Iterable[TrialRecord], name: str, folder: Path) -> StudyResults:
    """The same from records in memory; `folder` is where they are saved."""
    reads = (
        (folder / f"{one.spec.label}, trial {one.spec.trial}", functools.partial(_sealed, one))
        for one in records
    )
    return _results(name, folder, reads)


def _sealed(record: TrialRecord) -> bytes:
    return seal(record.to_dict()).encode()


def _results(name: str, folder: Path, reads: Iterable[tuple[Path, Callable[[], bytes]]]) -> StudyResults:
    parts: dict[tuple[Setting, Architecture, str], CellParts] = {}
    skipped: list[Skipped] = []
    identities = Identities()
    for path, read in reads:
        try:
            record = session_record(read()).fields
            setting, architecture, identity = identities.of(record["spec"])
            row = Row.of(record)
        except (OSError, RecordError, Unusable) as error:
            skipped.append(Skipped(path=path, reason=f"is excluded from the tests: {error}", newer=False))
            continue
        key = setting, architecture, identity.label
        parts.setdefault(key, CellParts(setting, architecture, identity)).rows.append(row)
    return StudyResults(
        name=name,
        source=folder,
        published=False,
        cells=tuple(part.cell() for part in parts.values()),
        skipped=tuple(skipped),
    )


def _paths(folder: Path) -> Iterator[Path]:
    for depth in ("*", "*/*"):
        yield from sorted(folder.glob(f"{depth}/{RECORDS}"))
