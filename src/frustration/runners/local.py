"""Groups on this machine: in this process, or side by side in worker processes.

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
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import Pipe, wait

from frustration.engine.group import Group, work_left
from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError
from frustration.runners.events import Emit, Event
from frustration.runners.work import Groups, Work, do

GRACE_SECONDS = 10.0
STOPPING = (signal.SIGINT, signal.SIGTERM)
POLL_SECONDS = 0.1


class WorkerError(FrustrationError):
    """A worker process that died or met an error of ours; the message says which."""


@dataclass(frozen=True)
class Failure:
    """How a worker says what went wrong."""

    error: Exception


@dataclass(frozen=True)
class Idle:
    """How a worker asks for a group."""


def default_workers() -> int:
    """As many as there are CPUs for this process."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Queue:
    """Groups of this run alone, the costliest first."""

    def __init__(self, groups: Iterable[Group]) -> None:
        self._left = sorted(groups, key=lambda group: work_left(group.trials.values()))

    def take(self) -> Group | None:
        return self._left.pop() if self._left else None

    def finished(self, group: Group) -> None:
        pass

    def exhausted(self) -> bool:
        return not self._left


class LocalEngine:
    """This machine."""

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def workers(self) -> int:
        return default_workers()

    def run(self, groups: Groups, work: Work, workers: int, emit: Emit, stop: threading.Event) -> None:
        run_groups(groups, work, workers, emit, stop)


def run_groups(groups: Groups, work: Work, workers: int, emit: Emit, stop: threading.Event) -> None:
    """Train all groups to their ends. Results do not depend on `workers`.

    Raises Interrupted once every worker has stopped, if `stop` was set before all was done.
    """
    if workers <= 1 or work.device != "cpu":
        _run_here(groups, work, emit, stop)
        return
    team: list[Worker] = []
    try:
        while len(team) < workers:
            team.append(Worker())
        for worker in team:
            worker.prepare(work)
        _feed(team, groups, emit, stop)
    finally:
        for worker in team:
            worker.interrupt()
        for worker in team:
            worker.end()


def _run_here(groups: Groups, work: Work, emit: Emit, stop: threading.Event) -> None:
    while not groups.exhausted():
        if group := groups.take():
            do(work, group, emit, stop)
            groups.finished(group)
        elif stop.wait(POLL_SECONDS):
            raise Interrupted


def _feed(team: list[Worker], groups: Groups, emit: Emit, stop: threading.Event) -> None:
    at_work = {worker.connection: worker for worker in team}
    while at_work:
        for worker in list(at_work.values()):
            if stop.is_set():
                if worker.group:
                    worker.interrupt()
                else:  # it has nothing to lose, and may be busy for seconds with starting up
                    worker.process.kill()
                    del at_work[worker.connection]
            elif worker.idle and groups.exhausted():
                worker.send(None)
                del at_work[worker.connection]
            elif worker.idle and (group := groups.take()):
                worker.start(group)
        # Nothing wakes wait() when `stop` is set: the time-out is how soon Ctrl-C is passed on.
        for connection in wait(list(at_work), timeout=POLL_SECONDS):
            worker = at_work[connection]  # type: ignore[index]  # wait() returns what it was given
            message = worker.receive()
            if isinstance(message, Failure):
                raise message.error
            if isinstance(message, Idle):
                if worker.group:
                    groups.finished(worker.group)
                worker.group, worker.idle = None, True
            else:
                emit(message)
    if stop.is_set():
        raise Interrupted


class Worker:
    """A worker process and the line to it."""

    def __init__(self) -> None:
        self.connection, theirs = Pipe()
        # -P: not the modules of the folder that the user happens to be in, but those of this process.
        program = [sys.executable, "-P", "-m", "frustration.runners.worker"]
        program += [str(theirs.fileno()), str(os.getpid())]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
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
        self.group: Group | None = None

    def prepare(self, work: Work) -> None:
        """Send what all groups have in common: in the background, since the worker takes it when it can."""

        def send() -> None:
            with contextlib.suppress(OSError):  # a worker that died is noticed where its messages are read
                self.connection.send(work)

        self.sender = threading.Thread(target=send, daemon=True)
        self.sender.start()

    def start(self, group: Group) -> None:
        self.send(group)
        self.group, self.idle = group, False

    def send(self, message: Group | None) -> None:
        try:
            self.connection.send(message)
        except (BrokenPipeError, ConnectionResetError):
            raise self._death() from None

    def receive(self) -> Event | Failure | Idle:
        try:
            message: Event | Failure | Idle = self.connection.recv()
        except (EOFError, ConnectionResetError):
            if self.interrupted:
                return Failure(Interrupted())
            raise self._death() from None
        return message

    def _death(self) -> WorkerError:
        code = self.process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return WorkerError(
            f"a worker process ended by itself ({how}); every loop that it had finished is kept: "
            f"run the same command again, with fewer --threads if memory ran out"
        )

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
