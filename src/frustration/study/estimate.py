"""The cost of a study, estimated from short measurements on this machine."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from frustration.engine.group import Group
from frustration.engine.loop import PROBE_SAMPLES
from frustration.engine.population import Backend, TrialData
from frustration.engine.trial import Trial
from frustration.references import ProblemError, explained
from frustration.runners.work import Data
from frustration.study.run import Planned, Prepared

MEASURED_STEPS = 2
WORK_PER_SECOND = 2e10
"""Samples times weights that a core trains in a second at best: what a study takes at least follows."""
MEASURING_SECONDS = 0.35
"""What it takes to measure one kind of group whatever its size (36 s for the 98 of the published grid)."""
LEAST_SECONDS = 10.0
"""Studies that may be done sooner are not worth an estimate."""
RECORD_BYTES_PER_LOOP = 260
"""About what one loop takes in a record (measured over records of all modes)."""


@dataclass(frozen=True, kw_only=True)
class Cost:
    """What one group of trials costs."""

    architecture: str
    ids: tuple[str, ...]
    seconds: float
    """CPU seconds of one thread for the whole group, all loops; 0 where measuring raised."""
    memory: int
    """Bytes of the population while it trains, data aside."""
    disk: int
    """Bytes of records and networks."""

    @property
    def trials(self) -> int:
        return len(self.ids)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """What a study costs on this machine with this many workers."""

    costs: tuple[Cost, ...]
    workers: int

    @property
    def core_seconds(self) -> float:
        return sum(cost.seconds for cost in self.costs)

    @property
    def unmeasured(self) -> dict[str, int]:
        """Trials of each architecture whose cost is in no sum, because measuring it raised."""
        found: dict[str, int] = {}
        for cost in self.costs:
            if not cost.seconds:
                found[cost.architecture] = found.get(cost.architecture, 0) + cost.trials
        return found

    @property
    def wall_seconds(self) -> float:
        """When the last worker is done if each takes the longest group that is left."""
        ends = [0.0] * self.workers
        for cost in sorted(self.costs, key=lambda cost: cost.seconds, reverse=True):
            ends[ends.index(min(ends))] += cost.seconds
        return max(ends)

    @property
    def memory(self) -> int:
        """Bytes of the populations that may train at the same time."""
        return sum(sorted((cost.memory for cost in self.costs), reverse=True)[: self.workers])

    @property
    def disk(self) -> int:
        return sum(cost.disk for cost in self.costs)

    def by_trial(self) -> dict[str, float]:
        """Core-seconds of each trial, by its id."""
        return {i: cost.seconds / cost.trials for cost in self.costs for i in cost.ids}

    def by_architecture(self) -> dict[str, float]:
        """Core-seconds, in the order of the study's groups."""
        sums: dict[str, float] = {}
        for cost in self.costs:
            sums[cost.architecture] = sums.get(cost.architecture, 0.0) + cost.seconds
        return sums


