"""The progress of a run and of its modes, counted from events."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, NamedTuple

from frustration.metric import ACCURACY, Metric
from frustration.references import ProblemReference
from frustration.runners.meter import Clock, Meter
from frustration.runners.tally import ModeTally

if TYPE_CHECKING:
    from frustration.runners.events import LoopDone, SessionStart, StudyStart, TrialDone
    from frustration.spec import TrialSpec


class Settings(NamedTuple):
    """Architectures and data that the modes can be compared on by now."""

    names: frozenset[str]
    note: str
    """What has to be said beside means over them; empty where they are all."""


class Board:
    """The trials of a session or of a study, also those that other processes train."""

    def __init__(
        self, specs: Iterable[TrialSpec], costs: Mapping[str, float], clock: Clock, behind: Mapping[str, int]
    ) -> None:
        """`costs`: the work left of each trial, by its id, in any unit; `behind`: loops completed."""
        self.specs = {spec.id: spec for spec in specs}
        metrics = dict.fromkeys(spec.metric for spec in self.specs.values())
        self.metric: Metric = next(iter(metrics), ACCURACY)
        """Of the means; trials that are scored otherwise are not in them."""
        self._alike = {_setting(spec) for spec in self.specs.values() if spec.metric == self.metric}
        self._several = len(metrics) > 1
        self.modes: dict[str, ModeTally] = {}
        self.mode_of: dict[str, ModeTally] = {}
        self.done: set[str] = set()
        self.failed: set[str] = set()
        self._per_loop: dict[str, float] = {}
        for trial_id, spec in self.specs.items():
            mode = self.modes.setdefault(spec.label, ModeTally(spec.label, spec.meta_loops))
            mode.add(trial_id, _setting(spec), behind.get(trial_id, 0))
            self.mode_of[trial_id] = mode
            self._per_loop[trial_id] = costs[trial_id] / max(1, spec.meta_loops - mode.behind[trial_id])
        self.meter = Meter(sum(costs[trial_id] for trial_id in self.specs), clock)
        self._trials = 0.0
        self._heard: dict[str, None] = {}
        """Trials under way, in the order in which they were first heard of."""

    @classmethod
    def of_session(cls, start: SessionStart, clock: Clock = time.monotonic) -> Board:
        """The loops that this session adds, all of the same cost."""
        behind = {spec.id: loops for spec, loops in zip(start.specs, start.loops, strict=True)}
        costs = {spec.id: float(max(0, spec.meta_loops - behind[spec.id])) for spec in start.specs}
        return cls(start.specs, costs, clock, behind)

    @classmethod
    def of_study(
        cls, start: StudyStart, costs: Mapping[str, float] | None = None, clock: Clock = time.monotonic
    ) -> Board:
        """The whole study; a cost that is not given is guessed from the trial's weights and layers."""
        board = cls(start.specs, _costs_of(start.specs, costs or {}), clock, {})
        board.mark_finished(start.done, start.failed, opening=True)
        return board

    @property
    def total(self) -> int:
        return len(self.specs)

    @property
    def over(self) -> int:
        """How many trials are done or have failed."""
        return len(self.done) + len(self.failed)

    def loop_done(self, event: LoopDone) -> tuple[ModeTally, bool]:
        """The trial's mode, and whether all its trials have now done this loop."""
        trial_id, loop = event.trial_id, event.entry.loop
        mode = self.mode_of[trial_id]
        if trial_id not in self._heard:  # resumed from a checkpoint
            self.meter.found(self._per_loop[trial_id] * (loop - 1 - mode.at[trial_id]))
            mode.behind[trial_id] = loop - 1
        self._heard[trial_id] = None
        self._gain(trial_id, 1)
        return mode, mode.loop_done(trial_id, event.entry, event.bounty)

    def advance(self, trial_id: str, loop: int, bounty: float | None, opening: bool) -> None:
        """Another process has brought a trial to this loop; `opening`: it was there before we looked."""
        if trial_id not in self.specs or trial_id in self.done | self.failed:
            return
        mode = self.mode_of[trial_id]
        if opening:
            self.meter.found(self._per_loop[trial_id] * (loop - mode.at[trial_id]))
        else:
            self._gain(trial_id, loop - mode.at[trial_id])
        self._heard[trial_id] = None
        mode.seen(trial_id, loop, bounty)

    def trial_done(self, event: TrialDone) -> None:
        self.mode_of[event.trial_id].trial_done(event.record)
        self._end(event.trial_id, self.done, loops=event.record.loop)

    def mark_finished(self, done: Iterable[str], failed: Iterable[str] = (), opening: bool = False) -> None:
        """Trials that have a record by now or have failed, in any process."""
        for trial_id in set(done) & self.specs.keys() - self.done:
            self._end(trial_id, self.done, self.specs[trial_id].meta_loops, opening)
        for trial_id in set(failed) & self.specs.keys() - self.failed - self.done:
            self._end(trial_id, self.failed, self.mode_of[trial_id].at[trial_id], opening)

    def _end(self, trial_id: str, where: set[str], loops: int, opening: bool = False) -> None:
        """It has nothing left to do, even if it stopped early."""
        mode = self.mode_of[trial_id]
        rest = self.specs[trial_id].meta_loops - mode.at[trial_id]
        if opening:
            self.meter.found(self._per_loop[trial_id] * rest)
        elif trial_id not in mode.over:
            self._gain(trial_id, rest)
        self.failed.discard(trial_id)
        where.add(trial_id)
        mode.over.add(trial_id)
        mode.at[trial_id] = loops
        self._heard.pop(trial_id, None)

    def _gain(self, trial_id: str, loops: int) -> None:
        self.meter.gain(self._per_loop[trial_id] * loops)
        self._trials += loops / self.specs[trial_id].meta_loops

    @property
    def settings(self) -> Settings:
        """Those whose trials the means of the modes are taken over."""
        reached = [mode.climbs.keys() & self._alike for mode in self.modes.values() if mode.climbs]
        every = frozenset[str]().union(*reached)
        common = every.intersection(*reached)
        if not common and every:
            return Settings(every, "no setting is common to all modes yet, so their means cannot be compared")
        said = (
            [f"means of {self.metric.name} alone, for others are scored otherwise"] if self._several else []
        )
        if common != every:
            said.append(
                f"means over {len(common)} of {len(every)} settings: those that all modes have reached"
            )
        return Settings(common, "; ".join(said))

    @property
    def per_minute(self) -> float:
        """Trials, those under way as the share of their loops that is done."""
        elapsed = self.meter.elapsed
        return 60 * self._trials / elapsed if elapsed > 0 else 0.0

    @property
    def running(self) -> dict[str, tuple[int, int, int, int]]:
        """Trials under way, by architecture: (how many, lowest loop, highest loop, target)."""
        groups: dict[str, tuple[int, int, int, int]] = {}
        for trial_id in self._heard:
            spec, loop = self.specs[trial_id], self.mode_of[trial_id].at[trial_id]
            count, low, high, target = groups.get(str(spec.architecture), (0, loop, loop, spec.meta_loops))
            groups[str(spec.architecture)] = (count + 1, min(low, loop), max(high, loop), target)
        return groups


def _setting(spec: TrialSpec) -> str:
    return f"{spec.architecture} {spec.dataset} {spec.train_fraction} {spec.learning_rate}"


def _costs_of(specs: Iterable[TrialSpec], known: Mapping[str, float]) -> dict[str, float]:
    """Of every trial, in one unit: those that are done already were not measured."""
    guesses = {spec.id: _guess(spec) for spec in specs}
    guessed = sum(guesses[trial_id] for trial_id in known)
    unit = sum(known.values()) / guessed if guessed else 1.0
    return {trial_id: known.get(trial_id, guess * unit) for trial_id, guess in guesses.items()}


def _guess(spec: TrialSpec) -> float:
    """Multiplications of one sample through the weights, and a constant for each layer's overhead."""
    if isinstance(spec.architecture, ProblemReference):
        return float(spec.meta_loops)  # its size is not known without being built
    return float(spec.architecture.parameters() + 1000 * spec.architecture.depth) * spec.meta_loops
