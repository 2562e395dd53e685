"""The meta-loop of Persistent Stochastic Ablation, for one network or for thousands. There is no other.

copy the Last Known Good -> intervene -> train one epoch -> evaluate -> accept or discard -> record
"""

from __future__ import annotations

import functools
import threading
import time
from collections.abc import Callable, Collection, Iterator

from frustration.engine.group import Group
from frustration.engine.growth.protocol import ExternalSchedule
from frustration.engine.population import Backend, Order, Population, Populations, TrialData
from frustration.engine.slots import SlotLayout
from frustration.engine.trial import Candidate, Result, Trial
from frustration.protocols import AnyShape
from frustration.record import LoopEntry

Observer = Callable[[Trial, LoopEntry], None]
"""Called after every loop of every trial; the trial is in the state to be kept."""

PROBE_SAMPLES = 1_000


def train_group(
    group: Group[Trial], backend: Backend, data: TrialData, observe: Observer, stop: threading.Event
) -> None:
    """Take every trial of a group to its target, in populations of a backend."""

    def population(shape: AnyShape, layout: SlotLayout) -> Population:
        return backend.population(shape, layout, data, group.first.spec.batch_size)

    populations = Populations(population, group.layout, whole=backend.depends_on_group)
    loop = MetaLoop(group, populations, data, observe, stop)
    if not isinstance(backend, ExternalSchedule):
        loop.run()
        return
    # Where another program decides when to grow, it is at work in the population.
    population(group.first.shape, group.layout)
    for trial in group.members.values():
        trial.external_schedule = backend
    try:
        loop.run()
    finally:
        backend.close()


class MetaLoop:
    """Takes every trial of a group to its target. The populations are the group's: as many slots.

    Every method raises Interrupted when `stop` is set.
    """

    def __init__(
        self,
        group: Group[Trial],
        populations: Populations,
        data: TrialData,
        observe: Observer,
        stop: threading.Event,
    ) -> None:
        self.trials, self.populations, self.data = group.members, populations, data
        self.observe, self.stop = observe, stop
        self.probe = data.probe(PROBE_SAMPLES)

    def run(self) -> None:
        """Loop until every trial is at its target, and measure its LKG on the test set."""
        self._score_unscored()
        while behind := self._behind():
            self.turn(behind)
        self._test()

    def turn(self, trials: dict[int, Trial]) -> None:
        """One turn of the paper's figure for every trial, by slot; the other slots rest."""
        started = time.thread_time()
        orders = _orders(trials, samples=self.data.samples)

        candidates = {s: trial.intervene(trial.clone(), orders[s], self.probe) for s, trial in trials.items()}
        planned = (time.thread_time() - started) / len(trials)
        networks = {slot: candidate.network for slot, candidate in candidates.items()}
        for population, alike in self.populations.sort(networks):
            # Slots of one population train at one rate, and growth may have lowered that of some.
            for rate in dict.fromkeys(candidates[slot].epoch.settings.learning_rate for slot in alike):
                together = {s: trials[s] for s in alike if candidates[s].epoch.settings.learning_rate == rate}
                self._train_and_judge(together, candidates, planned, population)

    def _train_and_judge(
        self,
        trials: dict[int, Trial],
        candidates: dict[int, Candidate],
        planned: float,
        population: Population,
    ) -> None:
        """The second half of the turn, for trials whose candidates have one shape."""
        started = time.thread_time()
        for slot in trials:
            population.load(slot, candidates[slot].network.vector)
        touched = [slot for slot in trials if candidates[slot].damaged]
        damaged = self._scores(population, touched) if touched else {}
        losses = population.train({slot: candidates[slot].epoch for slot in trials}, self.stop)
        trained = self._scores(population, trials)

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
            self.observe(trial, entry)

    def _behind(self) -> dict[int, Trial]:
        """The unfinished trials with the fewest loops: all, unless some lost a loop to a kill."""
        unfinished = {slot: trial for slot, trial in self.trials.items() if not trial.finished}
        least = min((trial.loop for trial in unfinished.values()), default=0)
        return {slot: trial for slot, trial in unfinished.items() if trial.loop == least}

    def _scores(self, population: Population, slots: Collection[int]) -> dict[int, float | None]:
        """Validation scores of some slots; None where outputs are not finite."""
        measured = population.evaluate("validation", self.stop, slots)
        return {slot: self.data.score("validation", measured[slot]) for slot in slots}

    def _score_unscored(self) -> None:
        """Evaluate the LKGs that came without a bounty, as those of the original's checkpoints do."""
        for population, alike in self._with_lkgs({s: t for s, t in self.trials.items() if t.unscored}):
            for slot, accuracy in self._scores(population, alike).items():
                trial = self.trials[slot]
                trial.bounty = trial.base_accuracy = accuracy
                trial.unscored = False

    def _test(self) -> None:
        """Measure the test score of the LKGs; a trial that only diverged has none."""
        untested = {s: t for s, t in self.trials.items() if t.test_accuracy is None and t.bounty is not None}
        for population, alike in self._with_lkgs(untested):
            measured = population.evaluate("test", self.stop, alike)
            for slot in alike:
                self.trials[slot].test_accuracy = self.data.score("test", measured[slot])

    def _with_lkgs(self, trials: dict[int, Trial]) -> Iterator[tuple[Population, list[int]]]:
        """Populations with the LKGs of some trials in their slots."""
        for population, alike in self.populations.sort({slot: trial.lkg for slot, trial in trials.items()}):
            for slot in alike:
                population.load(slot, trials[slot].lkg.vector)
            yield population, alike


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
