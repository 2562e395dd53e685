"""The part of a Ray run on the nodes: a task trains one group, the actor writes what tasks send."""

from __future__ import annotations

import functools
import hashlib
import os
import pickle
import threading
from dataclasses import replace
from typing import Any

from frustration.engine.group import Group, numerics_of
from frustration.engine.population import Backend, Interrupted
from frustration.engine.trial import Trial
from frustration.errors import FrustrationError, InputError
from frustration.record import TrialRecord
from frustration.runners.events import Event
from frustration.runners.keeper import StudyKeeper
from frustration.runners.pool import Failure, WorkerError
from frustration.runners.work import TrialStorage, Work, backend_of, do
from frustration.saved import Checkpoint
from frustration.version import PACKAGE, VERSION


def import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # it would report to its makers
    # It warns of a change to come that does not concern us: what a task without a GPU sees.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    try:
        import ray
    except ImportError:
        raise InputError(
            "--engine ray needs the package ray, which is not installed: scripts/bootstrap --extra ray, "
            'or pip install "frustration-engine[ray]"'
        ) from None
    return ray


class StorageActor:
    """The actor on the driver's node: writes what admitted tasks hand in, and remembers what to report."""

    def __init__(self, storage: TrialStorage, folder: str) -> None:
        os.chdir(folder)  # the study's own path may be relative
        self._storage = storage
        self._admitted: set[int] = set()
        self._events: list[Event] = []

    def admit(self, attempt: int) -> None:
        self._admitted.add(attempt)

    def dismiss(self, attempts: list[int]) -> None:
        self._admitted.difference_update(attempts)

    def take(self, attempt: int, calls: list[tuple[str, tuple[Any, ...]]], event: Event) -> None:
        """Do the calls, which are calls of the storage; what is reported has been kept."""
        if attempt not in self._admitted:
            raise Interrupted
        for name, arguments in calls:
            getattr(self._storage, name)(*arguments)
        self._events.append(event)

    def events(self) -> list[Event]:
        """What has happened since this was last asked."""
        events, self._events = self._events, []
        return events


class RemoteStorage:
    """A task's line to the actor: a storage, from which all goes out with the next event, in one call."""

    def __init__(self, actor: Any, attempt: int) -> None:
        self._actor, self._attempt = actor, attempt
        self._calls: list[tuple[str, tuple[Any, ...]]] = []

    def write_checkpoint(self, trial_id: str, checkpoint: Checkpoint) -> None:
        self._calls.append(("write_checkpoint", (trial_id, checkpoint)))

    def write_network(self, trial_id: str, content: bytes) -> None:
        self._calls.append(("write_network", (trial_id, content)))

    def write_record(self, record: TrialRecord) -> None:
        self._calls.append(("write_record", (record,)))

    def remove_checkpoint(self, trial_id: str) -> None:
        self._calls.append(("remove_checkpoint", (trial_id,)))

    def write_failure(self, trial_id: str, spec: dict[str, Any], traceback: str) -> None:
        self._calls.append(("write_failure", (trial_id, spec, traceback)))

    def emit(self, event: Event) -> None:
        """Returns when the actor has done all of it."""
        ray = import_ray()
        calls, self._calls = self._calls, []
        try:
            ray.get(self._actor.take.remote(self._attempt, calls, event))
        except ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except ray.exceptions.RayActorError:
            raise Interrupted from None  # the driver is gone


def train(actor: Any, attempt: int, code: str, shared: list[Any], pickled: bytes) -> Failure | None:
    """The task: one group, to its end."""
    try:
        if code != code_digest():
            raise WorkerError(
                f"the node {_where()} has another frustration-engine ({VERSION}) than the "
                f"one that this was started with; install the same on every node"
            )
        work, group = _work(shared[0]), pickle.loads(pickled)
        try:
            backend = backend_of(group, work)
        except FrustrationError as error:
            raise WorkerError(f"on the node {_where()}: {error}") from None
        _check_numerics(group, backend)
        line = RemoteStorage(actor, attempt)
        assert isinstance(work.keeper, StudyKeeper)
        do(replace(work, keeper=work.keeper.on(line)), group, line.emit, threading.Event())
    except (Interrupted, FrustrationError) as error:
        return Failure(error)
    return None


def _check_numerics(group: Group[Trial], backend: Backend) -> None:
    for trial in group.members.values():
        planned = {name: value for name, value in trial.numerics.items() if name != "group"}
        here = numerics_of(trial.spec, backend)
        if planned != here:
            raise WorkerError(
                f"the node {_where()} would give other bits ({here}) than the machine that this was started "
                f"on ({planned}); give it the same software, or use --backend native"
            )


@functools.lru_cache(maxsize=1)
def _work(reference: Any) -> Work:
    """Fetched once in every worker process, for the engines prepare the data once per object."""
    work: Work = pickle.loads(import_ray().get(reference))
    return work


@functools.cache
def code_digest() -> str:
    """A digest of the sources of this package: nodes with other sources may give other bits."""
    digest = hashlib.sha256()
    for path in sorted(path for suffix in ("py", "h", "cpp") for path in PACKAGE.rglob(f"*.{suffix}")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def _where() -> str:
    return str(import_ray().util.get_node_ip_address())
