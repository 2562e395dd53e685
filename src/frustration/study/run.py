"""Runs the missing trials of a study, alone or beside other processes.

The groups of a study follow from its definition, not from what is missing or from who asks: every process
plans the same ones, claims one after another by file locks, and within a group trains only the trials
that have no record. A lock goes with its process, so what a dead one left is claimed by the next.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import IO

from frustration.dataset import load
from frustration.engine.backends import LIBRARY, MODULE, backend_for, backend_named, choose, stacked_or_plain
from frustration.engine.group import Group, lay_out, work_left, write_numerics
from frustration.engine.growth.protocol import ExternalSchedule
from frustration.engine.population import Backend, Interrupted
from frustration.engine.trial import Trial
from frustration.files import try_lock
from frustration.protocols import AnyShape
from frustration.references import HELD, ProblemRaised
from frustration.runners.events import StudyEvent, StudyStart, TrialDone, TrialFailed
from frustration.runners.keeper import StudyKeeper
from frustration.runners.local import LocalEngine
from frustration.runners.work import Data, Engine, Work
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec
from frustration.study import manifest
from frustration.study.definition import Study
from frustration.study.pilot import Rates, chosen_rates, due
from frustration.study.store import Store
from frustration.study.twins import Twins, twins_among


@dataclass(frozen=True)
class Planned:
    """A trial that may have to be run."""

    spec: TrialSpec
    shape: AnyShape
    loop: int = 0


@dataclass(frozen=True)
class Serving:
    """Which backend trains a trial of a study."""

    backend: Backend
    """Of SimpleMLPs. Problems are trained on the same device, and by the library where it is the backend."""
    stacked: bool = False

    def of(self, spec: TrialSpec) -> Backend:
        if not spec.problem:
            return self.backend
        device = self.backend.numerics().get("device", "cpu")
        name = stacked_or_plain(spec.problem, device)[0] if self.stacked else MODULE
        name = LIBRARY if self.backend.name == LIBRARY else name
        return backend_for(spec.problem, name, device)


@dataclass(frozen=True, kw_only=True, eq=False)
class Prepared:
    """A study with its data, its engine and all its groups, the costliest first, whatever is done already."""

    study: Study
    data: Data
    backend: str
    device: str
    groups: list[Group[Planned]]
    twins: Twins
    """The trials that are in no group, because their numbers are those of another."""
    grid: Sequence[TrialSpec]
    """All trials of the study, also those that a pilot may leave out."""
    raising: Mapping[str, str] = field(default_factory=dict)
    """Tracebacks of trials that are in no group, because their problem raises before training; by id."""
    rates: Rates | None = None
    """What the pilot of the study has chosen; None before its end, and of a study without one."""

    @property
    def serving(self) -> Serving:
        return Serving(backend_named(self.backend, self.device), self.study.stacked)

    @property
    def specs(self) -> tuple[TrialSpec, ...]:
        trained = (planned.spec for group in self.groups for planned in group.members.values())
        return (*trained, *(planned.spec for planned in self.twins.all), *self.lost)

    @property
    def lost(self) -> Iterator[TrialSpec]:
        """The trials whose problem raises before training."""
        return (spec for spec in self.grid if spec.id in self.raising)


@dataclass(frozen=True, kw_only=True)
class StudyOutcome:
    """Where a study stands after a run."""

    total: int
    done: int
    failed: int
    interrupted: bool

    def to_dict(self) -> dict[str, int | bool]:
        """As the last JSON line of a run says it."""
        return {
            "trials": self.total,
            "done": self.done,
            "failed": self.failed,
            "interrupted": self.interrupted,
        }


def load_data(study: Study) -> Data:
    return Data({name: load(name) for name in study.datasets} if study.architectures else {})


def digests(study: Study, data: Data) -> dict[tuple[str, float], str]:
    """What identifies the data of the study's trials."""
    problems = {str(problem): problem for problem in study.problems}
    return {
        (name, fraction): data.digest(problems.get(name, name), fraction)
        for name, fraction in study.data_axes()
    }


def plan_study(
    specs: Sequence[TrialSpec], data: Data, serving: Serving, twins: bool = True
) -> tuple[list[Group[Planned]], Twins]:
    """All groups of a study, the costliest first, whatever is done already; and who needs none."""
    by_backend: dict[str, list[Planned]] = {}
    by_control: dict[str, list[Planned]] = {}
    # Where another program decides about growth, only it knows what that program computes.
    twin_of = twins_among(specs) if twins and not isinstance(serving.backend, ExternalSchedule) else {}
    for spec in specs:
        shape = spec.shape(data.of(spec).features, data.of(spec).classes)
        if (control := twin_of.get(spec.id)) is not None:
            by_control.setdefault(control, []).append(Planned(spec, shape))
        else:
            by_backend.setdefault(str(spec.problem or ""), []).append(Planned(spec, shape))
    groups = [
        group for planned in by_backend.values() for group in lay_out(planned, serving.of(planned[0].spec))
    ]
    groups.sort(key=lambda group: work_left(group.members.values()), reverse=True)
    return groups, Twins(by_control)


