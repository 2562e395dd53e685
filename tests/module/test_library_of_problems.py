"""perforatedai as a backend for problems: what it grows is what `Dendritic` grows, loop by loop."""

import sys
import threading

import pytest
import torch
from laboratory import needs_library
from networks import BlockCNN
from test_problems import QUICK
from tiny_problem import Regression, TinyCNN, TinyTransformer
from torch import nn

import frustration
from frustration import TrialSpec
from frustration.checkpoint import CheckpointFiles
from frustration.engine.backends import backend_for, choose
from frustration.engine.group import plan
from frustration.engine.loop import train_group
from frustration.engine.module.data import data_of
from frustration.engine.module.population import ModuleBackend
from frustration.engine.perforated.backend import LibraryBackend
from frustration.engine.perforated.process import LibraryProblemError
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.testing.trials import same_bits

pytestmark = [pytest.mark.slow, needs_library]

GROWS = "dendrites:n_epochs_to_switch=2"


class TinyBlock(TinyCNN):
    """BatchNorm inside the block that grows, and another one behind it."""

    def build(self) -> nn.Module:
        return BlockCNN()

    def growable(self, network: nn.Module):
        return ["block", "out"]


class Reader(TinyTransformer):
    """Judged by its loss, trained by SGD with momentum."""

    metric = Regression.metric
    optimizer = Regression.optimizer

    def score(self, network, batches) -> float:
        losses = [float(self.loss(network, batch)) for batch in batches]
        return sum(losses) / len(losses)


class Tied(TinyCNN):
    def build(self) -> nn.Module:
        network = super().build()
        network.twin = nn.Linear(5, 4)
        network.twin.weight = network.out.weight
        return network


class Falls(TinyCNN):
    """Its loss fails after some steps."""

    def loss(self, network, batch):
        if network.training and float(network.b1.num_batches_tracked) > 6:
            raise RuntimeError("the disk with the pictures is gone")
        return super().loss(network, batch)


def spec_of(problem, mode: str = GROWS, **fields) -> TrialSpec:
    reference = problem.reference()
    return TrialSpec.of(reference, mode, **{**QUICK, "dataset": reference.dataset, "meta_loops": 8, **fields})


def ended(trial: Trial, library: bool) -> Trial:
    reference = trial.spec.problem
    backend = LibraryBackend(problem=reference) if library else ModuleBackend(reference)
    (group,) = plan([trial], backend)
    train_group(group, backend, data_of(reference), lambda trial, entry: None, threading.Event())
    return trial


def trained(spec: TrialSpec, library: bool) -> Trial:
    return ended(Trial.fresh(spec, spec.shape(0, 0)), library)


def test_a_trial_that_is_cut_off_after_it_grew_ends_with_the_bits_that_our_own_growth_gives(tmp_path):
    """Damage, dropout, retries, BatchNorm inside and outside the block that grows; one new process."""
    spec = spec_of(TinyBlock(), f"hidden+dropout+{GROWS}:max_dendrites=2")
    files = CheckpointFiles(tmp_path / "a_lkg")
    ours = trained(spec, library=False)
    first = ours.growth.summary()["attempts"][0]["loop"]
    half = trained(spec.until(first + 1), library=True)
    files.save(half, lkg_too=True)
    theirs = files.resumed()
    theirs.spec = spec
    ended(theirs, library=True)
    assert theirs.curve == ours.curve
    assert theirs.record().growth == ours.record().growth
    assert same_bits(theirs.lkg.vector, ours.lkg.vector)
    assert theirs.test_accuracy == ours.test_accuracy
    assert (theirs.numerics["backend"], theirs.numerics["code"]) == ("perforatedai", ours.numerics["code"])


def test_a_transformer_with_another_metric_and_optimizer_grows_as_ours_and_leaves_nothing_here():
    spec = spec_of(Reader(), "dendrites:switch_mode=every:max_dendrites=2", meta_loops=4)
    imported = {name for name in sys.modules if name.startswith("perforatedai")}
    theirs, ours = trained(spec, library=True), trained(spec, library=False)
    assert max(entry.dendrites for entry in ours.curve) == 2
    assert theirs.curve == ours.curve
    assert same_bits(theirs.lkg.vector, ours.lkg.vector)
    assert {name for name in sys.modules if name.startswith("perforatedai")} == imported


def test_a_problem_that_fails_ends_its_trial_and_its_traceback_comes_along():
    with pytest.raises(LibraryProblemError, match="the disk with the pictures is gone") as failure:
        trained(spec_of(Falls()), library=True)
    assert "in loss" in str(failure.value.__cause__)


def test_what_cannot_be_done_is_refused_in_one_sentence():
    held = frustration.problem(
        lambda: nn.Linear(2, 2), train=torch.zeros(4, 2), validation=torch.zeros(4, 2), name="here"
    )
    for why, attempt in {
        "known only to the process that made it": lambda: choose("perforatedai", "cpu", held.reference()),
        "runs on the cpu only": lambda: backend_for(TinyCNN().reference(), "perforatedai", "cuda"),
        "trains SimpleMLPs": lambda: choose("perforatedbp", "cpu", TinyCNN().reference()),
        "twin.weight is tied to another weight": lambda: trained(spec_of(Tied()), library=True),
    }.items():
        with pytest.raises(InputError, match=why) as refusal:
            attempt()
        assert "\n" not in str(refusal.value)
