"""From the folder of a study to `StudyResults`: only the JSON is read, and nothing is believed that is torn.

A record that cannot be used is named with one sentence and passed over; the rest is reported.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.record import RECORD_SCHEMA
from frustration.report.results import (
    Attempt,
    Bools,
    Cell,
    Curves,
    Failure,
    Floats,
    Growth,
    Setting,
    Skipped,
    StudyResults,
)
from frustration.spec import SCHEMA, TrialSpec
from frustration.study.definition import Study
from frustration.study.manifest import read as read_manifest
from frustration.study.store import Store


@dataclass(frozen=True, kw_only=True)
class Identity:
    """What all trials of a cell share, besides its architecture and setting."""

    label: str
    modes: tuple[str, ...]
    treatments: tuple[str, ...]
    knobs: tuple[Mapping[str, Any], ...]
    program: str
    policies: tuple[str, str]


class Unusable(Exception):
    """Why one record is not part of the report."""

    def __init__(self, reason: str, newer: bool = False) -> None:
        super().__init__(reason)
        self.newer = newer


def read_study(root: Path) -> StudyResults:
    """All finished trials of the study in this folder."""
    store = Store(root)
    finished, failed = store.ids()
    parts: dict[tuple[Setting, Architecture, str], _CellParts] = {}
    skipped: list[Skipped] = []
    identities = _Identities()
    for trial_id in sorted(finished):
        path = store.record_path(trial_id)
        try:
            record = _record(path, trial_id)
            setting, architecture, identity = identities.of(record["spec"])
            row = _Row.of(record)
        except Unusable as error:
            skipped.append(Skipped(path=path, reason=str(error), newer=error.newer))
            continue
        key = setting, architecture, identity.label
        parts.setdefault(key, _CellParts(setting, architecture, identity)).rows.append(row)
    study, text = _definition(store, skipped)
    failures = tuple(_failures(store, failed, identities, skipped))
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
        probes=_probes(root, finished, skipped),
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


class _Identities:
    """Specs read once per cell: trials of a cell differ in their number only."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[Setting, Architecture, Identity]] = {}

    def of(self, spec: Mapping[str, Any]) -> tuple[Setting, Architecture, Identity]:
        rest = {name: value for name, value in spec.items() if name != "trial"}
        key = json.dumps(rest, sort_keys=True)
        if key not in self._known:
            try:
                self._known[key] = _setting(spec), Architecture.parse(spec["architecture"]), _identity(spec)
            except (KeyError, TypeError, AttributeError, ValueError) as error:
                raise Unusable(f"is not a whole record ({error!r})") from None
            except InputError as error:
                raise Unusable(f"cannot be understood: {error}") from None
        return self._known[key]


def _setting(spec: Mapping[str, Any]) -> Setting:
    return Setting(
        dataset=spec["dataset"],
        dataset_digest=spec["dataset_digest"],
        train_fraction=float(spec["train_fraction"]),
        learning_rate=float(spec["learning_rate"]),
        batch_size=int(spec["batch_size"]),
        seed=int(spec["seed"]),
        meta_loops=int(spec["meta_loops"]),
    )


def _identity(spec: Mapping[str, Any]) -> Identity:
    known = TrialSpec.from_dict(spec)
    components = [mode for segment in known.program.segments for mode in segment.components]
    return Identity(
        label=known.label,
        modes=tuple(dict.fromkeys(mode.name for mode in components)),
        treatments=tuple(dict.fromkeys(mode.name for mode in components if not mode.control)),
        knobs=tuple(known.program.knobs),
        program=str(known.program),
        policies=(known.optimizer, str(known.acceptance)),
    )


