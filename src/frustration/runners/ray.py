"""Groups on the nodes of a Ray cluster, without a shared file system.

This process, the driver, claims groups and gives each to a task. After every loop a task hands its
checkpoints to the actor, an actor on the driver's node, and at the end records and networks; the actor puts
them where a run on one machine would have. Whatever ends a task, its group continues elsewhere from what the
actor was last given. Nodes need this package, the same as here; the native engine is compiled on each.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import os
import pickle
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from frustration.engine.group import Group
from frustration.engine.population import Interrupted
from frustration.engine.trial import Trial
from frustration.errors import FrustrationError, InputError, first_line, last_line
from frustration.runners.events import Emit
from frustration.runners.keeper import StudyKeeper
from frustration.runners.pool import Failure, WorkerError, default_workers
from frustration.runners.ray_node import StorageActor, code_digest, import_ray, train
from frustration.runners.work import RecoverableGroups, Work

POLL_SECONDS = 0.1
LOOK_SECONDS = 2.0
"""How often the nodes are counted while nothing ends."""
PATIENCE_SECONDS = 60.0
"""How long a run waits for a node when the last one that could train has gone."""
CONNECT_SECONDS = 5.0
MOST_LOSSES = 3
"""How often in a row a group may be lost without having finished a loop: then it is the group's own doing."""


class RayEngine:
    """A Ray cluster: the one at `address` or in RAY_ADDRESS, else this machine's CPUs as one for this run."""

    def __init__(self, address: str | None = None, device: str = "cpu") -> None:
        self.address = address or os.environ.get("RAY_ADDRESS") or "local"
        self.resources = {"num_cpus": 1} | ({} if device == "cpu" else {"num_gpus": 1})
        if self.address.startswith("ray://"):
            raise InputError(
                f"--address {self.address} is a Ray Client's: records are written on a node of the cluster, "
                f"so run the command on one of them, with --address auto"
            )

    def __enter__(self) -> RayEngine:
        ray = import_ray()
        logging.getLogger("ray").setLevel(logging.ERROR)
        quiet = {"log_to_driver": False, "logging_level": logging.ERROR}
        more: dict[str, Any] = {}
        host = self.address.partition(":")[0]
        if host == "local":
            # Nobody else is to reach it, for Ray runs what anyone sends.
            own = {"num_cpus": default_workers(), "include_dashboard": False}
            # 127.0.0.1 would be replaced by this machine's outer address; only Linux has the rest of 127.*.
            more = own | ({"_node_ip_address": "127.0.0.2"} if sys.platform == "linux" else {})
        elif host.startswith("127.") and host != "127.0.0.1":
            more = {"_node_ip_address": host}  # else it looks for a node with this machine's outer address
        _must_answer(self.address)
        with _handlers_kept():
            try:
                ray.init(address=self.address, **quiet, **more)
            except (ConnectionError, RuntimeError, ValueError, OSError) as error:
                token = "; if it asks for a token: RAY_AUTH_MODE=token, or --address auto on one of its nodes"
                raise FrustrationError(
                    f"cannot use the Ray cluster at {self.address}: {first_line(error)}"
                    f"{'' if self.address in ('local', 'auto') else token}"
                ) from None
        return self

    def __exit__(self, *exception: object) -> None:
        import_ray().shutdown()

    def workers(self) -> int:
        """One group for every CPU of the cluster, or for every GPU."""
        places = self.places()
        if not places:
            raise FrustrationError(
                f"no node of the Ray cluster at {self.address} has {self.wanted} to give, "
                f"so nothing would ever start; see `ray status`"
            )
        return places

    def places(self) -> int:
        """How many groups the nodes that are alive can train at the same time."""
        nodes = [node["Resources"] for node in import_ray().nodes() if node["Alive"]]
        names = {"num_cpus": "CPU", "num_gpus": "GPU"}
        return sum(min(int(node.get(names[one], 0)) for one in self.resources) for node in nodes)

    @property
    def wanted(self) -> str:
        return "a GPU and a CPU" if "num_gpus" in self.resources else "a CPU"

    def run(
        self, groups: RecoverableGroups, work: Work, workers: int, emit: Emit, stop: threading.Event
    ) -> None:
        """Train all groups to their ends; raises Interrupted if `stop` is set before that."""
        if not isinstance(work.keeper, StudyKeeper):
            raise TypeError("only studies are kept through a storage, which may be far away")
        ray = import_ray()
        from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

        here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
        actor = ray.remote(StorageActor).options(num_cpus=0, scheduling_strategy=here)
        flights = RunningTasks(
            self,
            groups,
            emit,
            actor.remote(work.keeper.storage, str(Path.cwd())),
            ray.put(pickle.dumps(work)),
        )
        try:
            flights.run(workers, stop)
        except ray.exceptions.RayActorError as error:
            last = last_line(str(error), type(error).__name__).strip()
            raise WorkerError(
                f"the process that writes the records ended by itself ({last}); "
                f"what it has written is whole: run the same command again"
            ) from None
        finally:
            flights.end()


@dataclass(frozen=True)
class Flight:
    """A group with the task that trains it."""

    group: Group[Trial]
    attempt: int
    losses: int


