"""Groups on this machine: in this process, or side by side in worker processes."""

from __future__ import annotations

import threading

from frustration.engine.group import Group
from frustration.engine.trial import Trial
from frustration.runners.events import Emit
from frustration.runners.pool import Tasks, default_workers, run_tasks
from frustration.runners.work import Work


class LocalEngine:
    """This machine."""

    def __enter__(self) -> LocalEngine:
        return self

    def __exit__(self, *exception: object) -> None:
        pass

    def workers(self) -> int:
        return default_workers()

    def run(
        self, groups: Tasks[Group[Trial]], work: Work, workers: int, emit: Emit, stop: threading.Event
    ) -> None:
        """Train all groups to their ends; a device that is not the CPU trains one at a time."""
        run_tasks(groups, work, workers if work.device == "cpu" else 1, emit, stop)