def prepare(
    study: Study, backend: str | None = None, device: str | None = None, *, twins: bool = True
) -> Prepared:
    """Everything that comes before training; nothing is written. `twins`: spare trials that are another's
    computation, which takes a store that all trials come to. Of a study with a pilot it is the pilot."""
    name, place = choose(backend, device)
    data = load_data(study)
    grid = tuple(study.specs(digests(study, data)))
    specs = due(study, grid, None)
    raising = data.tracebacks(specs)
    for spec in specs:
        if spec.problem and spec.trial == 0 and spec.id not in raising:
            spec.check(classes=0)  # what an architecture cannot be given is refused when the study is read
    serving = Serving(backend_named(name, place), study.stacked)
    groups, spared = plan_study(_without(raising, specs), data, serving, twins)
    return Prepared(
        study=study,
        data=data,
        backend=name,
        device=place,
        groups=groups,
        twins=spared,
        grid=grid,
        raising=raising,
    )


def at_rates(prepared: Prepared, rates: Rates) -> Prepared:
    """The same study with the trials that come after a pilot that chose these learning rates."""
    specs = due(prepared.study, prepared.grid, rates)
    raising = prepared.data.tracebacks(specs)
    groups, spared = plan_study(_without(raising, specs), prepared.data, prepared.serving)
    return replace(prepared, groups=groups, twins=spared, raising=raising, rates=rates)


def _without(raising: Mapping[str, str], specs: Iterable[TrialSpec]) -> list[TrialSpec]:
    return [spec for spec in specs if spec.id not in raising]


def after_pilot(prepared: Prepared, store: Store) -> Prepared | None:
    """What comes after the trials of `prepared`; None where nothing does, or the pilot is not at its end."""
    if not prepared.study.analysis.pilot or prepared.rates is not None:
        return None
    rates = chosen_rates(prepared.study, store, prepared.grid)
    return None if rates is None else at_rates(prepared, rates)


def run_study(
    prepared: Prepared,
    store: Store,
    *,
    engine: Engine | None = None,
    workers: int | None = None,
    retry: bool = False,
    emit: Callable[[StudyEvent], None] = lambda event: None,
    stop: threading.Event | None = None,
) -> StudyOutcome:
    """Run the trials that have no record; with `retry` also those that failed.

    `workers` groups are trained at the same time, or as many as the engine can; it is this machine, if
    none is given.
    """
    if any(problem.source == HELD for problem in prepared.study.problems):
        workers = 1  # no other process has it
    stop = stop or threading.Event()
    with engine or LocalEngine() as place:
        outcome = _run_on(place, prepared, store, workers, retry, emit, stop)
        if not stop.is_set() and (more := after_pilot(prepared, store)):
            outcome = _run_on(place, more, store, workers, False, emit, stop)
    return outcome


def _run_on(
    engine: Engine,
    prepared: Prepared,
    store: Store,
    workers: int | None,
    retry: bool,
    emit: Callable[[StudyEvent], None],
    stop: threading.Event,
) -> StudyOutcome:
    study, data, serving = prepared.study, prepared.data, prepared.serving
    store.create(study)
    made_with = manifest.entry(digests(study, data), serving.backend, manifest.command_line())
    manifest.keep_run(store.root, made_with)
    specs = prepared.specs
    store.set_aside_damaged()
    failed = store.ids()[1]
    if retry:
        for trial_id in failed:
            store.failure_path(trial_id).unlink(missing_ok=True)
    prepared.twins.settle(store)
    _forget_without_data(store, prepared)
    done, failed = store.ids()
    work = Work(
        backend=prepared.backend,
        device=prepared.device,
        data=data,
        keeper=StudyKeeper(store, study.networks),
    )

    def fail(spec: TrialSpec, text: str) -> None:
        store.write_failure(spec.id, spec.to_dict(), text)
        emit(TrialFailed(spec.id, text))

    claims = Claims(store, prepared.groups, serving, fail)
    workers = max(1, min(workers or engine.workers(), claims.open))
    emit(
        StudyStart(
            name=study.name,
            specs=specs,
            done=frozenset(done),
            failed=frozenset(failed),
            backend=prepared.backend,
            device=prepared.device,
            workers=workers,
        )
    )
    for spec in prepared.lost:
        if spec.id not in done | failed:
            fail(spec, prepared.raising[spec.id])

    def tell(event: StudyEvent) -> None:
        """Pass an event on, and what it means for twins."""
        emit(event)
        if isinstance(event, TrialDone):
            for twin in prepared.twins.finish(store, event.record):
                emit(TrialDone(twin.spec.id, twin))
        elif isinstance(event, TrialFailed):
            for trial_id in prepared.twins.fail(store, event.trial_id, event.traceback):
                emit(TrialFailed(trial_id, event.traceback))

    try:
        with contextlib.suppress(Interrupted), claims:
            engine.run(claims, work, workers, tell, stop)
    finally:
        prepared.twins.settle(store)
        store.sweep()
        store.seal()
    done, failed = store.ids()
    ids = {spec.id for spec in specs}
    return StudyOutcome(
        total=len(ids), done=len(ids & done), failed=len(ids & failed), interrupted=stop.is_set()
    )


