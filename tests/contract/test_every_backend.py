"""What every backend promises about the slots of its populations."""

import itertools

import numpy as np
import pytest

from frustration.engine.population import Populations
from frustration.testing.trials import backends, fresh, spec_of

ARCHITECTURE = "[1*6, 1*5]"
RUNS = ("ff", "f", "pf")
SLOTS = range(5)
BACKENDS = pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)


@pytest.fixture
def networks(data):
    """Slot by slot; the outputs of the one in slot 3 are not finite."""
    fresh_ones = [fresh(spec_of(ARCHITECTURE, "none", trial=slot), data).base for slot in SLOTS]
    fresh_ones[3].vector[...] = np.inf
    return fresh_ones


@BACKENDS
@pytest.mark.parametrize("part", ["validation", "test"])
def test_wanted_slots_are_counted_as_if_all_were_wanted_and_no_others(backend, part, networks, data):
    population = backend.population(networks[0].shape, RUNS, data, 64)
    for slot, network in enumerate(networks):
        population.load(slot, network.vector)
    every = population.evaluate(part)
    assert [slot for slot, correct in enumerate(every) if correct < 0] == [3]
    for wanted in itertools.chain.from_iterable(itertools.combinations(SLOTS, n) for n in range(6)):
        expected = [correct if slot in wanted else -1 for slot, correct in enumerate(every)]
        assert population.evaluate(part, None, wanted) == expected


@BACKENDS
def test_a_population_of_some_slots_of_a_group_counts_those_that_are_wanted(backend, networks, data):
    populations = Populations(
        lambda shape, runs: backend.population(shape, runs, data, 64), RUNS, whole=backend.depends_on_group
    )
    ((population, alike),) = populations.sort({slot: networks[slot] for slot in (0, 2, 4)})
    assert alike == [0, 2, 4]
    for slot in alike:
        population.load(slot, networks[slot].vector)
    every = population.evaluate("validation", None, alike)
    assert [every[slot] >= 0 for slot in SLOTS] == [True, False, True, False, True]
    assert population.evaluate("validation", None, [2, 4]) == [-1, -1, every[2], -1, every[4]]
