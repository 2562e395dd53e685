"""A loss that is not finite is reported as such; what diverged is never accepted and leaves no trace."""

import json

import numpy as np
import pytest
from train_command import kept, resume_state

import frustration
from frustration.checkpoint import CheckpointFiles
from frustration.commands.train import main
from frustration.testing.trials import same_bits

MODES = ["none", "hidden", "plain", "none/persist", "hidden/persist-masked", "none/patience-1", "none/ties"]


def train(data, model_dir, mode, **settings):
    """(record, trial as it is kept) of a session in this process."""
    settings = {"batch_size": 64, "meta_loops": 3, "continue_with_new_settings": True, **settings}
    outcome = frustration.train("[16*16]", mode, dataset=data, model_dir=model_dir, threads=1, **settings)
    return outcome.records[0], outcome.files[0].resumed()


def vectors(trial):
    """All weights and moments that a trial resumes from."""
    moments = [trial.moments.mean, trial.moments.square] if trial.moments else []
    networks = [trial.base, trial.lkg, *([trial.runner_up.network] if trial.runner_up else [])]
    return [*(network.vector for network in networks), *moments]


@pytest.mark.parametrize("backend", ["torch", "reference"])
@pytest.mark.parametrize("mode", MODES)
def test_a_network_that_diverges_from_the_start_is_never_accepted(data, tmp_path, mode, backend):
    record, trial = train(data, tmp_path, mode, learning_rate=1e3, backend=backend)
    assert [(entry.diverged, entry.accepted, entry.new_bounty, entry.loss) for entry in record.curve] == [
        (True, False, False, None)
    ] * 3
    assert (record.bounty, record.bounty_loop, record.test_accuracy) == (None, None, None)
    assert all(np.isfinite(vector).all() for vector in vectors(trial))
    assert trial.moments is None, "there is nothing to remember"
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    assert not files.lkg.exists()
    assert [entry["diverged"] for entry in json.loads(files.record.read_text())["curve"]] == [True] * 3


@pytest.mark.parametrize("mode", MODES)
def test_divergence_after_good_loops_leaves_what_they_reached(data, tmp_path, mode):
    """The learning rate is raised to 1000 for later loops, as a user might by mistake."""
    good, before = train(data, tmp_path, mode, learning_rate=1e-3)
    lkg = CheckpointFiles(tmp_path / "mnist_lkg").lkg
    record, after = train(data, tmp_path, mode, learning_rate=1e3)
    assert [entry.diverged for entry in record.curve] == [False] * 3 + [True] * 3
    assert not any(entry.accepted or entry.new_bounty for entry in record.curve[3:])
    assert (record.bounty, record.bounty_loop) == (good.bounty, good.bounty_loop)
    assert record.test_accuracy == good.test_accuracy
    assert same_bits(after.lkg, before.lkg)
    assert CheckpointFiles(tmp_path / "mnist_lkg").lkg_holds(before.lkg)
    assert lkg.exists()
    assert all(np.isfinite(vector).all() for vector in vectors(after))
    if after.moments is not None:
        assert np.array_equal(after.moments.mean, before.moments.mean)
        assert after.moments.steps == before.moments.steps


def test_a_diverged_network_continues_to_learn_at_a_lower_rate(data, tmp_path):
    train(data, tmp_path, "plain", learning_rate=1e3)
    record, trial = train(data, tmp_path, "plain", learning_rate=1e-3)
    assert [entry.diverged for entry in record.curve] == [True] * 3 + [False] * 3
    assert record.bounty is not None
    assert np.isfinite(trial.lkg.vector).all()


def test_the_command_says_that_the_loss_was_not_finite(tmp_path, capsys):
    flags = ["--arch", "16x16", "--train-fraction", "0.02", "--meta-loops", "2", "--lr", "1e3"]
    main([*flags, "--model-dir", str(tmp_path / "models")])
    said = capsys.readouterr()
    assert "loss was not finite in 2 loops; they were discarded" in said.out
    assert "no loop gave a usable network" in said.out
    assert "Traceback" not in said.out + said.err
    assert resume_state(tmp_path / "models" / "mnist_lkg.resume.safetensors")["loop"] == 2
    assert "mnist_lkg.safetensors" not in kept(tmp_path / "models")


def test_the_neighbours_of_a_diverging_network_notice_nothing(data, tmp_path):
    """In one group: an absurd weight decay drives one of two networks to infinity."""
    settings = {"learning_rate": 1e-3, "batch_size": 64, "meta_loops": 3, "dataset": data, "threads": 1}
    both = frustration.train(
        "[2*8]", ["none", "decay:weight_decay=1e40"], trials=1, model_dir=tmp_path / "a", **settings
    )
    calm = frustration.train(
        "[2*8]", ["none", "decay:weight_decay=1e-3"], trials=1, model_dir=tmp_path / "b", **settings
    )
    assert all(entry.diverged for entry in both.records[1].curve)
    assert both.records[0].curve == calm.records[0].curve
    assert same_bits(both.files[0].resumed().lkg, calm.files[0].resumed().lkg)
