"""How far a study is and what is being trained, counted from its events. It draws nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from frustration.references import ProblemReference

if TYPE_CHECKING:
    from frustration.runners.events import LoopDone, StudyStart, TrialDone, TrialFailed
    from frustration.spec import TrialSpec


@dataclass
class Best:
    """The highest validation accuracy seen in this run."""

    bounty: float
    spec: TrialSpec

    def __str__(self) -> str:
        return f"{self.bounty:.2f} % by {self.spec.architecture} {self.spec.label}, trial {self.spec.trial}"


class StudyBoard:
    """The whole study; trials that other processes finish are told to it by `mark_finished`."""

    def __init__(
        self,
        start: StudyStart,
        costs: Mapping[str, float] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`costs`: of each trial by its id, in any unit; else what its weights and layers suggest."""
        self.start, self._clock = start, clock
        self._began = clock()
        self.specs = {spec.id: spec for spec in start.specs}
        self._costs = _costs_of(self.specs, costs or {})
        self.done = set(start.done & self.specs.keys())
        self.failed = set(start.failed & self.specs.keys())
        self._whole = sum(self._costs.values())
        self._before = sum(self._costs[i] for i in self.done | self.failed)
        self._gained = 0.0
        self._behind: dict[str, int] = {}
        self._at: dict[str, int] = {}
        self._trials = 0.0
        self.best: Best | None = None

    def loop_done(self, event: LoopDone) -> None:
        trial_id, loop = event.trial_id, event.entry.loop
        spec = self.specs[trial_id]
        if trial_id not in self._behind:
            self._behind[trial_id] = loop - 1
            self._before += self._costs[trial_id] * (loop - 1) / spec.meta_loops
        self._at[trial_id] = loop
        self._gained += self._costs[trial_id] / spec.meta_loops
        self._trials += 1 / spec.meta_loops
        self.update_bounty(trial_id, event.bounty)

    def update_bounty(self, trial_id: str, bounty: float | None) -> None:
        """How good a trial is by now."""
        if bounty is not None and trial_id in self.specs and (not self.best or bounty > self.best.bounty):
            self.best = Best(bounty, self.specs[trial_id])

    def advance(self, trial_id: str, loop: int, opening: bool) -> None:
        """Another process has brought a trial to this loop; `opening`: it was there before we looked."""
        if trial_id not in self.specs or trial_id in self.done | self.failed:
            return
        loops = loop - self._at.get(trial_id, 0)
        share = loops / self.specs[trial_id].meta_loops
        if opening:
            self._before += self._costs[trial_id] * share
        else:
            self._gained += self._costs[trial_id] * share
            self._trials += share
        self._behind.setdefault(trial_id, 0)
        self._at[trial_id] = loop

    def trial_done(self, event: TrialDone) -> None:
        self._end(event.trial_id, self.done)

    def trial_failed(self, event: TrialFailed) -> None:
        self._end(event.trial_id, self.failed)

    def mark_finished(self, done: Iterable[str], failed: Iterable[str] = ()) -> None:
        """Trials that have a record by now, or that have failed, whoever had them."""
        for trial_id in set(done) & self.specs.keys() - self.done:
            self._end(trial_id, self.done)
        for trial_id in set(failed) & self.specs.keys() - self.failed - self.done:
            self._end(trial_id, self.failed)

    def _end(self, trial_id: str, where: set[str]) -> None:
        """It has nothing left to do, be it done or failed, here or elsewhere."""
        if trial_id not in where:
            where.add(trial_id)
            rest = 1 - self._share_of(trial_id)
            self._gained += self._costs[trial_id] * rest
            self._trials += rest
        self._at.pop(trial_id, None)

    def _share_of(self, trial_id: str) -> float:
        """How much of a trial that is under way has been counted."""
        return self._at.get(trial_id, 0) / self.specs[trial_id].meta_loops

    @property
    def total(self) -> int:
        return len(self.specs)

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1, by what it costs."""
        return min(1.0, (self._before + self._gained) / self._whole) if self._whole else 1.0

    @property
    def moved(self) -> bool:
        """Whether anything was done since it was opened."""
        return self._gained > 0

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self._clock() - self._began

    @property
    def left(self) -> float | None:
        """Seconds, if the rest goes as fast as what this run saw; None before it saw anything."""
        if self._gained <= 0:
            return None
        return self.elapsed * max(0.0, self._whole - self._before - self._gained) / self._gained

    @property
    def per_minute(self) -> float:
        """Trials, those under way as the share of their loops that is done."""
        return 60 * self._trials / self.elapsed if self.elapsed > 0 else 0.0

    @property
    def running(self) -> dict[str, tuple[int, int, int, int]]:
        """Trials under way here, by architecture: (how many, lowest loop, highest loop, target)."""
        groups: dict[str, tuple[int, int, int, int]] = {}
        for trial_id, loop in self._at.items():
            spec = self.specs[trial_id]
            count, low, high, target = groups.get(str(spec.architecture), (0, loop, loop, spec.meta_loops))
            groups[str(spec.architecture)] = (count + 1, min(low, loop), max(high, loop), target)
        return groups


def _costs_of(specs: Mapping[str, TrialSpec], known: Mapping[str, float]) -> dict[str, float]:
    """Of every trial, in one unit: those that are done already were not measured."""
    guesses = {trial_id: _guess(spec) for trial_id, spec in specs.items()}
    guessed = sum(guesses[trial_id] for trial_id in known)
    unit = sum(known.values()) / guessed if guessed else 1.0
    return {trial_id: known.get(trial_id, guess * unit) for trial_id, guess in guesses.items()}


def _guess(spec: TrialSpec) -> float:
    """Multiplications of one sample through the weights, and a constant for each layer's overhead."""
    if isinstance(spec.architecture, ProblemReference):
        return float(spec.meta_loops)  # its size is not known without being built
    return float(spec.architecture.parameters() + 1000 * spec.architecture.depth) * spec.meta_loops
