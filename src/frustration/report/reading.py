"""Reads the folder of a study into `StudyResults`: only JSON, and no torn file counts.

A record that cannot be used is named with one sentence and skipped; the rest is reported.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, cast

from frustration.architecture import Architecture
from frustration.errors import InputError, last_line
from frustration.files import read_file
from frustration.record_reading import RecordError, read_failure, read_spec
from frustration.report.chosen_rates import choose_rates
from frustration.report.results import Failure, Setting, Skipped, StudyResults
from frustration.report.rows import CellParts, Identities, Row, Unusable
from frustration.study import manifest
from frustration.study.analysis_plan import AS_USUAL
from frustration.study.definition import Study
from frustration.study.probe_files import ProbeFileError, ProbeFiles
from frustration.study.store import Store


def read_study(root: Path) -> StudyResults:
    """All finished trials of the study in this folder."""
    store = Store(root)
    finished, failed = store.ids()
    parts: dict[tuple[Setting, Architecture, str], CellParts] = {}
    skipped: list[Skipped] = []
    identities = Identities()
    for trial_id in sorted(finished):
        try:
            record = _record(store, trial_id)
            setting, architecture, identity = identities.of(record["spec"])
            row = Row.of(record)
        except Unusable as error:
            skipped.append(Skipped(path=store.record_path(trial_id), reason=str(error), newer=error.newer))
            continue
        key = setting, architecture, identity.label
        parts.setdefault(key, CellParts(setting, architecture, identity)).rows.append(row)
    study, text = _definition(store, skipped)
    failures = tuple(_failures(store, failed, identities, skipped))
    probes = _probes(root, finished, skipped)
    results = StudyResults(
        name=study.name if study else root.resolve().name,
        source=root,
        published=False,
        cells=tuple(part.cell() for part in _ordered(parts.values(), study)),
        expected=study.size if study else None,
        failures=failures,
        skipped=tuple(skipped),
        looks=_looks(store),
        looks_lost=manifest.is_lost(store.root),
        extensions=len(manifest.extensions(store.root)),
        manifest=tuple(manifest.read(root / "manifest.json")),
        definition=text,
        probes=probes,
        plan=study.plan if study else AS_USUAL,
    )
    return choose_rates(results) if results.plan.choose_rate else results


def _looks(store: Store) -> tuple[int, ...]:
    """Trials of a cell at every look; of a study that was not finished then, as many as it had on average."""
    looks = manifest.looks(store.root)
    whole: dict[int, int] = {}
    for look in looks:
        whole[look.trials] = max(look.done, whole.get(look.trials, 1))
    return tuple(look.trials * look.done // whole[look.trials] for look in looks)


def _record(store: Store, trial_id: str) -> Mapping[str, Any]:
    """A whole record of a schema that is known."""
    try:
        return store.fields(trial_id).fields
    except InputError as error:
        reason = str(error).removeprefix(f"{store.record_path(trial_id)} ")
        raise Unusable(reason, isinstance(error, RecordError) and error.newer) from None


def _definition(store: Store, skipped: list[Skipped]) -> tuple[Study | None, str]:
    path = store.root / "study.toml"
    try:
        text = read_file(path).decode("utf-8")
        return Study.from_toml(text, str(path), store.root), text
    except (OSError, UnicodeDecodeError) as error:
        skipped.append(Skipped(path=path, reason=f"cannot be read: {error}"))
    except InputError as error:  # such as a mode of a package that is not installed here
        reason = str(error).removeprefix(str(path)).lstrip(":, ")
        reason = reason if reason.startswith("is ") else f"is not valid: {reason}"
        skipped.append(Skipped(path=path, reason=reason))
    return None, ""


def _ordered(parts: Iterable[CellParts], study: Study | None) -> list[CellParts]:
    """In the order of the study's definition; what it does not name comes after, by name."""
    architectures = {a: at for at, a in enumerate(study.subjects)} if study else {}
    labels: dict[str, int] = {}
    if study:
        for spec in study.specs(study.no_digests()):
            if spec.trial or spec.architecture != study.subjects[0]:
                break
            labels.setdefault(spec.label, len(labels))

    def place(part: CellParts) -> tuple[Any, ...]:
        at, last = part.setting, len(architectures)
        shape = part.architecture
        where = (
            architectures.get(cast(Any, shape), last),
            shape.depth,
            tuple(-width for width in shape.hidden),
        )
        label = part.identity.label
        order = (*study.datasets, at.dataset).index(at.dataset) if study else 0
        setting = (order, at.dataset, -at.train_fraction, at.learning_rate, at.seed, at.meta_loops)
        return setting, at.batch_size, at.dataset_digest, where, labels.get(label, len(labels)), label

    return sorted(parts, key=place)


def _failures(
    store: Store, failed: set[str], identities: Identities, skipped: list[Skipped]
) -> Iterable[Failure]:
    for trial_id in sorted(failed):
        path = store.failure_path(trial_id)
        try:
            found = read_failure(read_file(path), trial_id)
            spec = read_spec(found["spec"])
            _, architecture, identity = identities.of(found["spec"])
        except (OSError, RecordError, Unusable) as error:
            skipped.append(Skipped(path=path, reason=f"a failure that cannot be read ({error})"))
            continue
        yield Failure(
            id=trial_id,
            architecture=str(architecture),
            label=identity.label,
            trial=spec.trial,
            cause=last_line(found["traceback"]),
        )


def _probes(root: Path, finished: set[str], skipped: list[Skipped]) -> dict[str, dict[str, Any]]:
    """What was measured later of finished trials."""
    files = ProbeFiles(root)
    found: dict[str, dict[str, Any]] = {}
    for trial_id in files.ids():
        if trial_id not in finished:
            continue
        try:
            content = files.read(trial_id)
        except ProbeFileError as error:
            skipped.append(Skipped(path=files.path(trial_id), reason=str(error), newer=error.newer))
            continue
        if content is not None:
            found[trial_id] = content
    return found