def estimate(
    prepared: Prepared,
    groups: Sequence[Group[Planned]],
    workers: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Estimate:
    """Measure one of these groups of every kind for a few training steps, and add up."""
    data, serving, networks = prepared.data, prepared.serving, prepared.study.networks
    seconds: dict[tuple[object, ...], float] = {}
    costs = []
    for number, group in enumerate(groups):
        planned = group.first
        kind = _kind(group)
        if kind not in seconds:
            seconds[kind] = seconds_per_loop(group, data, serving.of(planned.spec))
        loops = planned.spec.meta_loops
        size = planned.shape.size
        costs.append(
            Cost(
                architecture=str(planned.spec.architecture),
                ids=tuple(one.spec.id for one in group.members.values()),
                seconds=seconds[kind] * loops,
                memory=_memory(group),
                disk=len(group.members) * (RECORD_BYTES_PER_LOOP * loops + 4 * size * networks),
            )
        )
        progress(number + 1, len(groups))
    return Estimate(costs=tuple(costs), workers=workers)


def worth_measuring(groups: Sequence[Group[Planned]], data: Data) -> bool:
    """Whether measuring surely takes less than a twentieth of what is measured.

    Both are counted in samples times weights: a slice trains a few batches three times and evaluates
    twice, which is a third of the work of training.
    """
    slices, whole, seen = 0.0, 0.0, set()
    for group in groups:
        planned = group.first
        split = data.of(planned.spec)
        samples = split.samples
        size = len(group.members) * planned.shape.size
        judged = 0 if planned.spec.problem else len(split.validation.labels)
        whole += size * planned.spec.meta_loops * (samples + judged / 3)
        kind = _kind(group)
        if kind not in seen:
            seen.add(kind)
            measured = 3 * min(samples, MEASURED_STEPS * planned.spec.batch_size)
            slices += size * (measured + 2 * PROBE_SAMPLES / 3)
    least, measuring = whole / WORK_PER_SECOND, slices / WORK_PER_SECOND + MEASURING_SECONDS * len(seen)
    return least > LEAST_SECONDS and measuring < least / 20


def seconds_per_loop(group: Group[Planned], data: Data, backend: Backend) -> float:
    """CPU seconds of one meta-loop of a group: a few training steps and an evaluation, scaled."""
    planned = list(group.members.items())
    spec, shape = planned[0][1].spec, planned[0][1].shape
    split = data.of(spec)
    batch = spec.batch_size
    if spec.problem:
        return _seconds_of_problem(group, split, backend)
    samples = split.samples
    some = min(samples, MEASURED_STEPS * batch)
    images = min(PROBE_SAMPLES, len(split.validation.labels))
    # The first images are used for both: their content does not change the cost.
    small = split.head(some, images, images)
    population = backend.population(shape, group.layout, small, batch)
    trials = {slot: Trial.fresh(one.spec, one.shape) for slot, one in planned}
    probe = small.probe(1)
    plans = {}
    shared = {trial.spec.trial: trial.order(some) for trial in trials.values()}
    for slot, trial in trials.items():
        plan = trial.intervene(trial.clone(), shared[trial.spec.trial], probe)
        plans[slot] = plan.epoch
        population.load(slot, plan.network.vector)
    stop = threading.Event()
    population.train(plans, stop)  # the first time prepares what later times reuse
    training = _fastest(lambda: population.train(plans, stop))
    evaluation = _fastest(lambda: population.evaluate("validation"))
    per_loop = 2 if any(_damages(one) for _, one in planned) else 1
    whole = len(split.validation.labels) / images
    return float(training * samples / some + per_loop * evaluation * whole)


def _seconds_of_problem(group: Group[Planned], data: TrialData, backend: Backend) -> float:
    """The same of any network: some steps of its training, and one whole evaluation.

    0 where the problem raises: the trial will be a failed one.
    """
    try:
        with explained(f"the cost of {group.first.spec.architecture} cannot be measured"):
            return _measured(group, data, backend)
    except ProblemError:
        return 0.0


def _measured(group: Group[Planned], data: TrialData, backend: Backend) -> float:
    spec = group.first.spec
    population = backend.population(group.first.shape, group.layout, data, spec.batch_size)
    probe, epochs = data.probe(PROBE_SAMPLES), {}
    for slot, planned in group.members.items():
        trial = Trial.fresh(planned.spec, planned.shape)
        order = trial.order(data.samples)
        some = order[: MEASURED_STEPS * spec.batch_size]
        epochs[slot] = trial.intervene(trial.clone(), some, probe).epoch
        population.load(slot, trial.base.vector)
    stop = threading.Event()
    population.train(epochs, stop)
    training = _fastest(lambda: population.train(epochs, stop))
    evaluation = _fastest(lambda: population.evaluate("validation"))
    per_loop = 2 if any(map(_damages, group.members.values())) else 1
    return float(training * len(order) / len(some) + per_loop * evaluation)


def _kind(group: Group[Planned]) -> tuple[object, ...]:
    """Groups of one kind take the same time. `wide` trains another architecture than was asked for."""
    planned = group.first
    spec = planned.spec
    return planned.shape, spec.dataset, spec.train_fraction, spec.updates, group.layout


def _damages(planned: Planned) -> bool:
    return any(mode.damages for segment in planned.spec.program.segments for mode in segment.components)


def _fastest(call: Callable[[], object]) -> float:
    times = []
    for _ in range(2):
        started = time.thread_time()
        call()
        times.append(time.thread_time() - started)
    return min(times)


def _memory(group: Group[Planned]) -> int:
    """Weights, gradients and two moments in the population, base and candidate beside it, activations."""
    planned = group.first
    units = sum(units for _, units, _ in planned.shape.layer_sizes())
    slots = group.layout.slots
    return slots * 4 * (6 * planned.shape.size + 2 * planned.spec.batch_size * units)