def _forget_without_data(store: Store, prepared: Prepared) -> None:
    """Remove failures of trials that failed before their data was known and that have it by now."""
    ids = {spec.id for spec in prepared.grid}
    for failure in store.failures():
        if failure["spec"].get("dataset_digest") == "" and failure["id"] not in ids:
            store.failure_path(failure["id"]).unlink(missing_ok=True)


@dataclass(frozen=True, eq=False)
class Held:
    """A group that this process has claimed."""

    group: Group[Trial]
    planned: Group[Planned]
    key: str
    lock: IO[str]


@dataclass
class Claims:
    """The groups of a study that are still to be done, claimed one at a time for this process."""

    store: Store
    groups: Iterable[Group[Planned]]
    serving: Serving
    fail: Callable[[TrialSpec, str], None]
    """Keeps the traceback of a trial whose own network cannot be built."""
    _left: list[Group[Planned]] = field(default_factory=list)
    _held: dict[int, Held] = field(default_factory=dict)

    def __post_init__(self) -> None:
        done, failed = self.store.ids()
        self._left = [one for one in self.groups if _ids(one) - done - failed]

    @property
    def open(self) -> int:
        """How many groups are left to be claimed."""
        return len(self._left)

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *_: object) -> None:
        for held in self._held.values():
            held.lock.close()
        self._held.clear()

    def take(self) -> Group[Trial] | None:
        """The first group that nobody else is training, with the trials of it that have no record."""
        for planned in list(self._left):
            key = _key(planned)
            lock = try_lock(self.store.claim_path(key))
            if lock is None:
                continue
            self._left.remove(planned)
            if group := self._hold(planned, key, lock):
                return group
        return None

    def finished(self, group: Group[Trial]) -> None:
        held = self._held.pop(id(group))
        _release(self.store, held.key, held.lock)

    def again(self, group: Group[Trial]) -> Group[Trial] | None:
        held = self._held.pop(id(group))
        return self._hold(held.planned, held.key, held.lock)

    def exhausted(self) -> bool:
        """Nothing is left but what this process is training itself."""
        self._left = [
            one for one in self._left if any(self._missing(p.spec.id) for p in one.members.values())
        ]
        return not self._left

    def _hold(self, planned: Group[Planned], key: str, lock: IO[str]) -> Group[Trial] | None:
        """The trials of a claimed group that have no record, as they are kept; without any, it is let go."""
        missing = {slot: p for slot, p in planned.members.items() if self._missing(p.spec.id)}
        if not missing:
            _release(self.store, key, lock)
            return None
        built = {slot: trial for slot, p in missing.items() if (trial := self._fresh(p))}
        if not built:
            _release(self.store, key, lock)
            return None
        group = Group(planned.layout, built)
        write_numerics(group, self.serving.of(group.first.spec))
        for slot, trial in group.members.items():
            group.members[slot] = self._revived(trial)
        self._held[id(group)] = Held(group, planned, key, lock)
        return group

    def _fresh(self, planned: Planned) -> Trial | None:
        try:
            return Trial.fresh(planned.spec, planned.shape)
        except ProblemRaised as error:
            self.fail(planned.spec, error.traceback)
            return None

    def _missing(self, trial_id: str) -> bool:
        return not self.store.is_done(trial_id) and not self.store.has_failed(trial_id)

    def _revived(self, fresh: Trial) -> Trial:
        """The trial from its own checkpoint, if that is whole and of these numerics; else from the start.

        The place in the group is part of them: it changes where a study grows while trials are under way.
        """
        try:
            saved = self.store.work(fresh.spec.id).load()
        except CheckpointError:
            return fresh
        if saved is None or saved.trial is None or saved.trial.numerics != fresh.numerics:
            return fresh
        return saved.trial


def _ids(group: Group[Planned]) -> set[str]:
    return {planned.spec.id for planned in group.members.values()}


def _key(group: Group[Planned]) -> str:
    return hashlib.sha256("".join(sorted(_ids(group))).encode()).hexdigest()[:16]


def _release(store: Store, key: str, lock: IO[str]) -> None:
    store.claim_path(key).unlink(missing_ok=True)
    lock.close()
