"""Same spec, same bits: whatever runs beside a trial, in however many processes, and in which order."""

import copy
import hashlib
import os
import subprocess
import sys
import threading
from itertools import combinations
from pathlib import Path

import pytest
import torch

import frustration
from frustration.engine.group import plan
from frustration.engine.loop import MetaLoop
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend
from frustration.modes import mode_names
from frustration.runners.events import SessionStart
from frustration.testing.trials import backends, fresh, populations_of, same_bits, scores, spec_of, trained

pytestmark = pytest.mark.slow

ARCHITECTURE = "[1*9, 1*5]"
MODES = [*mode_names(), "hidden/persist", "full/persist-masked", "output/patience-1", "plain@1-2,dropout@3-"]
BACKENDS = pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)


def alike(one, other) -> bool:
    """Whether two trials agree to the bit in all that is ever looked at again."""
    return (
        one.curve == other.curve
        and (one.loop, one.bounty, one.bounty_loop) == (other.loop, other.bounty, other.bounty_loop)
        and same_bits(one.base, other.base)
        and same_bits(one.lkg, other.lkg)
        and one.test_accuracy == other.test_accuracy
        and (one.moments is None) == (other.moments is None)
        and (one.moments is None or same_bits(one.moments.mean, other.moments.mean))
        and (one.moments is None or same_bits(one.moments.square, other.moments.square))
    )


def specs(modes=MODES, loops: int = 4, trials: int = 1):
    return [spec_of(ARCHITECTURE, mode, meta_loops=loops, trial=t) for t in range(trials) for mode in modes]


@BACKENDS
def test_a_run_repeated_gives_the_same_bits(backend, data):
    once, again = (trained(specs(), data, backend) for _ in range(2))
    assert all(alike(one, other) for one, other in zip(once, again, strict=True))


def test_in_the_reference_nothing_beside_a_trial_matters(data):
    together = trained(specs(), data, ReferenceBackend())
    alone = [trained([spec], data, ReferenceBackend())[0] for spec in reversed(specs())][::-1]
    assert all(alike(one, other) for one, other in zip(together, alone, strict=True))


@pytest.mark.parametrize(
    "neighbour", ["hidden", "dropout", "decay:weight_decay=100", "restart", "output:dose=0.5"]
)
def test_in_torch_what_is_done_to_a_neighbour_does_not_matter(neighbour, data):
    """The shape of the group does, and so does the optimizer of each slot; no more than that."""
    beside_none = trained(specs(["dropout", "none", "none/ties"]), data)
    beside_other = trained(specs(["dropout", neighbour, "none/ties"]), data)
    assert alike(beside_none[0], beside_other[0])
    assert alike(beside_none[2], beside_other[2])


@BACKENDS
def test_the_number_of_threads_inside_torch_does_not_matter(backend, mnist):
    """Wide enough that torch would share its products among threads."""
    outcomes = []
    small = mnist.head(512, 100, 100)
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            outcomes += trained([spec_of("[1*256]", "hidden", batch_size=256, meta_loops=2)], small, backend)
            assert torch.get_num_threads() == threads  # what the caller had set is left as it was
    finally:
        torch.set_num_threads(1)
    assert alike(*outcomes)


@BACKENDS
@pytest.mark.parametrize(
    "modes", [["none", "dropout", "hidden/persist", "plain"], ["none/persist", "dropout/persist", "plain"]]
)
def test_trials_that_lost_a_loop_catch_up_to_the_same_bits(modes, backend, data):
    """Whichever trials of a group a kill has set back, they end as if it had not been."""
    loops = 3
    kept: dict[tuple[int, int], object] = {}
    started = specs(modes, loops)
    whole = trained(
        started,
        data,
        backend,
        observe=lambda trial, entry: kept.update(
            {(started.index(trial.spec), entry.loop): copy.deepcopy(trial)}
        ),
    )
    for size in range(1, len(modes)):
        for behind in combinations(range(len(modes)), size):
            trials = [copy.deepcopy(kept[slot, 1 if slot in behind else 2]) for slot in range(len(modes))]
            for group in plan(trials, backend):
                MetaLoop(
                    group,
                    populations_of(group, data, backend),
                    data,
                    lambda trial, entry: None,
                    threading.Event(),
                ).run()
            assert all(alike(one, other) for one, other in zip(trials, whole, strict=True)), behind


