"""Verification: trials of a study are run again and compared with their records."""

from __future__ import annotations

import random
import statistics
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frustration.engine.backends import STACKED, backend_named, choose
from frustration.engine.group import Group, write_numerics
from frustration.engine.loop import train_group
from frustration.engine.population import Backend
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.metric import Metric
from frustration.record import LoopEntry, TrialRecord
from frustration.references import explained
from frustration.runners.work import Data
from frustration.spec import TrialSpec
from frustration.statistics.paired import sign_flip, t_interval
from frustration.statistics.results import Estimate, Significance
from frustration.study.code_changes import code_changed
from frustration.study.run import Serving, digests, load_data
from frustration.study.store import Store

ENOUGH = 6
"""Pairs of trials from which on a test of their differences can reject at 0.05."""
EARLY_LOSS = 1e-5
"""Largest relative difference of the mean loss of loop 1 from the recorded one, under other numerics."""


@dataclass(frozen=True, kw_only=True)
class Check:
    """One trial, run again."""

    trial_id: str
    label: str
    same_numerics: bool
    other_code: bool
    """Whether its problem has other code by now than the record was made by."""
    metric: Metric
    differences: tuple[str, ...]
    """In what the curves and results differ; empty where every bit that is recorded is the same."""
    first_loss: float | None
    """Relative difference of the mean loss of loop 1."""
    before: float | None
    now: float | None
    """LKG test accuracy, recorded and now."""

    @property
    def passed(self) -> bool:
        """Equal bits at equal numerics; elsewhere an equal beginning."""
        if self.same_numerics:
            return not self.differences
        return self.first_loss is not None and self.first_loss <= EARLY_LOSS


@dataclass(frozen=True)
class Verification:
    """What a verification came to."""

    checks: tuple[Check, ...]
    impossible: tuple[str, ...] = ()
    """A sentence on each trial that was drawn and cannot be run again, or has no whole record."""

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks) and not self.impossible

    @property
    def metric(self) -> Metric:
        """Of the shift: that of the first trial."""
        return self.checks[0].metric

    @property
    def shift(self) -> float | None:
        """Mean difference of test scores, now - before, over the trials under other numerics."""
        return statistics.fmean(self._pairs) if self._pairs else None

    @property
    def _pairs(self) -> list[float]:
        return [
            check.now - check.before
            for check in self.checks
            if not check.same_numerics
            and check.metric == self.metric
            and check.now is not None
            and check.before is not None
        ]

    @property
    def distribution(self) -> tuple[Estimate, Significance] | None:
        """Where enough trials ran under other numerics: the mean shift with its 95 % interval, and whether it
        could be chance. Single trials part; over many the two distributions have to agree."""
        pairs = self._pairs
        if len(pairs) < ENOUGH:
            return None
        return t_interval(pairs), sign_flip(pairs, generator=np.random.default_rng(0))


def verify(
    store: Store,
    count: int,
    seed: int = 0,
    backend: str | None = None,
    device: str | None = None,
    report: Callable[[Check], None] = lambda check: None,
) -> Verification:
    """Run `count` finished trials again, drawn by `seed`, and compare; `report` hears of each at once."""
    finished = sorted(store.ids()[0])
    if not finished:
        raise InputError(f"{store.root} holds no finished trial to verify")
    drawn = random.Random(seed).sample(finished, min(count, len(finished)))
    engine = backend_named(*choose(backend, device))
    study = store.study()
    data = load_data(study)
    known = digests(study, data)
    checks, impossible = list[Check](), list[str]()
    for trial_id in drawn:
        try:
            record = store.record(trial_id)
            _check_data(record.spec, known, data)
            stacked = record.numerics.get("backend") == STACKED
            check = _again(record, data, Serving(engine, stacked))
        except InputError as error:
            impossible.append(str(error))
            continue
        checks.append(check)
        report(check)
    return Verification(tuple(checks), tuple(impossible))


def _again(record: TrialRecord, data: Data, serving: Serving) -> Check:
    if record.spec.problem is None:
        return _check(record, data, serving.of(record.spec))
    with explained(f"trial {record.spec.id} cannot be run again"):
        return _check(record, data, serving.of(record.spec))


def _check_data(spec: TrialSpec, known: Mapping[tuple[str, float], str], data: Data) -> None:
    named = str(spec.problem) if spec.problem else spec.dataset
    if known.get((named, spec.train_fraction)) != spec.dataset_digest:
        data.of(spec)  # a problem that raises says why
        raise InputError(f"the data of trial {spec.id} ({spec.dataset}) are not the data that is here now")


def _check(record: TrialRecord, data: Data, backend: Backend) -> Check:
    again = train_alone(record.spec, data.of(record.spec), backend, record.numerics.get("group"))
    before, now = (one.curve[0].loss for one in (record, again))
    apart = abs(before - now) / abs(before) if before and now is not None else None
    return Check(
        trial_id=record.spec.id,
        label=f"{record.spec.architecture} {record.spec.label} trial {record.spec.trial}",
        same_numerics=record.numerics == again.numerics,
        other_code=code_changed(record),
        metric=record.spec.metric,
        differences=tuple(_differences(record, again)),
        first_loss=0.0 if before == now else apart,
        before=record.test_accuracy,
        now=again.test_accuracy,
    )


def train_alone(
    spec: TrialSpec, data: Any, backend: Backend, place: Mapping[str, Any] | None = None
) -> TrialRecord:
    """A trial from its beginning to its end, by itself, in its own slot of a group of the recorded shape."""
    trial = Trial.fresh(spec, spec.shape(data.features, data.classes))
    place = place or {"runs": ["p" if trial.keeps_moments else "f"], "slot": 0}
    group = Group.of(place["runs"], {place["slot"]: trial})
    write_numerics(group, backend)
    train_group(group, backend, data, lambda trial, entry: None, threading.Event())
    return trial.record()


def _differences(before: TrialRecord, now: TrialRecord) -> list[str]:
    found = [
        f"{name}: {getattr(before, name)} then, {getattr(now, name)} now"
        for name in ("bounty", "bounty_loop", "test_accuracy", "loop", "parameters", "growth")
        if getattr(before, name) != getattr(now, name)
    ]
    loop = _first_difference(before.curve, now.curve)
    return found if loop is None else [*found, f"the curves part in loop {loop}"]


def _first_difference(before: Sequence[LoopEntry], now: Sequence[LoopEntry]) -> int | None:
    for one, other in zip(before, now, strict=False):
        if one.to_dict() != other.to_dict():
            return one.loop
    return None if len(before) == len(now) else min(len(before), len(now)) + 1
