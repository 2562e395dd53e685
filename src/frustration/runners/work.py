"""The work on one group, wherever it runs: train it, save it after every loop, report events."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, ClassVar, Protocol, Self

from frustration.dataset import Split
from frustration.engine.backends import backend_for, load_backend
from frustration.engine.group import Group
from frustration.engine.loop import train_group
from frustration.engine.population import Backend, Interrupted
from frustration.engine.trial import Trial
from frustration.errors import FrustrationError
from frustration.record import LoopEntry, TrialRecord
from frustration.references import ProblemError, ProblemRaised, ProblemReference
from frustration.runners.events import Emit, Event, LoopDone, TrialDone, TrialFailed
from frustration.runners.pool import Tasks
from frustration.saved import Checkpoint
from frustration.spec import TrialSpec


class Keeper(Protocol):
    """Saves trials. It is called where the training happens, and is sent there."""

    def keep(self, trial: Trial, entry: LoopEntry) -> None:
        """After every loop."""

    def finish(self, trial: Trial) -> TrialRecord:
        """After the last; gives the record that was written."""

    @property
    def keeps_failures(self) -> bool:
        """Whether an unexpected error is kept and the other trials continue; if not, it ends the run."""

    def fail(self, trial: Trial, traceback: str) -> None:
        """After an unexpected error of this trial, where failures are kept."""


class TrialStorage(Protocol):
    """Where a keeper saves trials: files on this machine, or a connection to another."""

    def write_checkpoint(self, trial_id: str, checkpoint: Checkpoint) -> None:
        """Over the one that is there, and the new lines of its curve behind those that are there."""

    def write_network(self, trial_id: str, content: bytes) -> None:
        """The LKG of a finished trial."""

    def write_record(self, record: TrialRecord) -> None:
        """Unless there is one."""

    def remove_checkpoint(self, trial_id: str) -> None:
        """Of a trial that has its record."""

    def write_failure(self, trial_id: str, spec: dict[str, Any], traceback: str) -> None:
        """In place of a record."""


class RecoverableGroups(Tasks[Group[Trial]], Protocol):
    """Groups whose trials are saved where they can be read again if a worker is lost."""

    def again(self, group: Group[Trial]) -> Group[Trial] | None:
        """What is left of a group that was taken, its trials as they were last kept; None if nothing is."""


class Engine(Protocol):
    """Where groups are trained: on this machine or elsewhere. Results do not depend on it.

    It is entered before it is used.
    """

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def workers(self) -> int:
        """How many groups it can train at the same time."""

    def run(
        self, groups: RecoverableGroups, work: Work, workers: int, emit: Emit, stop: threading.Event
    ) -> None:
        """Train all groups to their ends, `workers` at a time; raises Interrupted if `stop` is set first."""


@dataclass(frozen=True, eq=False)
class Data:
    """The data sets of a run, by name, and the parts of them that trials are trained on."""

    splits: Mapping[str, Split]
    _parts: dict[tuple[str, float], Split] = field(default_factory=dict)

    def of(self, spec: TrialSpec) -> Any:
        """What a trial sees: a split, or the data of its problem, which every process asks it for once."""
        return self.part(spec.problem or spec.dataset, spec.train_fraction)

    def part(self, name: str | ProblemReference, fraction: float) -> Any:
        """A data set or a problem's data with a share of its training samples: always the same object."""
        if isinstance(name, ProblemReference):
            from frustration.engine.module.data import data_of

            return data_of(name, fraction)
        if (name, fraction) not in self._parts:
            self._parts[name, fraction] = self.splits[name].fraction(fraction)
        return self._parts[name, fraction]

    def digest(self, name: str | ProblemReference, fraction: float) -> str:
        """What identifies it; empty where a problem raises instead of giving its data."""
        try:
            digest: str = self.part(name, fraction).digest
        except ProblemRaised:
            return ""
        return digest

    def tracebacks(self, specs: Iterable[TrialSpec]) -> dict[str, str]:
        """Of trials whose problem raises before a network of theirs can be trained, by their ids."""
        known: dict[tuple[object, ...], str | None] = {}
        found: dict[str, str] = {}
        for spec in specs:
            data = spec.problem, spec.train_fraction
            if spec.problem and data not in known:
                known[data] = _traceback(partial(self.of, spec))
            key = data if known.get(data) else (*data, spec.program)
            if spec.problem and key not in known:
                loaded = self.of(spec)
                known[key] = _traceback(partial(spec.shape, loaded.features, loaded.classes))
            if text := known.get(key):
                found[spec.id] = text
        return found


def _traceback(work: Callable[[], object]) -> str | None:
    """Of what a problem's own code raises in it."""
    try:
        work()
    except ProblemRaised as error:
        return error.traceback
    return None


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What all groups of a run have in common: the job that trains them."""

    backend: str
    device: str
    data: Data
    keeper: Keeper
    environment: ClassVar[Mapping[str, str]] = {}
    when_killed: ClassVar[str] = (
        "every loop that it had finished is kept: run the same command again, "
        "with fewer --threads if memory ran out"
    )

    def prepare(self) -> None:
        load_backend(self.backend, self.device)

    def __call__(self, task: Group[Trial], emit: Emit, stop: threading.Event) -> None:
        do(self, task, emit, stop)


class _ListenerError(Exception):
    """A listener failed, not the training: a pipe to a process that was killed."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def do(work: Work, group: Group[Trial], emit: Emit, stop: threading.Event) -> None:
    """Train a group to its end; raises Interrupted when `stop` is set, and what `emit` raises."""

    def tell(event: Event) -> None:
        try:
            emit(event)
        except Exception as error:  # whatever it is, it is no trial's
            raise _ListenerError(error) from error

    try:
        _do(work, group, tell, stop)
    except _ListenerError as failed:
        raise failed.error from None


def _do(work: Work, group: Group[Trial], emit: Emit, stop: threading.Event) -> None:
    try:
        _train(work, group, emit, stop)
    except (Interrupted, _ListenerError):
        raise
    except Exception as error:  # the boundary of a trial: what is kept as its failure must not end the others
        about_all = isinstance(error, FrustrationError) and not isinstance(error, ProblemError)
        if about_all or not work.keeper.keeps_failures:
            raise
        if len(group.members) > 1:
            # Whose error it was shows when each continues alone, in its own slot and to the same bits.
            for slot, trial in group.members.items():
                _do(work, Group(group.layout, {slot: trial}), emit, stop)
            return
        text = traceback.format_exc()
        for trial in group.members.values():
            work.keeper.fail(trial, text)
            emit(TrialFailed(trial.spec.id, text))


def backend_of(group: Group[Trial], work: Work) -> Backend:
    """For a problem it is the one that the group was planned for: one may be stacked, and another not."""
    trial = group.first
    name = trial.numerics["backend"] if trial.spec.problem else work.backend
    return backend_for(trial.spec.architecture, name, work.device)


def _train(work: Work, group: Group[Trial], emit: Emit, stop: threading.Event) -> None:
    def observe(trial: Trial, entry: LoopEntry) -> None:
        work.keeper.keep(trial, entry)
        emit(LoopDone(trial.spec.id, entry, trial.bounty, trial.bounty_loop))

    trials = list(group.members.values())
    data = work.data.of(trials[0].spec)
    train_group(group, backend_of(group, work), data, observe, stop)
    for trial in trials:
        emit(TrialDone(trial.spec.id, work.keeper.finish(trial)))
