"""The meta-loop of Persistent Stochastic Ablation, for one network or for thousands. There is no other.

copy the Last Known Good -> intervene -> train one epoch -> evaluate -> accept or discard -> record
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable

from frustration.dataset import Split
from frustration.engine.group import Group
from frustration.engine.population import Order, Population
from frustration.engine.trial import Plan, Result, Trial
from frustration.network import Vector
from frustration.record import LoopEntry

Observer = Callable[[Trial, LoopEntry], None]
"""Called after every loop of every trial; the trial is in the state to be kept."""

PROBE_IMAGES = 1_000


def run(group: Group, population: Population, data: Split, observe: Observer, stop: threading.Event) -> None:
    """Take every trial of a group to its target and measure its LKG on the test set.

    The population is the group's: the same number of slots. Raises Interrupted when `stop` is set.
    """
    probe = data.pixel_values[data.train.images[:PROBE_IMAGES]]
    _score_unscored(group, population, data, stop)
    while behind := group.behind():
        meta_loop(behind, population, data, probe, observe, stop)
    _test(group, population, data, stop)


def meta_loop(
    trials: dict[int, Trial],
    population: Population,
    data: Split,
    probe: Vector,
    observe: Observer,
    stop: threading.Event,
) -> None:
    """One turn of the paper's figure for every trial, by slot; the other slots rest."""
    started = time.thread_time()
    orders = _orders(trials, samples=len(data.train.labels))

    plans: dict[int, Plan] = {}
    for slot, trial in trials.items():
        candidate = trial.clone()
        plans[slot] = trial.intervene(candidate, orders[slot], probe)
        population.load(slot, candidate)

    anything_damaged = any(plan.damaged for plan in plans.values())
    damaged = _accuracies(population, data, stop) if anything_damaged else []
    losses = population.train({slot: plan.epoch for slot, plan in plans.items()}, stop)
    trained = _accuracies(population, data, stop)

    share = (time.thread_time() - started) / len(trials)
    for slot, trial in trials.items():
        result = Result(
            loss=losses[slot],
            damaged=damaged[slot] if plans[slot].damaged else None,
            accuracy=trained[slot],
            fetch_weights=functools.partial(population.weights, slot),
            fetch_moments=functools.partial(population.moments, slot),
        )
        entry = trial.judge(plans[slot], result)
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


def _accuracies(population: Population, data: Split, stop: threading.Event) -> list[float | None]:
    """Validation accuracy of every slot in percent; None where outputs are not finite."""
    total = len(data.validation.labels)
    scores = population.evaluate("validation", stop)
    return [100 * correct / total if correct >= 0 else None for correct in scores]


def _score_unscored(group: Group, population: Population, data: Split, stop: threading.Event) -> None:
    """Evaluate the LKGs that came without a bounty, as those of the original's checkpoints do."""
    unscored = {slot: trial for slot, trial in group.trials.items() if trial.unscored}
    for slot, trial in unscored.items():
        population.load(slot, trial.lkg)
    accuracies = _accuracies(population, data, stop) if unscored else []
    for slot, trial in unscored.items():
        trial.bounty = trial.base_accuracy = accuracies[slot]
        trial.unscored = False


def _test(group: Group, population: Population, data: Split, stop: threading.Event) -> None:
    """Measure the test accuracy of the LKGs, in percent; a trial that only diverged has none."""
    untested = {
        slot: t for slot, t in group.trials.items() if t.test_accuracy is None and t.bounty is not None
    }
    for slot, trial in untested.items():
        population.load(slot, trial.lkg)
    correct = population.evaluate("test", stop) if untested else []
    for slot, trial in untested.items():
        trial.test_accuracy = 100 * correct[slot] / len(data.test.labels)
