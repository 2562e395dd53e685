"""A worker process: `python -m frustration.runners.worker FD`, started by `frustration.runners.local`."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection

from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError
from frustration.runners.local import Failure, Idle, WorkerError
from frustration.runners.work import Work, do


def main() -> None:
    connection: Connection = Connection(int(sys.argv[1]))
    stop = threading.Event()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent, and the parent decides
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threading.Thread(target=_die_with_parent, args=(os.getppid(),), daemon=True).start()
    try:
        work: Work = connection.recv()
        connection.send(Idle())
        while (group := connection.recv()) is not None:
            do(work, group, connection.send, stop)
            connection.send(Idle())
    except Interrupted:
        connection.send(Failure(Interrupted()))
    except FrustrationError as error:
        connection.send(Failure(error))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        sys.exit(1)  # the parent is gone; what is kept is whole
    except Exception:
        connection.send(Failure(WorkerError(f"a worker process failed:\n{traceback.format_exc()}")))


def _die_with_parent(parent: int) -> None:
    """A parent that was killed releases its lock on the model directory: nobody may write there then."""
    while os.getppid() == parent:
        time.sleep(0.1)
    os._exit(1)


if __name__ == "__main__":
    main()
