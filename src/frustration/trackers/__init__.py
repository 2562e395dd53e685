"""Trackers: other programs that follow training. Off by default, and they never stop it.

A package adds one by an entry point of the group `frustration.trackers`: a class, or any callable without
arguments, that gives a `Tracker`. docs/trackers.md shows one.
"""

from __future__ import annotations

import importlib
import queue
import sys
import threading
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path

from frustration.errors import InputError, did_you_mean, kind_and_first_line
from frustration.runners.events import LoopDone, SessionStart, StudyStart, TrialDone, TrialFailed
from frustration.spec import TrialSpec
from frustration.trackers.base import Run, Tracker

ENTRY_POINTS = "frustration.trackers"
NONE = "none"
BUILT_IN = {"mlflow": "MlflowTracker", "tensorboard": "TensorBoardTracker", "wandb": "WandbTracker"}
"""Name, which is its module's, and class."""
END_SECONDS = 60.0
"""How long the end of a run waits for its tracker."""


def tracker_names() -> list[str]:
    return sorted({*BUILT_IN, *(entry.name for entry in entry_points(group=ENTRY_POINTS))} - {NONE})


def tracker_named(name: str) -> Tracker:
    """A tracker that has been told nothing yet."""
    for entry in entry_points(group=ENTRY_POINTS):
        if entry.name == name:
            try:
                tracker: Tracker = entry.load()()
            except Exception as error:  # somebody else's code; what it raises is said, and nothing has begun
                raise InputError(f"--tracker {name}: {entry.value} cannot be used: {error}") from None
            return tracker
    if name in BUILT_IN:
        kind = getattr(importlib.import_module(f"{__name__}.{name}"), BUILT_IN[name])
        built_in: Tracker = kind()
        return built_in
    known = [NONE, *tracker_names()]
    raise InputError(f"there is no tracker {name}{did_you_mean(name, known)}; there are {', '.join(known)}")


class TrackerThread:
    """Tells a tracker of events, in a separate thread: a slow or broken tracker does not delay training."""

    def __init__(self, name: str, folder: Path, warn: Callable[[str], None] | None = None) -> None:
        self._name, self._folder = name, folder
        self._warn = warn or _to_stderr
        self._tracker = None if name == NONE else tracker_named(name)
        self._specs: dict[str, TrialSpec] = {}
        self._calls: queue.SimpleQueue[Callable[[Tracker], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, daemon=True)
        if self._tracker:
            self._thread.start()

    def tell(self, event: SessionStart | StudyStart | LoopDone | TrialDone | TrialFailed) -> None:
        if self._tracker is None:
            return
        if isinstance(event, SessionStart | StudyStart):
            begun = bool(self._specs)  # the trials after a study's pilot are the same run
            self._specs = {spec.id: spec for spec in event.specs}
            if begun:
                return
            name = event.name if isinstance(event, StudyStart) else str(event.specs[0].architecture)
            run = Run(name=name, folder=self._folder, specs=event.specs)
            self._calls.put(lambda tracker: tracker.start(run))
        elif isinstance(event, LoopDone):
            spec, entry, bounty = self._specs[event.trial_id], event.entry, event.bounty
            self._calls.put(lambda tracker: tracker.loop(spec, entry, bounty))
        elif isinstance(event, TrialDone):
            record = event.record
            self._calls.put(lambda tracker: tracker.trial(record))
        else:
            spec, traceback = self._specs[event.trial_id], event.traceback
            self._calls.put(lambda tracker: tracker.failed(spec, traceback))

    def end(self, interrupted: bool) -> None:
        """Wait until the tracker knows all, if it is not too slow."""
        if self._tracker is None:
            return
        self._calls.put(lambda tracker: tracker.end(interrupted))
        self._calls.put(None)
        self._thread.join(END_SECONDS)
        if self._thread.is_alive():
            self._warn(f"the tracker {self._name} has not taken everything after {END_SECONDS:.0f} seconds")
        elif where := getattr(self._tracker, "where", ""):
            print(where, file=sys.stderr, flush=True)

    def _work(self) -> None:
        while call := self._calls.get():
            try:
                if self._tracker:
                    call(self._tracker)
            except Exception as error:  # somebody else's code: whatever it is, training continues
                self._tracker = None
                self._warn(
                    f"the tracker {self._name} failed and is told nothing more "
                    f"({kind_and_first_line(error)}); the run is not affected"
                )


def _to_stderr(sentence: str) -> None:
    print(f"warning: {sentence}", file=sys.stderr, flush=True)
