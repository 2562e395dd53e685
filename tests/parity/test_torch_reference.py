"""The torch backend computes what the plain reference computes: early losses, moments, scores.

Later losses may part, because one activation that rounds to the other side of zero changes all that
follows. So early losses are compared one by one, and whole epochs by their distance to float64.
"""

import threading
from collections.abc import Sequence
from dataclasses import replace
from itertools import groupby

import numpy as np
import pytest
import torch
from laboratory import distance

from frustration import TrialSpec
from frustration.engine.population import Epoch, Moments
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend
from frustration.modes import mode_names
from frustration.network import Vector
from frustration.testing.trials import fresh, same_bits, spec_of, trained

pytestmark = pytest.mark.slow

TOLERANCE = 1e-5
STEPS = 20
ALL_MODES = [name for name in mode_names() if name != "wide"]
"""All that train the architecture that was asked for."""
KNOBS = [
    "none",
    "dropout:p=0.5",
    "decay:weight_decay=100",
    "dropout:p=0.1+decay:weight_decay=10",
    "hidden:dose=2",
]
POLICIES = [
    "none",
    "hidden/persist",
    "full/persist-masked",
    "dropout/persist",
    "decay:weight_decay=100/persist",
]
NO_HIDDEN_LAYER = ["none", "decay:weight_decay=100", "full", "output/persist", "plain", "restart"]

CASES = {
    "every mode": ("[1*16]", ALL_MODES),
    "every mode, two layers": ("[1*9, 1*5]", ALL_MODES),
    "knobs": ("[2*8]", KNOBS),
    "policies": ("[2*8]", POLICIES),
    "depth 0": ("[]", NO_HIDDEN_LAYER),
    "depth 8": ("[8*8]", ALL_MODES),
    "depth 64": ("[64*4]", ["none", "dropout", "hidden/persist", "decay:weight_decay=100"]),
    "one unit": ("[1*1]", ALL_MODES),
    "one network": ("[1*16]", ["dropout"]),
}


class Bench:
    """The second loop of some trials, damage done, ready to be trained by any backend."""

    def __init__(
        self, architecture: str, modes: Sequence[str], data, batch: int = 64, trials: int = 2, **fields
    ) -> None:
        specs = [
            spec_of(architecture, mode, trial=trial, batch_size=batch, **{"learning_rate": 1e-3, **fields})
            for trial in range(trials)
            for mode in modes
        ]
        self.data, self.batch, self.shape = data, batch, fresh(specs[0], data).shape
        self.runs = tuple(
            "".join("f" if spec.optimizer == "fresh" else "p" for spec in run)
            for _, run in groupby(specs, key=lambda spec: spec.trial)
        )
        self.candidates: list[Vector] = []
        self.epochs: dict[int, Epoch] = {}
        orders: dict[int, np.ndarray] = {}
        for slot, spec in enumerate(specs):
            self._prepare(slot, spec, orders)

    def _prepare(self, slot: int, spec: TrialSpec, orders: dict[int, np.ndarray]) -> None:
        trial = fresh(spec, self.data)
        trial.loop = 1
        if trial.keeps_moments:
            draws = np.random.default_rng(spec.trial)
            mean = draws.normal(0, 1e-3, self.shape.size).astype(np.float32)
            trial.moments = Moments(mean, np.square(mean) * 2, 10)
        candidate = trial.base.copy()
        order = orders.setdefault(spec.trial, trial.order(len(self.data.train)))
        probe = self.data.pixel_values[self.data.train.images[:100]]
        self.candidates.append(candidate)
        self.epochs[slot] = trial.intervene(candidate, order, probe).epoch

    def population(self, backend, kept: bool = False):
        """The candidates in a population; `kept` makes room for the moments of all, fresh ones included."""
        runs = tuple("p" * len(run) for run in self.runs) if kept else self.runs
        population = backend.population(self.shape, runs, self.data, self.batch)
        for slot, candidate in enumerate(self.candidates):
            population.load(slot, candidate.vector)
        return population

    def first(self, samples: int) -> dict[int, Epoch]:
        """The epochs, cut off after so many samples; slots that shared an order still do."""
        cut = {id(epoch.order): epoch.order[:samples] for epoch in self.epochs.values()}
        return {slot: replace(epoch, order=cut[id(epoch.order)]) for slot, epoch in self.epochs.items()}

    def losses(self, backend, samples: int) -> np.ndarray:
        return np.array(self.population(backend).train(self.first(samples), threading.Event()))


def bench_of(case: str, data) -> Bench:
    """Two trials of everything; one where the reference takes ten times as long as elsewhere."""
    return Bench(*CASES[case], data, trials=1 if case == "depth 64" else 2)


@pytest.fixture(scope="module")
def many(mnist):
    """Twenty batches of 64 and a ragged one."""
    return mnist.head(64 * STEPS + 17, 200, 200)


