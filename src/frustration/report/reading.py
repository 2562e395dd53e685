"""From the folder of a study to `StudyResults`: only the JSON is read, and nothing is believed that is torn.

A record that cannot be used is named with one sentence and passed over; the rest is reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.record import RECORD_SCHEMA
from frustration.report.results import Failure, Setting, Skipped, StudyResults
from frustration.report.rows import CellParts, Identities, Row, Unusable
from frustration.spec import SCHEMA
from frustration.study.definition import Study
from frustration.study.manifest import read as read_manifest
from frustration.study.store import Store

PROBE_SCHEMA = 1


def read_study(root: Path) -> StudyResults:
    """All finished trials of the study in this folder."""
    store = Store(root)
    finished, failed = store.ids()
    parts: dict[tuple[Setting, Architecture, str], CellParts] = {}
    skipped: list[Skipped] = []
    identities = Identities()
    for trial_id in sorted(finished):
        path = store.record_path(trial_id)
        try:
            record = _record(path, trial_id)
            setting, architecture, identity = identities.of(record["spec"])
            row = Row.of(record)
        except Unusable as error:
            skipped.append(Skipped(path=path, reason=str(error), newer=error.newer))
            continue
        key = setting, architecture, identity.label
        parts.setdefault(key, CellParts(setting, architecture, identity)).rows.append(row)
    study, text = _definition(store, skipped)
    failures = tuple(_failures(store, failed, identities, skipped))
    probes = _probes(root, finished, skipped)
    return StudyResults(
        name=study.name if study else root.resolve().name,
        source=root,
        published=False,
        cells=tuple(part.cell() for part in _ordered(parts.values(), study)),
        expected=study.size if study else None,
        failures=failures,
        skipped=tuple(skipped),
        manifest=tuple(read_manifest(root / "manifest.json")),
        definition=text,
        probes=probes,
    )


def _record(path: Path, trial_id: str) -> dict[str, Any]:
    """A whole record of a schema that is known."""
    try:
        record = json.loads(path.read_bytes())
    except OSError as error:
        raise Unusable(f"cannot be read: {error.strerror}") from None
    except ValueError:
        raise Unusable(
            "is half-written or damaged; remove it, and `study run` trains that trial again"
        ) from None
    if not isinstance(record, dict) or "spec" not in record or "curve" not in record:
        raise Unusable("is not a record of a trial")
    schema, spec_schema = record.get("record_schema"), record["spec"].get("schema")
    for what, found, known in (("record", schema, RECORD_SCHEMA), ("trial", spec_schema, SCHEMA)):
        if found != known:
            newer = isinstance(found, int) and found > known
            raise Unusable(
                f"is of {what} schema {found}; this version reads schema {known}"
                + (", so a newer version of frustration-engine is needed" if newer else ""),
                newer,
            )
    if record.get("id") != trial_id:
        raise Unusable("does not hold the trial it is named after")
    return record


def _definition(store: Store, skipped: list[Skipped]) -> tuple[Study | None, str]:
    path = store.root / "study.toml"
    try:
        text = path.read_text("utf-8")
        return Study.from_toml(text, str(path), store.root), text
    except (OSError, UnicodeDecodeError) as error:
        skipped.append(Skipped(path=path, reason=f"cannot be read: {error}"))
    except InputError as error:  # such as a mode of a package that is not installed here
        skipped.append(Skipped(path=path, reason=f"cannot be understood: {error}"))
    return None, ""


def _ordered(parts: Iterable[CellParts], study: Study | None) -> list[CellParts]:
    """In the order of the study's definition; what it does not name comes after, by name."""
    architectures = {a: at for at, a in enumerate(study.architectures)} if study else {}
    labels: dict[str, int] = {}
    if study:
        digests = {(d, f): "" for d in study.datasets for f in study.train_fractions}
        for spec in study.specs(digests):
            if spec.trial or spec.architecture != study.architectures[0]:
                break
            labels.setdefault(spec.label, len(labels))

    def place(part: CellParts) -> tuple[Any, ...]:
        at, last = part.setting, len(architectures)
        shape = part.architecture
        where = (architectures.get(shape, last), shape.depth, tuple(-width for width in shape.hidden))
        label = part.identity.label
        order = study.datasets.index(at.dataset) if study and at.dataset in study.datasets else 0
        setting = (order, at.dataset, -at.train_fraction, at.learning_rate, at.seed, at.meta_loops)
        return setting, at.batch_size, at.dataset_digest, where, labels.get(label, len(labels)), label

    return sorted(parts, key=place)


def _failures(
    store: Store, failed: set[str], identities: Identities, skipped: list[Skipped]
) -> Iterable[Failure]:
    for trial_id in sorted(failed):
        path = store.failure_path(trial_id)
        try:
            found = json.loads(path.read_bytes())
            spec, traceback = found["spec"], str(found["traceback"])
            _, architecture, identity = identities.of(spec)
        except (OSError, ValueError, KeyError, TypeError, Unusable) as error:
            skipped.append(Skipped(path=path, reason=f"a failure that cannot be read ({error})"))
            continue
        yield Failure(
            id=trial_id,
            architecture=str(architecture),
            label=identity.label,
            trial=spec.get("trial"),
            cause=(traceback.strip().splitlines() or ["an unknown error"])[-1],
        )


def _probes(root: Path, finished: set[str], skipped: list[Skipped]) -> dict[str, dict[str, Any]]:
    """probes/<aa>/<id>.json of finished trials."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted((root / "probes").glob("??/*.json")):
        if path.name.startswith(".") or path.stem not in finished:
            continue
        try:
            content = json.loads(path.read_bytes())
        except (OSError, ValueError) as error:
            skipped.append(Skipped(path=path, reason=f"a probe that cannot be read ({error})"))
            continue
        schema = content.get("probe_schema") if isinstance(content, dict) else None
        if schema == PROBE_SCHEMA:
            found[path.stem] = content
        else:
            newer = isinstance(schema, int) and schema > PROBE_SCHEMA
            reason = f"a probe of schema {schema}; this version reads schema {PROBE_SCHEMA}"
            skipped.append(Skipped(path=path, reason=reason, newer=newer))
    return found
