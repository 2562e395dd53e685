"""Merges stores: records, networks and probes are copied, and existing ones never change."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from frustration.errors import InputError
from frustration.files import StorageError, make_folder, read_file, write_atomically
from frustration.record_reading import RecordError
from frustration.study import manifest
from frustration.study.definition import Study
from frustration.study.probe_files import ProbeFiles
from frustration.study.store import Store
from frustration.study.summary import summary

AXES = ("architectures", "modes", "datasets", "learning_rates", "train_fractions")


@dataclass(frozen=True, kw_only=True)
class Merged:
    """What a merge did."""

    copied: int
    there: int
    """Trials that were there already, with the same results."""
    differing: tuple[str, ...]
    """Trials that were there already, with other results; those that were there stay."""
    failures: int
    damaged: tuple[str, ...] = ()
    """A sentence on each record that cannot be read; it is not copied, and if it was there it stays."""


def merge(target: Store, sources: Sequence[Store]) -> Merged:
    """Copy what `target` lacks; a target that is not there yet is made from the sources' definitions."""
    studies = [source.study() for source in sources]
    if (target.root / "study.toml").exists():
        studies.insert(0, target.study())
    target.create(replace(union(studies), name=target.root.resolve().name))
    manifest.keep_history_of(target.root, [source.root for source in sources])
    copied = there = failures = 0
    differing: list[str] = []
    damaged: list[str] = []
    for source in sources:
        finished, failed = source.ids()
        for trial_id in sorted(finished):
            try:
                if not target.is_done(trial_id):
                    record = source.record(trial_id)
                    _copy(source.network_path(trial_id), target.network_path(trial_id))
                    target.write_record(record)
                    copied += 1
                elif _results(source, trial_id) == _results(target, trial_id):
                    there += 1
                else:
                    differing.append(trial_id)
                    continue
            except RecordError as error:
                damaged.append(str(error))
                continue
            _copy_probe(source, target, trial_id)
        for trial_id in sorted(failed):
            if not target.is_done(trial_id) and not target.has_failed(trial_id):
                _copy(source.failure_path(trial_id), target.failure_path(trial_id))
                failures += 1
    return Merged(
        copied=copied,
        there=there,
        differing=tuple(differing),
        failures=failures,
        damaged=tuple(damaged),
    )


def union(studies: Sequence[Study]) -> Study:
    """The smallest grid that holds them all; studies that differ in more than their axes have none."""
    first = studies[0]
    for other in studies[1:]:
        free = {*AXES, "name", "trials", "networks", "only"}
        names = [f.name for f in fields(Study) if f.name not in free]
        changed = [name for name in names if getattr(first, name) != getattr(other, name)]
        if changed:
            raise InputError(
                f'the studies "{first.name}" and "{other.name}" cannot be merged: '
                f"their {' and '.join(changed)} differ"
            )
    joined: dict[str, Any] = {
        axis: tuple(dict.fromkeys(value for study in studies for value in getattr(study, axis)))
        for axis in AXES
    }
    if any(study.only for study in studies):
        joined["only"] = tuple(dict.fromkeys(cell for study in studies for cell in study.cells))
    return replace(first, **joined, trials=max(study.trials for study in studies))


def _results(store: Store, trial_id: str) -> dict[str, Any]:
    """A summary without what may differ between two runs of one trial."""
    line = summary(store.head(trial_id))
    return {name: value for name, value in line.items() if name != "seconds"}


def _copy_probe(source: Store, target: Store, trial_id: str) -> None:
    """What was measured of a network later, unless the target has measured something itself."""
    path = ProbeFiles(target.root).path(trial_id)
    if not path.exists():
        _copy(ProbeFiles(source.root).path(trial_id), path)


def _copy(source: Path, target: Path) -> None:
    if not source.exists():
        return
    make_folder(target.parent)
    try:
        content = read_file(source, most=math.inf)
    except OSError as error:
        raise StorageError(f"cannot read {source}: {error.strerror}") from None
    write_atomically(target, content)
