"""Records as they are read: the type of every field, the digest, and whether the numbers agree.

Everybody who reads a record reads it here: stores, reports, merges, exports, probes, archives. What is wrong
with one is a RecordError, a sentence of one line, so that the others can continue.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from operator import itemgetter
from typing import Any, Final

from frustration.errors import InputError
from frustration.metric import PERCENT, Metric
from frustration.record import GROWN, RECORD_SCHEMA, LoopEntry, TrialRecord
from frustration.sealed_json import unseal
from frustration.spec import SCHEMA, TrialSpec
from frustration.treatment import Session, told
from frustration.typed import (
    FLAG,
    LIST,
    OBJECT,
    TEXT,
    Table,
    check,
    check_all,
    check_texts,
    real,
    whole,
)

SCORE: Final = real()
"""Of a SimpleMLP, percent; a problem has a metric of its own."""
SPEC: Final[Table] = {
    "schema": whole(1),
    "architecture": TEXT,
    "mode": TEXT,
    "mode_params": LIST,
    "trial": whole(),
    "seed": whole(),
    "dataset": TEXT,
    "dataset_digest": TEXT,
    "train_fraction": real(0, 1),
    "meta_loops": whole(1),
    "stop_rule": TEXT,
    "learning_rate": real(0),
    "batch_size": whole(1),
    "optimizer": TEXT,
    "acceptance": TEXT,
    "updates": TEXT.optional(),
    "loop_steps": whole(1).optional(),
    "problem": OBJECT.optional(),
}
PROBLEM: Final[Table] = {
    "path": TEXT,
    "version": whole(),
    "fields": OBJECT,
    "metric": OBJECT,
    "label": TEXT,
    "source": TEXT.or_null(),
}
METRIC: Final[Table] = {
    "name": TEXT,
    "unit": TEXT,
    "better": TEXT,
    "chance": real().or_null().optional(),
    "margin": real().or_null().optional(),
}
LOOP: Final[Table] = {
    "loop": whole(1),
    "mode": TEXT,
    "loss": real().or_null(),
    "before": SCORE.or_null(),
    "damaged": SCORE.or_null(),
    "accuracy": SCORE.or_null(),
    "accepted": FLAG,
    "new_bounty": FLAG,
    "adopted": whole(1).or_null().optional(),
    "diverged": FLAG.optional(),
    "evidence": OBJECT.optional(),
    **{name: whole().or_null().optional() for name in GROWN},
}
SHARED: Final[Table] = {
    "loop": whole(),
    "bounty": SCORE.or_null(),
    "bounty_loop": whole(1).or_null(),
    "test_accuracy": SCORE.or_null(),
    "seconds": real(0),
    "numerics": OBJECT,
    "past_numerics": LIST,
    "continued": FLAG,
}
"""What a trial, its checkpoint and its record have in common, under one name."""
RECORD: Final[Table] = {
    "record_schema": whole(1),
    "id": TEXT,
    "spec": OBJECT,
    **SHARED,
    "inert": LIST,
    "parameters": whole(),
    "flops": whole(),
    "sessions": LIST.optional(),
    "ended_early": FLAG.optional(),
    "growth": OBJECT.or_null().optional(),
    "twin_of": TEXT.optional(),
    "curve": LIST,
}
SESSION: Final[Table] = {"mode": TEXT, "treatment": OBJECT, "first_loop": whole(1), "target": whole()}
TREATMENT: Final[Table] = {
    name: SPEC[name]
    for name in (
        "mode",
        "mode_params",
        "learning_rate",
        "batch_size",
        "train_fraction",
        "optimizer",
        "acceptance",
        "updates",
        "loop_steps",
    )
}
NUMERICS: Final[Table] = {"runs": LIST, "slot": whole()}
"""Of the place in a group."""
GROWTH: Final[Table] = {
    "added": whole(),
    "attempts": LIST,
    "ended": TEXT.or_null(),
    "why": TEXT,
}
ATTEMPT: Final[Table] = {
    "loop": whole(),
    "dendrites": whole().or_null(),
    "parameters_before": whole().or_null(),
    "parameters_after": whole().or_null(),
    "outcome": TEXT,
}
FAILURE: Final[Table] = {"id": TEXT, "spec": OBJECT, "traceback": TEXT}


class RecordError(InputError):
    """What is wrong with a record.

    `newer`: it need not be damaged; a later version of this program wrote it, or one with other modes.
    """

    def __init__(self, sentence: str, newer: bool = False) -> None:
        super().__init__(sentence)
        self.newer = newer


@dataclass(frozen=True)
class Columns:
    """What lists need of a curve, one value a loop."""

    loop: Sequence[int]
    accuracy: Sequence[float | None]
    accepted: Sequence[bool]
    diverged: Sequence[bool]

    @classmethod
    def of(cls, curve: Sequence[Mapping[str, Any]]) -> Columns:
        loop, accuracy, accepted = list(zip(*map(_COLUMNS, curve), strict=True)) or [()] * 3
        return cls(loop, accuracy, accepted, [entry.get("diverged", False) for entry in curve])


_COLUMNS = itemgetter("loop", "accuracy", "accepted")


@dataclass(frozen=True)
class RecordHead:
    """A record without its curve, each field of its type, with the spec that they describe."""

    spec: TrialSpec
    fields: Mapping[str, Any]
    columns: Columns
    """Of the curve."""
    sealed: bool
    """Whether it came with a digest, which agrees."""


@dataclass(frozen=True)
class RecordFields(RecordHead):
    """The whole record: `fields` has the curve too."""

    def record(self) -> TrialRecord:
        same = {name: self.fields[name] for name in (*SHARED, "parameters", "flops")}
        record = TrialRecord(
            spec=self.spec,
            curve=tuple(LoopEntry(**entry) for entry in self.fields["curve"]),
            ended_early=self.fields.get("ended_early", False),
            growth=self.fields.get("growth"),
            twin_of=self.fields.get("twin_of"),
            sessions=tuple(Session(**session) for session in self.fields.get("sessions", ())),
            **same | {"past_numerics": tuple(same["past_numerics"])},
        )
        try:
            _ = record.inert  # so its modes can read the evidence
        except InputError as error:
            raise RecordError(str(error)) from None
        return record


def fields_of(record: TrialRecord) -> RecordFields:
    """Of a record that was not read but made."""
    fields = record.to_dict()
    return RecordFields(record.spec, fields, Columns.of(fields["curve"]), sealed=True)


def read_record(content: bytes) -> RecordFields:
    """A record of any kind from the content of its file; RecordError says what is wrong with it."""
    try:
        fields, digest = unseal(content)
        return _typed(fields, digest is not None)
    except RecordError:
        raise
    except InputError as error:
        raise RecordError(str(error)) from None


def finished_record(content: bytes) -> RecordFields:
    """A record as studies have them: of a finished trial, its numbers in agreement with one another."""
    found = read_record(content)
    check_of_study(found)
    return found


def check_of_study(found: RecordHead) -> None:
    """Raise RecordError where studies cannot have such a record."""
    if found.fields["continued"]:
        raise RecordError("it comes from several sessions of train; such records cannot be part of a study")
    _check_finished(found)


def session_record(content: bytes) -> RecordFields:
    """A record of `train` that can be part of an arm: finished, and under one treatment throughout."""
    found = read_record(content)
    record = found.record()
    for session in record.sessions:
        if session.treatment:
            _check_treatment(session.treatment, found.fields["spec"])
    if record.mixed:
        raise RecordError(f"it is mixed, trained {told(record.phases)}")
    _check_finished(found)
    return found


def _check_treatment(treatment: Mapping[str, Any], spec: Mapping[str, Any]) -> None:
    """Whether a session could have trained the trial of this spec so."""
    try:
        check(treatment, TREATMENT, "the treatment of a session")
        read_spec({**spec, **treatment})
    except RecordError:
        raise
    except InputError as error:
        raise RecordError(str(error)) from None


def read_failure(content: bytes, trial_id: str) -> dict[str, Any]:
    """What went wrong with this trial, as `Store.write_failure` wrote it."""
    try:
        found = check(unseal(content)[0], FAILURE, "it")
    except InputError as error:
        raise RecordError(f"not a whole report of a failure ({error})") from None
    if found["id"] != trial_id:
        raise RecordError(f"it is about the trial {found['id']}")
    return found


def read_spec(fields: Any) -> TrialSpec:
    """The spec that `TrialSpec.to_dict` wrote."""
    if not isinstance(fields, dict):
        raise RecordError("its spec is not an object")
    _check_schema("trial", fields.get("schema"), SCHEMA)
    return _spec(fields)


def _typed(fields: dict[str, Any], sealed: bool) -> RecordFields:
    if "curve" not in fields or "spec" not in fields:
        raise RecordError("it is not a record of a trial")
    curve = fields["curve"]
    spec = typed_head({**fields, "curve": []})  # its loops are checked by columns
    check_all(curve, LOOP, "its curve")
    if spec.metric.unit == PERCENT:
        check_percent(chain.from_iterable(map(itemgetter("before", "damaged", "accuracy"), curve)))
    return RecordFields(spec, fields, Columns.of(curve), sealed)


def typed_head(fields: dict[str, Any]) -> TrialSpec:
    """The spec of a record whose fields, an empty curve among them, are each of their type."""
    _check_schema("record", fields.get("record_schema"), RECORD_SCHEMA)
    spec = read_spec(fields.get("spec"))
    check({**fields, "spec": {}}, RECORD, "the record")
    check_texts(fields["inert"], "the list of its inert treatments")
    for numerics in (fields["numerics"], *fields["past_numerics"]):
        check_numerics(numerics)
    check_all(fields.get("sessions", []), SESSION, "its sessions")
    if fields.get("growth") is not None:
        check(fields["growth"], GROWTH, "its growth")
        check_all(fields["growth"]["attempts"], ATTEMPT, "the attempts of its growth")
    if fields["id"] != spec.id:
        raise RecordError("its id is not that of its spec")
    if spec.metric.unit == PERCENT:
        check_percent((fields["bounty"], fields["test_accuracy"]))
    return spec


def check_percent(scores: Iterable[float | None]) -> None:
    """Raise RecordError where an accuracy is no percentage."""
    known = [score for score in scores if score is not None]
    if known and not (min(known) >= 0 and max(known) <= 100):
        raise RecordError("one of its accuracies is no number from 0 to 100")


def _check_schema(what: str, found: Any, known: int) -> None:
    if found != known or isinstance(found, bool):
        newer = isinstance(found, int) and found > known
        raise RecordError(
            f"it is of {what} schema {ascii(found)[:20]}; this version reads schema {known}"
            + (", so a newer version of frustration-engine is needed" if newer else ""),
            newer,
        )


def check_numerics(numerics: Any) -> None:
    if not isinstance(numerics, dict) or not isinstance(numerics.get("backend", ""), str):
        raise RecordError("its numerics name no backend")
    if "group" in numerics:
        check_texts(
            check(numerics["group"], NUMERICS, "its place in a group")["runs"], "the runs of its group"
        )


def _spec(fields: dict[str, Any]) -> TrialSpec:
    """Checked and parsed once for all trials of a cell: they differ in their number only."""
    try:
        return _first_spec(json.dumps({**fields, "trial": 0})).numbered(fields["trial"])
    except InputError as error:
        raise RecordError(f"its spec cannot be understood: {error}", newer=True) from None
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise RecordError(f"its spec is not a whole one ({error!r})") from None


@functools.lru_cache(maxsize=4096)
def _first_spec(text: str) -> TrialSpec:
    fields = check(json.loads(text), SPEC, "it")
    if problem := fields.get("problem"):
        check(check(problem, PROBLEM, "its problem")["metric"], METRIC, "the metric of its problem")
    return TrialSpec.from_dict(fields)


def _check_finished(found: RecordHead) -> None:
    fields, spec, loops = found.fields, found.spec, len(found.columns.loop)
    ended = fields["loop"] >= spec.meta_loops or fields.get("ended_early", False)
    whole = fields["loop"] == loops and list(found.columns.loop) == list(range(1, loops + 1))
    if not ended or not whole:
        raise RecordError(f"it is not finished: it has {loops:,} of {spec.meta_loops:,} loops")
    if (fields["bounty"], fields["bounty_loop"]) != _best(found.columns, spec.metric):
        raise RecordError("its bounty is not the best accuracy of its curve")
    if (fields["bounty"] is None) != (fields["test_accuracy"] is None):
        raise RecordError("it has a bounty without a test accuracy, or the other way round")


def _best(columns: Columns, metric: Metric) -> tuple[float | None, int | None]:
    """The best score and the first loop that reached it."""
    scores = columns.accuracy
    if any(columns.diverged):
        pairs = zip(scores, columns.diverged, strict=True)
        scores = [None if diverged else accuracy for accuracy, diverged in pairs]
    known = [score for score in scores if score is not None]
    if not known:
        return None, None
    best = (max if metric.better == "higher" else min)(known)
    return best, columns.loop[scores.index(best)]
