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

from frustration.engine.group import Group
from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError
from frustration.runners.work import Emit, Event, Work, do

GRACE_SECONDS = 10.0
STOPPING = (signal.SIGINT, signal.SIGTERM)


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


def run_groups(groups: Iterable[Group], work: Work, workers: int, emit: Emit, stop: threading.Event) -> None:
    """Train all groups to their ends, the costliest first. Results do not depend on `workers`.

    Raises Interrupted once every worker has stopped, if `stop` was set before all was done.
    """
    queue = sorted(groups, key=cost, reverse=True)
    workers = min(workers, len(queue))
    if workers <= 1 or work.device != "cpu":
        for group in queue:
            do(work, group, emit, stop)
        return
    team: list[Worker] = []
    try:
        while len(team) < workers:
            team.append(Worker())
        for worker in team:
            worker.send(work)
        _feed(team, queue, emit, stop)
    finally:
        for worker in team:
            worker.interrupt()
        for worker in team:
            worker.end()


def cost(group: Group) -> int:
    """Roughly: multiplications still to be done."""
    return sum(
        (t.spec.meta_loops - t.loop) * (t.shape.size + 1000 * t.spec.architecture.depth)
        for t in group.trials.values()
    )


def _feed(team: list[Worker], queue: list[Group], emit: Emit, stop: threading.Event) -> None:
    at_work = {worker.connection: worker for worker in team}
    while at_work:
        if stop.is_set():
            for worker in at_work.values():
                worker.interrupt()
        # An event wakes no wait(): the time-out is how soon Ctrl-C is passed on.
        for connection in wait(list(at_work), timeout=0.1):
            worker = at_work[connection]  # type: ignore[index]  # wait() returns what it was given
            message = worker.receive()
            if isinstance(message, Failure):
                raise message.error
            if isinstance(message, Idle):
                if queue and not stop.is_set():
                    worker.send(queue.pop(0))
                else:
                    worker.send(None)
                    del at_work[worker.connection]
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

    def send(self, message: Work | Group | None) -> None:
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