@dataclass
class RunningTasks:
    """The tasks under way, as the driver sees them."""

    engine: RayEngine
    groups: RecoverableGroups
    emit: Emit
    actor: Any
    work: Any
    """A reference to the pickled Work, which every node fetches once."""
    _under_way: dict[Any, Flight] = field(default_factory=dict)
    _numbers: Iterator[int] = field(default_factory=itertools.count)
    _looked: float = field(default_factory=time.monotonic)
    _seen: float = field(default_factory=time.monotonic)

    def run(self, workers: int, stop: threading.Event) -> None:
        ray = import_ray()
        while True:
            if stop.is_set():
                raise Interrupted
            while len(self._under_way) < workers and (group := self.groups.take()):
                self._start(group, losses=0)
            if not self._under_way:
                if self.groups.exhausted():
                    return
                stop.wait(POLL_SECONDS)
                continue
            ended, _ = ray.wait(list(self._under_way), num_returns=1, timeout=POLL_SECONDS)
            self._pass_on()
            for reference in ended:
                self._finish(reference)
            self._look_at_nodes()

    def end(self) -> None:
        """Whatever is still under way ends, and is heard no more."""
        ray = import_ray()
        with contextlib.suppress(ray.exceptions.RayError):
            ray.get(self.actor.dismiss.remote([flight.attempt for flight in self._under_way.values()]))
            for reference in self._under_way:
                # A loop that is cut off leaves no trace, so there is nothing to be gentle with.
                ray.cancel(reference, force=True)
            self._pass_on()
        self._under_way.clear()
        ray.kill(self.actor)

    def _start(self, group: Group[Trial], losses: int) -> None:
        ray = import_ray()
        attempt = next(self._numbers)
        ray.get(self.actor.admit.remote(attempt))
        # Ray's own retries are off: they would start from the group as it is now.
        task = ray.remote(train).options(max_retries=0, **self.engine.resources)
        reference = task.remote(self.actor, attempt, code_digest(), [self.work], pickle.dumps(group))
        self._under_way[reference] = Flight(group, attempt, losses)

    def _finish(self, reference: Any) -> None:
        ray = import_ray()
        flight = self._under_way[reference]
        failure: Failure | None = None
        try:
            failure = ray.get(reference)
        except ray.exceptions.RayTaskError as error:
            raise _unexpected(error) from None
        except ray.exceptions.RayError as error:
            self._reassign(reference, first_line(error))
            return
        if failure:
            raise failure.error
        ray.get(self.actor.dismiss.remote([flight.attempt]))
        del self._under_way[reference]
        self.groups.finished(flight.group)

    def _reassign(self, reference: Any, why: str) -> None:
        """A node or a worker is gone. What the actor was given counts, and continues elsewhere."""
        flight = self._under_way.pop(reference)
        # Should it be alive after all, nobody listens to it any more.
        import_ray().get(self.actor.dismiss.remote([flight.attempt]))
        self._pass_on()
        before = _loops_left(flight.group)  # the trials of the group are still as the task was given them
        group = self.groups.again(flight.group)
        if group is None:
            return
        losses = flight.losses + 1 if _loops_left(group) == before else 1
        if losses >= MOST_LOSSES:
            spec = group.first.spec
            raise WorkerError(
                f"a group of {len(group.members)} trials of {spec.architecture} lost its worker {losses} "
                f"times without finishing a loop, perhaps out of memory ({why}); what is kept is whole"
            )
        self._start(group, losses)

    def _pass_on(self) -> None:
        for event in import_ray().get(self.actor.events.remote()):
            self.emit(event)

    def _look_at_nodes(self) -> None:
        now = time.monotonic()
        if now - self._looked < LOOK_SECONDS:
            return
        self._looked = now
        if self.engine.places():
            self._seen = now
        elif now - self._seen > PATIENCE_SECONDS:
            raise WorkerError(
                f"for {PATIENCE_SECONDS:.0f} seconds no node of the Ray cluster had {self.engine.wanted} to "
                f"give; what is kept is whole: run the same command again when there are nodes"
            )


def _must_answer(address: str) -> None:
    """Ray itself tries for half a minute to reach an absent cluster."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        if address not in ("auto", "local"):
            raise InputError(f'--address {address} is neither "auto" nor HOST:PORT, such as 10.0.0.1:6379')
        return
    if host in ("localhost", "127.0.0.1"):  # as Ray reads them
        host = import_ray().util.get_node_ip_address()
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=CONNECT_SECONDS).close()
    except (OSError, OverflowError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise FrustrationError(f"no Ray cluster answers at {host}:{port}: {reason}") from None


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """Restore the signal handlers of this command, which Ray replaces."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _loops_left(group: Group[Trial]) -> int:
    return sum(trial.spec.meta_loops - trial.loop for trial in group.members.values())


def _unexpected(error: Exception) -> WorkerError:
    text = str(error)
    if "No module named 'frustration'" in text:
        return WorkerError(
            "a node of the Ray cluster has no frustration-engine: install the same on every node"
        )
    return WorkerError(f"a task failed:\n{text}")
