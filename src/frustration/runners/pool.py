"""A pool of worker processes for tasks of any kind: training, probes.

Processes, because threads of small networks spend their time waiting for each other: two threads gained
nothing below widths of about 256 (measured with the torch backend, whose operations on such networks
take microseconds). A worker is `python -m frustration.runners.worker`, not a fork, so that it does not
matter what the calling program is or has loaded.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait
from typing import Generic, Protocol, TypeVar

from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError

GRACE_SECONDS = 10.0
STOPPING = (signal.SIGINT, signal.SIGTERM)
POLL_SECONDS = 0.1

T = TypeVar("T")
"""A task."""
E = TypeVar("E")
"""Reports on tasks."""
Task = TypeVar("Task", contravariant=True)
Told = TypeVar("Told", covariant=True)


class Job(Protocol[Task, Told]):
    """Does tasks of one kind. It is pickled once for every worker, so it holds what all tasks share."""

    @property
    def environment(self) -> Mapping[str, str]:
        """What a worker process needs in its environment."""

    @property
    def when_killed(self) -> str:
        """What the user should know and do when a worker process was killed."""

    def prepare(self) -> None:
        """Load what every task needs, while a signal can still end the process at once."""

    def __call__(self, task: Task, emit: Callable[[Told], None], stop: threading.Event) -> None:
        """Do a task; raises Interrupted soon after `stop` is set, with what is finished kept."""


class Tasks(Protocol[T]):
    """Where tasks come from."""

    def take(self) -> T | None:
        """The next task, or None if there is none at this moment."""

    def finished(self, task: T) -> None:
        """A task that was taken is done, or has failed."""

    def exhausted(self) -> bool:
        """Whether no task is left; if not, other processes work on the rest."""


class Queue(Generic[T]):
    """Tasks of this run alone, in a given order."""

    def __init__(self, tasks: Iterable[T]) -> None:
        self._left = deque(tasks)

    def take(self) -> T | None:
        return self._left.popleft() if self._left else None

    def finished(self, task: T) -> None:
        pass

    def exhausted(self) -> bool:
        return not self._left


class WorkerError(FrustrationError):
    """A worker process that died or met an unexpected error; the message says which."""


@dataclass(frozen=True)
class Failure:
    """How a worker says what went wrong."""

    error: Exception


@dataclass(frozen=True)
class Idle:
    """How a worker asks for a task."""


def default_workers() -> int:
    """As many as there are CPUs for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def run_tasks(
    tasks: Tasks[T], job: Job[T, E], workers: int, emit: Callable[[E], None], stop: threading.Event
) -> None:
    """Do all tasks, in this process if `workers` is 1. Results do not depend on `workers`.

    Raises Interrupted once every worker has stopped, if `stop` was set before all was done.
    """
    if workers <= 1:
        _run_here(tasks, job, emit, stop)
        return
    team: list[Worker[T, E]] = []
    try:
        while len(team) < workers:
            team.append(Worker(job))
        for worker in team:
            worker.prepare()
        _feed(team, tasks, emit, stop)
    finally:
        for worker in team:
            worker.interrupt()
        for worker in team:
            worker.end()


def _run_here(tasks: Tasks[T], job: Job[T, E], emit: Callable[[E], None], stop: threading.Event) -> None:
    if not tasks.exhausted():
        job.prepare()
    while not tasks.exhausted():
        task = tasks.take()
        if task is not None:
            job(task, emit, stop)
            tasks.finished(task)
        elif stop.wait(POLL_SECONDS):
            raise Interrupted


def _feed(
    team: list[Worker[T, E]], tasks: Tasks[T], emit: Callable[[E], None], stop: threading.Event
) -> None:
    at_work = {worker.connection: worker for worker in team}
    while at_work:
        for worker in list(at_work.values()):
            if stop.is_set():
                if worker.task is not None:
                    worker.interrupt()
                else:  # it has nothing to lose, and may be busy for seconds with starting up
                    worker.process.kill()
                    del at_work[worker.connection]
            elif worker.idle and tasks.exhausted():
                worker.send(None)
                del at_work[worker.connection]
            elif worker.idle and (task := tasks.take()) is not None:
                worker.start(task)
        # Nothing wakes wait() when `stop` is set: the time-out is how soon Ctrl-C is passed on.
        for connection in wait(list(at_work), timeout=POLL_SECONDS):
            worker = at_work[connection]  # type: ignore[index]  # wait() returns what it was given
            message = worker.receive()
            if isinstance(message, Failure):
                raise message.error
            if isinstance(message, Idle):
                if worker.task is not None:
                    tasks.finished(worker.task)
                worker.task, worker.idle = None, True
            else:
                emit(message)
    if stop.is_set():
        raise Interrupted


class Worker(Generic[T, E]):
    """A worker process and the connection to it."""

    def __init__(self, job: Job[T, E]) -> None:
        self.connection, theirs = Pipe()
        self._job = job
        # -P: not the modules of the folder that the user happens to be in, but those of this process.
        program = [sys.executable, "-P", "-m", "frustration.runners.worker"]
        program += [str(theirs.fileno()), str(os.getpid())]
        path = os.pathsep.join(filter(None, sys.path))
        environment = {**os.environ, **job.environment, "PYTHONPATH": path}
        with theirs, _signals_wait():
            try:
                self.process = subprocess.Popen(
                    program, env=environment, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()]
                )
            except OSError as error:
                raise WorkerError(f"cannot start a worker process: {error.strerror}") from None
        self.interrupted = False
        self.sender: threading.Thread | None = None
        self.idle = False
        self.task: T | None = None

    def prepare(self) -> None:
        """Send what all tasks have in common: in the background, since the worker takes it when it can."""

        def send() -> None:
            with contextlib.suppress(OSError):  # a worker that died is noticed where its messages are read
                self.connection.send(self._job)

        self.sender = threading.Thread(target=send, daemon=True)
        self.sender.start()

    def start(self, task: T) -> None:
        self.send(task)
        self.task, self.idle = task, False

    def send(self, message: T | None) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def receive(self) -> E | Failure | Idle:
        try:
            message: E | Failure | Idle = self.connection.recv()
        except (EOFError, ConnectionResetError):
            if self.interrupted:
                return Failure(Interrupted())
            raise self._death() from None
        return message

    def _death(self) -> WorkerError:
        code = self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return WorkerError(f"a worker process ended by itself ({how}); {self._job.when_killed}")

    def interrupt(self) -> None:
        if not self.interrupted:
            self.process.terminate()  # its handler finishes the step and reports Interrupted
            self.interrupted = True

    def end(self) -> None:
        """Leave no process behind."""
        if self.sender and self.sender.is_alive():
            self.process.kill()  # it has not even been told what to do
            self.sender.join()
        self.connection.close()
        if self.process.poll() is None:
            self.interrupt()
            try:
                self.process.wait(GRACE_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()


@contextlib.contextmanager
def _signals_wait() -> Iterator[None]:
    """A process started in the block receives SIGINT and SIGTERM only once it says that it is ready."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, STOPPING)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
