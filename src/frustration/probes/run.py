"""Measure what a study lacks, in this process or side by side in several, and time networks last of all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from frustration.engine.population import Interrupted
from frustration.probes.events import Event, NotMeasured
from frustration.probes.plan import Data, ProbePlan, plan
from frustration.probes.settings import Wanted
from frustration.runners.pool import Queue, default_workers, run_tasks
from frustration.study.store import Store

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass
class Measuring:
    """The job of a pool whose tasks are groups of networks, by the ids of their trials.

    It holds nothing that is not on disk or measured again in a moment, so it may be ended at any time.
    """

    store: Store
    wanted: Wanted
    data: Data
    environment: ClassVar[Mapping[str, str]] = dict.fromkeys(THREADS, "1")
    when_killed: ClassVar[str] = (
        "every measure that was finished is kept: run the same command again, "
        "with fewer --workers if memory ran out"
    )

    def __reduce__(self) -> tuple[type[Measuring], tuple[Store, Wanted, Data]]:
        return Measuring, (self.store, self.wanted, Data())  # a worker reads the data itself

    def prepare(self) -> None:
        from frustration.probes.measure import TestImages

        self.images = TestImages(self.data)

    def __call__(self, task: list[str], emit: Callable[[Event], None], stop: threading.Event) -> None:
        from frustration.probes.measure import measure_group

        measure_group(self.store, task, self.wanted, self.images, emit, stop)


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a run came to."""

    networks: int
    """That lacked something before it."""
    left: int
    """That still lack something."""
    done: int
    """That lack nothing now."""
    without: int
    """Finished trials without a network."""
    elsewhere: int
    """That another process is measuring."""
    sentences: tuple[str, ...]
    """What could not be measured and why."""
    notes: tuple[str, ...]
    """What there is nothing to measure of, and why."""
    interrupted: bool


@dataclass(frozen=True, kw_only=True)
class Start:
    """What is about to happen; emitted once."""

    plan: ProbePlan
    wanted: Wanted
    workers: int


Emit = Callable[[Start | Event], None]


def run_probes(
    store: Store,
    wanted: Wanted,
    *,
    workers: int | None = None,
    emit: Emit = lambda event: None,
    stop: threading.Event | None = None,
) -> Outcome:
    """Measure everything that is wanted and missing. Values do not depend on `workers`."""
    stop = stop or threading.Event()
    data = Data()
    before = plan(store, wanted, data)
    groups = before.groups(workers or default_workers())
    workers = max(1, min(workers or default_workers(), len(groups)))
    emit(Start(plan=before, wanted=wanted, workers=workers))
    sentences = list(before.complaints)
    failed: set[str] = set()

    def heard(event: Event) -> None:
        if isinstance(event, NotMeasured):
            failed.add(event.trial_id)
            if event.sentence not in sentences:
                sentences.append(event.sentence)
        emit(event)

    try:
        untimed = replace(wanted, measures=tuple(name for name in wanted.measures if name != "latency"))
        run_tasks(Queue(groups), Measuring(store, untimed, data), workers, heard, stop)
        # Timed alone: a neighbour on the other cores would be timed with it.
        timed = Queue([trial_id] for trial_id in before.untimed)
        run_tasks(timed, Measuring(store, wanted, data), 1, heard, stop)
    except Interrupted:
        pass
    after = plan(store, wanted, data)
    return Outcome(
        networks=len(before.missing),
        left=len(after.missing),
        done=after.done,
        without=after.without,
        elsewhere=0 if stop.is_set() else len({one.spec.id for one in after.missing} - failed),
        sentences=tuple(sentences),
        notes=before.notes,
        interrupted=stop.is_set(),
    )