@pytest.mark.parametrize("case", CASES)
def test_each_of_the_first_20_step_losses_agrees(case, many):
    """Twenty epochs of one step each, every optimizer resuming from where it was."""
    bench = bench_of(case, many)
    reference, stacked = (bench.population(b, kept=True) for b in (ReferenceBackend(), TorchBackend()))
    for step in range(STEPS):
        window = slice(64 * step, 64 * (step + 1))
        orders = {id(epoch.order): epoch.order[window] for epoch in bench.epochs.values()}
        losses = []
        for population in (reference, stacked):
            epochs = {
                slot: replace(
                    epoch,
                    order=orders[id(epoch.order)],
                    moments=population.moments(slot) if step else epoch.moments,
                )
                for slot, epoch in bench.epochs.items()
            }
            losses.append(np.array(population.train(epochs, threading.Event())))
        assert np.abs(losses[0] - losses[1]).max() < TOLERANCE, f"step {step}"


@pytest.mark.parametrize("case", CASES)
def test_the_mean_loss_of_a_whole_epoch_agrees(case, many):
    """Whole epochs, so that masks and step counts move on within them; the last batch is ragged."""
    bench = bench_of(case, many)
    samples = 64 * STEPS + 17
    reference, stacked = (bench.losses(backend, samples) for backend in (ReferenceBackend(), TorchBackend()))
    assert np.abs(reference - stacked).max() < TOLERANCE


@pytest.mark.parametrize("samples", [1, 3, 40, 63, 65, 130])
def test_batches_ragged_or_larger_than_the_data_agree(samples, many):
    bench = Bench("[2*8]", [*KNOBS, "hidden/persist"], many)
    reference, stacked = (bench.losses(backend, samples) for backend in (ReferenceBackend(), TorchBackend()))
    assert np.abs(reference - stacked).max() < TOLERANCE


def test_the_reference_reports_the_mean_of_its_step_losses(many):
    population = Bench("[1*8]", ["none"], many, trials=1).population(ReferenceBackend())
    (loss,) = population.train(Bench("[1*8]", ["none"], many, trials=1).first(200), threading.Event())
    assert len(population.step_losses) == 4
    assert loss == pytest.approx(np.mean(population.step_losses))


def test_treatments_matter_to_the_comparison(many):
    """The knobs of these cases change losses by ten times the tolerance: a forgotten one would show."""
    plain = Bench("[2*8]", ["none"], many, trials=1).losses(ReferenceBackend(), 64 * 10)[0]
    for mode in KNOBS[1:]:
        treated = Bench("[2*8]", [mode], many, trials=1).losses(ReferenceBackend(), 64 * 10)[0]
        assert abs(treated - plain) > 10 * TOLERANCE, mode


@pytest.mark.parametrize("case", ["policies", "knobs", "depth 0"])
def test_adamw_remembers_the_same(case, many):
    bench = bench_of(case, many)
    populations = [bench.population(backend) for backend in (ReferenceBackend(), TorchBackend())]
    for population in populations:
        population.train(bench.first(64 * 10 + 5), threading.Event())
    for slot, epoch in bench.epochs.items():
        reference, stacked = (population.moments(slot) for population in populations)
        assert reference.steps == stacked.steps == 11 + (epoch.moments.steps if epoch.moments else 0)
        for one, other in ((reference.mean, stacked.mean), (reference.square, stacked.square)):
            assert distance(one, other) < 1e-4 * np.abs(one).max()


def test_the_torch_backend_is_as_close_to_float64_as_the_reference_is(many):
    """Root mean square distance of all weights after an epoch; medians over seeds."""
    far: dict[str, list[float]] = {"reference": [], "torch": []}
    bench = Bench("[1*12, 1*8]", ["none", "dropout", "hidden"], many, trials=8)
    exact = bench.population(ReferenceBackend(torch.float64))
    exact.train(bench.epochs, threading.Event())
    for backend in (ReferenceBackend(), TorchBackend()):
        population = bench.population(backend)
        population.train(bench.epochs, threading.Event())
        for slot in bench.epochs:
            error = population.weights(slot).astype(float) - exact.weights(slot)
            far[backend.name].append(float(np.sqrt(np.mean(error**2))))
    assert 0 < np.median(far["torch"]) < 1.5 * np.median(far["reference"])


@pytest.mark.parametrize("case", CASES)
def test_scores_agree(case, many):
    """To one sample: the largest of two equal logits is a matter of rounding."""
    bench = bench_of(case, many)
    trained_ones = bench.population(ReferenceBackend())
    trained_ones.train(bench.first(64 * 5), threading.Event())
    bench.candidates = [bench.shape.view(trained_ones.weights(slot)) for slot in bench.epochs]
    populations = [bench.population(backend) for backend in (ReferenceBackend(), TorchBackend())]
    for part in ("validation", "test"):
        reference, stacked = (np.array(population.evaluate(part)) for population in populations)
        assert np.abs(reference - stacked).max() <= 1
        assert reference.min() >= 0