@BACKENDS
def test_ten_loops_are_a_prefix_of_a_hundred(backend, data):
    """Here 3 of 6: no draw depends on how many loops are asked for."""
    short, long = (trained(specs(loops=loops), data, backend) for loops in (3, 6))
    for one, other in zip(short, long, strict=True):
        assert scores(one) == scores(other)[:3]
        assert one.curve == other.curve[:3]


def test_modes_of_one_trial_start_from_the_same_weights_and_see_the_same_batches(data):
    trials = [fresh(spec, data) for spec in specs([mode for mode in MODES if mode != "wide"])]
    assert all(same_bits(trial.base, trials[0].base) for trial in trials)
    assert all(same_bits(trial.order(500), trials[0].order(500)) for trial in trials)
    other = fresh(spec_of(ARCHITECTURE, "none", trial=1), data)
    assert not same_bits(other.base, trials[0].base)
    assert not same_bits(other.order(500), trials[0].order(500))


@pytest.mark.parametrize("backend", [backend.name for backend in backends() if backend.name != "reference"])
def test_one_process_and_two_workers_give_the_same_bits(backend, data, tmp_path):
    """With batches of 256 these trials are too many for one group: each worker has its own."""
    starts: list[SessionStart] = []
    outcomes = {
        threads: frustration.train(
            ARCHITECTURE,
            ["none", "dropout", "hidden/persist", "plain", "restart", "noise", "full"],
            trials=7,
            meta_loops=2,
            dataset=data,
            batch_size=256,
            learning_rate=3e-3,
            backend=backend,
            threads=threads,
            model_dir=tmp_path / str(threads),
            emit=lambda event: starts.append(event) if isinstance(event, SessionStart) else None,
        )
        for threads in (1, 2)
    }
    for one, other in zip(outcomes[1].records, outcomes[2].records, strict=True):
        assert (one.spec, one.curve, one.numerics) == (other.spec, other.curve, other.numerics)
        assert one.test_accuracy == other.test_accuracy
    for one, other in zip(outcomes[1].files, outcomes[2].files, strict=True):
        assert alike(one.resumed(), other.resumed())
        assert one.lkg.read_bytes() == other.lkg.read_bytes()
    assert [start.workers for start in starts] == [1, 2], "one group is one worker: this needs more trials"


SCRIPT = """
import hashlib, sys
sys.path.insert(0, {folder!r})
from frustration.testing.trials import spec_of, trained
from frustration import load_dataset
data = load_dataset("mnist").head(640, 300, 300)
digest = hashlib.sha256()
for trial in trained([spec_of({architecture!r}, mode, meta_loops=4) for mode in {modes!r}], data):
    digest.update(trial.base.vector.tobytes() + trial.lkg.vector.tobytes() + repr(trial.curve).encode())
print(digest.hexdigest())
"""


def test_another_process_gives_the_same_bits(data):
    """Hash seeds and numbers of threads differ there."""
    script = SCRIPT.format(folder=str(Path(__file__).parent), architecture=ARCHITECTURE, modes=MODES)
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONHASHSEED": "7", "OMP_NUM_THREADS": "2"},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    digest = hashlib.sha256()
    for trial in trained(specs(), data):
        digest.update(trial.base.vector.tobytes() + trial.lkg.vector.tobytes() + repr(trial.curve).encode())
    assert done.stdout.strip() == digest.hexdigest()


@pytest.mark.parametrize(
    "architecture", ["[1*1]", "[1*7]", "[3*9, 2*5]", "[1*33, 1*3]", "[12*2]", "[1*160, 1*131]", "[]"]
)
@pytest.mark.parametrize("batch", [7, 50, 64])
def test_the_slots_of_a_population_are_equals(architecture, batch, data):
    """Networks treated alike end alike, wherever they stand; so `decay` can equal `none` to the bit."""
    trials = [fresh(spec_of(architecture, "none", batch_size=batch), data) for _ in range(6)]
    population = TorchBackend().population(trials[0].shape, ("fff", "fff"), data, batch)
    order, probe = trials[0].order(len(data.train)), data.pixel_values[data.train.images[:1]]
    for slot, trial in enumerate(trials):
        population.load(slot, trial.base.vector)
    epochs = {
        slot: trial.intervene(trial.base.copy(), order, probe).epoch for slot, trial in enumerate(trials)
    }
    losses = population.train(epochs, threading.Event())
    assert len(set(losses)) == 1
    assert len(set(population.evaluate("validation"))) == 1
    assert all(same_bits(population.weights(0), population.weights(slot)) for slot in range(1, 6))
