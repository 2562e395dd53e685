"""Measure what a study lacks, in this process or side by side in several, and time networks last of all."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import IO, Any

from frustration.engine.population import Interrupted
from frustration.errors import FrustrationError
from frustration.probes.events import Event, Measured, NotMeasured
from frustration.probes.plan import Data, ProbePlan, plan
from frustration.probes.settings import Wanted
from frustration.runners.local import default_workers
from frustration.study.store import Store

GRACE_SECONDS = 10.0
POLL_SECONDS = 0.1


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
        _side_by_side(store, wanted, data, groups, workers, heard, stop)
        # Timed alone: a neighbour on the other cores would be timed with it.
        _here(store, wanted, data, [[trial_id] for trial_id in before.untimed], heard, stop)
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


def _here(
    store: Store,
    wanted: Wanted,
    data: Data,
    groups: list[list[str]],
    emit: Callable[[Event], None],
    stop: threading.Event,
) -> None:
    if not groups:
        return
    from frustration.probes.measure import TestImages, measure_group

    images = TestImages(data)
    for ids in groups:
        measure_group(store, ids, wanted, images, emit, stop)


def _side_by_side(
    store: Store,
    wanted: Wanted,
    data: Data,
    groups: list[list[str]],
    workers: int,
    emit: Callable[[Event], None],
    stop: threading.Event,
) -> None:
    """All groups, everything but latency; raises Interrupted once nobody is at work any more."""
    untimed = Wanted(
        measures=tuple(name for name in wanted.measures if name != "latency"),
        draws=wanted.draws,
        images=wanted.images,
    )
    if workers <= 1:
        _here(store, untimed, data, groups, emit, stop)
        return
    work: queue.SimpleQueue[list[str]] = queue.SimpleQueue()
    for ids in groups:
        work.put(ids)
    heard: queue.SimpleQueue[Event | Exception | None] = queue.SimpleQueue()
    team = [Worker(store, untimed, work, heard) for _ in range(workers)]
    try:
        at_work = workers
        while at_work:
            if stop.is_set():
                raise Interrupted
            try:
                event = heard.get(timeout=POLL_SECONDS)
            except queue.Empty:
                continue
            if isinstance(event, Exception):
                raise event
            if event is None:
                at_work -= 1
            else:
                emit(event)
    finally:
        for worker in team:
            worker.end()


class Worker:
    """A process that measures one group after another, and the thread that talks with it.

    It holds nothing that is not on disk or measured again in a moment, so it may be ended at any time.
    """

    def __init__(
        self,
        store: Store,
        wanted: Wanted,
        work: queue.SimpleQueue[list[str]],
        heard: queue.SimpleQueue[Event | Exception | None],
    ) -> None:
        # -P: not the modules of the folder that the user happens to be in, but those of this process.
        program = [sys.executable, "-P", "-m", "frustration.probes.worker"]
        one_each = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        path = os.pathsep.join(filter(None, sys.path))
        try:
            self._process = subprocess.Popen(
                program,
                env={**os.environ, **one_each, "PYTHONPATH": path},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
                start_new_session=True,  # Ctrl-C is for this process, which ends that one
            )
        except OSError as error:
            raise FrustrationError(f"cannot start a worker process: {error.strerror}") from None
        self._ended = False
        self._thread = threading.Thread(target=self._talk, args=(store, wanted, work, heard), daemon=True)
        self._thread.start()

    def _talk(
        self,
        store: Store,
        wanted: Wanted,
        work: queue.SimpleQueue[list[str]],
        heard: queue.SimpleQueue[Event | Exception | None],
    ) -> None:
        to_it, from_it = _pipes(self._process)
        try:
            _say(to_it, {"root": str(store.root), "wanted": asdict(wanted)})
            while True:
                try:
                    ids = work.get_nowait()
                except queue.Empty:
                    break
                _say(to_it, ids)
                while (answer := _hear(from_it)) != "done":
                    if "failure" in answer:
                        raise FrustrationError(answer["failure"])
                    heard.put(event_of(answer))
            to_it.close()
        except FrustrationError as error:
            heard.put(error)
            return
        except (OSError, EOFError):
            if not self._ended:
                heard.put(self._death())
            return
        heard.put(None)

    def _death(self) -> FrustrationError:
        code = self._process.wait()
        how = f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        return FrustrationError(
            f"a worker process ended by itself ({how}); every measure that was finished is kept: "
            f"run the same command again, with fewer --workers if memory ran out"
        )

    def end(self) -> None:
        """Leave no process behind."""
        self._ended = True
        if self._thread.is_alive():
            self._process.terminate()
        try:
            self._process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._thread.join()
        for pipe in _pipes(self._process):
            pipe.close()


def _pipes(process: subprocess.Popen[str]) -> tuple[IO[str], IO[str]]:
    if process.stdin is None or process.stdout is None:
        raise ValueError("a worker without pipes")
    return process.stdin, process.stdout


def _say(pipe: IO[str], what: Any) -> None:
    pipe.write(json.dumps(what) + "\n")
    pipe.flush()


def _hear(pipe: IO[str]) -> Any:
    line = pipe.readline()
    if not line.endswith("\n"):
        raise EOFError
    return json.loads(line)


def event_of(fields: dict[str, Any]) -> Event:
    """An event as a worker writes it."""
    return Measured(**fields) if "measure" in fields else NotMeasured(**fields)