def test_outputs_that_are_not_finite_score_minus_1_and_disturb_nobody(many):
    modes = ["none", "hidden", "output", "full"]
    for backend in (ReferenceBackend(), TorchBackend()):
        bench = Bench("[2*8]", modes, many, trials=1)
        population = bench.population(backend)
        healthy = population.evaluate("validation")
        for slot, poison in ((0, np.nan), (1, np.inf), (2, 3e38)):
            population.load(slot, np.full_like(bench.candidates[slot].vector, poison))
        assert population.evaluate("validation") == [-1, -1, -1, healthy[3]]


def test_a_network_that_diverges_in_training_disturbs_nobody(many):
    """With NaN in the neighbour's weights, gradients and loss, the same bits as without."""
    for backend in (ReferenceBackend(), TorchBackend()):
        outcomes = []
        for poison in (1.0, np.nan):
            bench = Bench("[2*8]", ["none", "dropout"], many, trials=2)
            bench.candidates[1].vector[...] *= np.float32(poison)
            population = bench.population(backend)
            losses = population.train(bench.first(300), threading.Event())
            outcomes.append([(losses[slot], population.weights(slot).tobytes()) for slot in (0, 2, 3)])
        assert np.isnan(losses[1])
        assert outcomes[0] == outcomes[1]


@pytest.mark.parametrize("backend", [ReferenceBackend(), TorchBackend()], ids=lambda backend: backend.name)
def test_a_loss_that_is_not_finite_is_reported_and_never_accepted(backend, data):
    trials = trained(
        [spec_of("[4*16]", mode, learning_rate=1e12, meta_loops=3) for mode in ("none", "plain")],
        data,
        backend,
    )
    for trial in trials:
        assert any(entry.diverged for entry in trial.curve)
        assert np.isfinite(trial.base.vector).all()
        assert np.isfinite(trial.lkg.vector).all()
        assert not any(entry.accepted or entry.new_bounty for entry in trial.curve if entry.diverged)


def test_whole_trials_of_every_mode_agree_while_no_gate_has_flipped(data):
    """Three loops of a network without hidden layers, where nothing can flip: the same curves."""
    specs = [spec_of("[]", mode) for mode in ("none", "full", "output/persist-masked", "plain", "restart")]
    for one, other in zip(
        trained(specs, data, ReferenceBackend()), trained(specs, data, TorchBackend()), strict=True
    ):
        for left, right in zip(one.curve, other.curve, strict=True):
            assert left.loss == pytest.approx(right.loss, abs=TOLERANCE)
            assert left.accuracy == pytest.approx(right.accuracy, abs=100 / 300 + 1e-9)


def test_slots_of_one_run_must_share_their_order(many):
    bench = Bench("[1*4]", ["none", "hidden"], many, trials=1)
    epochs = {slot: replace(epoch, order=epoch.order.copy()) for slot, epoch in bench.epochs.items()}
    with pytest.raises(ValueError, match="different orders"):
        bench.population(TorchBackend()).train(epochs, threading.Event())


def test_a_population_works_on_copies_of_what_it_is_given(many):
    """What a trial goes back to when an epoch is discarded is its own."""
    for backend in (ReferenceBackend(), TorchBackend()):
        bench = Bench("[2*8]", POLICIES, many)
        given = [*(c.vector for c in bench.candidates), *(e.order for e in bench.epochs.values())]
        moments = [epoch.moments for epoch in bench.epochs.values() if epoch.moments]
        given += [vector for one in moments for vector in (one.mean, one.square)]
        before = [vector.copy() for vector in given]
        bench.population(backend).train(bench.first(300), threading.Event())
        assert all(same_bits(one, other) for one, other in zip(before, given, strict=True))


def test_loading_and_reading_weights_changes_no_bit(many):
    for backend in (ReferenceBackend(), TorchBackend()):
        bench = Bench("[3*5, 1*2]", ["none", "hidden", "restart"], many)
        population = bench.population(backend)
        for slot, candidate in enumerate(bench.candidates):
            assert same_bits(population.weights(slot), candidate.vector)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch.cuda.is_available() is False here")
@pytest.mark.parametrize("case", CASES)
def test_on_cuda_the_mean_loss_of_an_epoch_agrees(case, many):
    """Captured graphs, ragged batches and all; products without TF32, as torch's default is."""
    bench = bench_of(case, many)
    for samples in (64 * 3, 64 * STEPS + 17):
        reference, on_cuda = (
            bench.losses(backend, samples) for backend in (ReferenceBackend(), TorchBackend("cuda"))
        )
        assert np.abs(reference - on_cuda).max() < TOLERANCE
