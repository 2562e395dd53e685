"""The meta-loop of Persistent Stochastic Ablation, for one network or for thousands. There is no other.

copy the Last Known Good -> intervene -> train one epoch -> evaluate -> accept or discard -> record
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection
from typing import Any

from frustration.engine.group import Group
from frustration.engine.growth.protocol import ExternalSchedule
from frustration.engine.population import Backend, Order, Population, Populations, Runs, TrialData
from frustration.engine.trial import Candidate, Result, Trial
from frustration.protocols import AnyShape
from frustration.record import LoopEntry

Observer = Callable[[Trial, LoopEntry], None]
"""Called after every loop of every trial; the trial is in the state to be kept."""

PROBE_SAMPLES = 1_000


def train_group(
    group: Group, backend: Backend, data: TrialData, observe: Observer, stop: threading.Event
) -> None:
    """Take every trial of a group to its target, in populations of a backend."""
    first = next(iter(group.trials.values()))

    def population(shape: AnyShape, runs: Runs) -> Population:
        return backend.population(shape, runs, data, first.spec.batch_size)

    populations = Populations(population, group.runs, whole=backend.depends_on_group)
    if not isinstance(backend, ExternalSchedule):
        run(group, populations, data, observe, stop)
        return
    # Where another program decides when to grow, it is at work in the population.
    population(first.shape, group.runs)
    for trial in group.trials.values():
        trial.external_schedule = backend
    try:
        run(group, populations, data, observe, stop)
    finally:
        backend.close()


def run(
    group: Group, populations: Populations, data: TrialData, observe: Observer, stop: threading.Event
) -> None:
    """Take every trial of a group to its target and measure its LKG on the test set.

    The populations are the group's: as many slots. Raises Interrupted when `stop` is set.
    """
    probe = data.probe(PROBE_SAMPLES)
    _score_unscored(group, populations, data, stop)
    while behind := group.behind():
        meta_loop(behind, populations, data, probe, observe, stop)
    _test(group, populations, data, stop)


def meta_loop(
    trials: dict[int, Trial],
    populations: Populations,
    data: TrialData,
    probe: Any,
    observe: Observer,
    stop: threading.Event,
) -> None:
    """One turn of the paper's figure for every trial, by slot; the other slots rest."""
    started = time.thread_time()
    orders = _orders(trials, samples=data.samples)

    candidates = {slot: trial.intervene(trial.clone(), orders[slot], probe) for slot, trial in trials.items()}
    planned = (time.thread_time() - started) / len(trials)
    for population, alike in populations.sort(
        {slot: candidate.network for slot, candidate in candidates.items()}
    ):
        # Slots of one population train at one rate, and growth may have lowered that of some.
        for rate in dict.fromkeys(candidates[slot].epoch.settings.learning_rate for slot in alike):
            together = {s: trials[s] for s in alike if candidates[s].epoch.settings.learning_rate == rate}
            _train_and_judge(together, candidates, planned, population, data, observe, stop)


def _train_and_judge(
    trials: dict[int, Trial],
    candidates: dict[int, Candidate],
    planned: float,
    population: Population,
    data: TrialData,
    observe: Observer,
    stop: threading.Event,
) -> None:
    """The second half of the turn, for trials whose candidates have one shape."""
    started = time.thread_time()
    for slot in trials:
        population.load(slot, candidates[slot].network.vector)
    touched = [slot for slot in trials if candidates[slot].damaged]
    damaged = _scores(population, touched, data, stop) if touched else {}
    losses = population.train({slot: candidates[slot].epoch for slot in trials}, stop)
    trained = _scores(population, trials, data, stop)

    share = planned + (time.thread_time() - started) / len(trials)
    for slot, trial in trials.items():
        result = Result(
            loss=losses[slot],
            damaged=damaged.get(slot),
            accuracy=trained[slot],
            shape=candidates[slot].network.shape,
            fetch_weights=functools.partial(population.weights, slot),
            fetch_moments=functools.partial(population.moments, slot),
        )
        entry = trial.judge(candidates[slot], result)
        trial.seconds += share
        observe(trial, entry)


def _orders(trials: dict[int, Trial], samples: int) -> dict[int, Order]:
    """The order of samples by slot; trials that share a stream share the array."""
    drawn: dict[tuple[int, int, int], Order] = {}
    orders = {}
    for slot, trial in trials.items():
        key = (trial.spec.seed, trial.spec.trial, trial.loop)
        if key not in drawn:
            drawn[key] = trial.order(samples)
        orders[slot] = drawn[key]
    return orders


def _scores(
    population: Population, slots: Collection[int], data: TrialData, stop: threading.Event
) -> dict[int, float | None]:
    """Validation scores of some slots; None where outputs are not finite."""
    measured = population.evaluate("validation", stop, slots)
    return {slot: data.score("validation", measured[slot]) for slot in slots}


def _score_unscored(group: Group, populations: Populations, data: TrialData, stop: threading.Event) -> None:
    """Evaluate the LKGs that came without a bounty, as those of the original's checkpoints do."""
    unscored = {slot: trial for slot, trial in group.trials.items() if trial.unscored}
    for population, alike in populations.sort({slot: trial.lkg for slot, trial in unscored.items()}):
        for slot in alike:
            population.load(slot, unscored[slot].lkg.vector)
        accuracies = _scores(population, alike, data, stop)
        for slot in alike:
            trial = unscored[slot]
            trial.bounty = trial.base_accuracy = accuracies[slot]
            trial.unscored = False


def _test(group: Group, populations: Populations, data: TrialData, stop: threading.Event) -> None:
    """Measure the test score of the LKGs; a trial that only diverged has none."""
    untested = {
        slot: t for slot, t in group.trials.items() if t.test_accuracy is None and t.bounty is not None
    }
    for population, alike in populations.sort({slot: trial.lkg for slot, trial in untested.items()}):
        for slot in alike:
            population.load(slot, untested[slot].lkg.vector)
        measured = population.evaluate("test", stop, alike)
        for slot in alike:
            untested[slot].test_accuracy = data.score("test", measured[slot])
