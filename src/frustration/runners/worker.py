"""A worker process: `python -m frustration.runners.worker FD PARENT`, started by `pool.Worker`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

LOOK_SECONDS = 0.1


def main() -> None:
    connection: Connection = Connection(int(sys.argv[1]))
    # First of all, for what is imported below takes a second.
    threading.Thread(target=_die_with, args=(int(sys.argv[2]),), daemon=True).start()
    busy = threading.Event()
    stop = _stopped_by_signal(busy)
    try:
        _work(connection, busy, stop)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(1)  # the parent is gone, or waits for us no longer; what is kept is whole


def _work(connection: Connection, busy: threading.Event, stop: threading.Event) -> None:
    """Do one task after another, until there are no more or something is in the way."""
    from frustration.engine.population import Interrupted
    from frustration.errors import FrustrationError
    from frustration.runners.pool import Failure, Idle, Job, WorkerError

    try:
        job: Job[Any, Any] = connection.recv()
        job.prepare()
        connection.send(Idle())
        while (task := connection.recv()) is not None:
            busy.set()
            job(task, connection.send, stop)
            busy.clear()
            connection.send(Idle())
    except (EOFError, BrokenPipeError, ConnectionResetError):
        raise
    except (Interrupted, FrustrationError) as error:
        connection.send(Failure(error))
    except Exception:
        connection.send(Failure(WorkerError(f"a worker process failed:\n{traceback.format_exc()}")))


def _stopped_by_signal(busy: threading.Event) -> threading.Event:
    """What SIGTERM sets; without a task under way it ends the process, which may be loading torch.

    Ctrl-C reaches the parent too, and the parent decides.
    """
    stop = threading.Event()

    def end(*_: object) -> None:
        stop.set()
        if not busy.is_set():
            os._exit(1)

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, end)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, (signal.SIGINT, signal.SIGTERM))
    return stop


def _die_with(parent: int) -> None:
    """A parent that was killed releases its lock on the model directory: nobody may write there then."""
    while os.getppid() == parent:
        time.sleep(LOOK_SECONDS)
    os._exit(1)


if __name__ == "__main__":
    main()