@dataclass(frozen=True, kw_only=True)
class _Row:
    """One trial, its loops as flat lists."""

    id: str
    trial: int
    numbers: dict[str, float]
    loops: int
    ended_early: bool
    inert: tuple[str, ...]
    backend: str
    growth: Growth | None
    curve: dict[str, list[Any]]

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> _Row:
        try:
            loops, target = int(record["loop"]), int(record["spec"]["meta_loops"])
            early = bool(record.get("ended_early", False))
            if loops < target and not early:
                raise Unusable(f"ends at loop {loops} of {target}: the trial is not finished")
            numbers = {
                name: _number(record[name])
                for name in ("bounty", "bounty_loop", "test_accuracy", "parameters", "flops", "seconds")
            }
            curve = record["curve"]
            columns = {name: [entry[name] for entry in curve] for name in _COLUMNS}
            if any("dendrites" in entry or "parameters" in entry for entry in curve):
                columns |= {name: [entry.get(name) for entry in curve] for name in _GROWN}
            return cls(
                id=str(record["id"]),
                trial=int(record["spec"]["trial"]),
                numbers=numbers,
                loops=loops,
                ended_early=early,
                inert=tuple(record["inert"]),
                backend=str(record["numerics"].get("backend", "")),
                growth=_growth(record.get("growth")),
                curve=columns,
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise Unusable(f"is not a whole record ({error!r})") from None


_COLUMNS = ("loop", "loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "diverged")
_GROWN = ("dendrites", "parameters", "flops")


def _number(value: Any) -> float:
    return float("nan") if value is None else float(value)


def _growth(found: Any) -> Growth | None:
    if found is None:
        return None
    attempts = tuple(
        Attempt(
            loop=int(one["loop"]),
            dendrites=one.get("dendrites"),
            parameters_before=one.get("parameters_before"),
            parameters_after=one.get("parameters_after"),
            outcome=str(one.get("outcome", "")),
        )
        for one in found.get("attempts", ())
    )
    ended = found.get("ended")
    return Growth(
        added=int(found.get("added", 0)),
        attempts=attempts,
        ended=None if ended is None else str(ended),
        why=str(found.get("why", "")),
    )


class _CellParts:
    """The rows of one cell, while they are being read."""

    def __init__(self, setting: Setting, architecture: Architecture, identity: Identity) -> None:
        self.setting, self.architecture, self.identity = setting, architecture, identity
        self.rows: list[_Row] = []

    def cell(self) -> Cell:
        rows = sorted(self.rows, key=lambda row: row.trial)

        def column(name: str) -> Floats:
            return np.array([row.numbers[name] for row in rows])

        who = self.identity
        return Cell(
            setting=self.setting,
            architecture=self.architecture,
            label=who.label,
            modes=who.modes,
            treatments=who.treatments,
            knobs=who.knobs,
            program=who.program,
            policies=who.policies,
            trial=np.array([row.trial for row in rows]),
            ids=tuple(row.id for row in rows),
            bounty=column("bounty"),
            bounty_loop=column("bounty_loop"),
            test_accuracy=column("test_accuracy"),
            parameters=column("parameters"),
            flops=column("flops"),
            seconds=column("seconds"),
            loops=np.array([row.loops for row in rows]),
            ended_early=np.array([row.ended_early for row in rows]),
            inert=tuple(row.inert for row in rows),
            diverged=np.array([sum(map(bool, row.curve["diverged"])) for row in rows]),
            backends=tuple(row.backend for row in rows),
            growth=tuple(row.growth for row in rows),
            curves=_curves(rows),
        )


def _curves(rows: list[_Row]) -> Curves:
    """Loops along axis 1 by their global number; what a trial does not have is NaN or False."""
    length = max((row.loops for row in rows), default=0)

    def floats(name: str, missing: str = "") -> Floats:
        table = np.full((len(rows), length), np.nan)
        for at, row in enumerate(rows):
            values = row.curve.get(name)
            if values is None:  # nothing grew: every loop trained the network that the record is about
                table[at, : row.loops] = row.numbers[missing] if missing else 0.0
            else:
                table[at, _places(row)] = np.array(values, dtype=np.float64)
        return table

    def bools(name: str) -> Bools:
        table = np.zeros((len(rows), length), dtype=bool)
        for at, row in enumerate(rows):
            table[at, _places(row)] = row.curve[name]
        return table

    trained = np.arange(length) < np.array([[row.loops] for row in rows])
    return Curves(
        accuracy=floats("accuracy"),
        loss=floats("loss"),
        before=floats("before"),
        damaged=floats("damaged"),
        accepted=bools("accepted"),
        new_bounty=bools("new_bounty"),
        trained=trained,
        dendrites=floats("dendrites"),
        parameters=floats("parameters", "parameters"),
        flops=floats("flops", "flops"),
    )


def _places(row: _Row) -> Any:
    loops = row.curve["loop"]
    whole = len(loops) == row.loops and (not loops or loops[0] == 1)
    return slice(0, row.loops) if whole else [loop - 1 for loop in loops]


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


def _ordered(parts: Iterable[_CellParts], study: Study | None) -> list[_CellParts]:
    """In the order of the study's definition; what it does not name comes after, by name."""
    architectures = {a: at for at, a in enumerate(study.architectures)} if study else {}
    labels: dict[str, int] = {}
    if study:
        digests = {(d, f): "" for d in study.datasets for f in study.train_fractions}
        for spec in study.specs(digests):
            if spec.trial or spec.architecture != study.architectures[0]:
                break
            labels.setdefault(spec.label, len(labels))

    def place(part: _CellParts) -> tuple[Any, ...]:
        at, last = part.setting, len(architectures)
        shape = part.architecture
        where = (architectures.get(shape, last), shape.depth, tuple(-width for width in shape.hidden))
        label = part.identity.label
        order = study.datasets.index(at.dataset) if study and at.dataset in study.datasets else 0
        setting = (order, at.dataset, -at.train_fraction, at.learning_rate, at.seed, at.meta_loops)
        return setting, at.batch_size, at.dataset_digest, where, labels.get(label, len(labels)), label

    return sorted(parts, key=place)


def _failures(
    store: Store, failed: set[str], identities: _Identities, skipped: list[Skipped]
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
        if isinstance(content, dict):
            found[path.stem] = content
    return found
