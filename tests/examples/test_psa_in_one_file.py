"""The paper's loop in one file is the engine's: the same curve and the same weights, to the bit."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from frustration import Architecture, TrialSpec
from frustration.engine.reference import ReferenceBackend
from frustration.network import to_state
from frustration.testing.trials import same_bits, spec_of, trained

SCRIPT = Path(__file__).parents[2] / "examples/psa_in_one_file.py"
NAME = SCRIPT.stem
LOOPS = 6


@pytest.fixture(scope="module")
def psa():
    spec = importlib.util.spec_from_file_location(NAME, SCRIPT)
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules[NAME]


def both(psa, architecture, mode, data, loops=LOOPS, **fields):
    """(curve, LKG's tensors, test accuracy) of the file and of the reference."""
    spec = spec_of(architecture, mode, meta_loops=loops, **fields)
    (trial,) = trained([spec], data, ReferenceBackend())
    curve, lkg, test = psa.run(
        Architecture.parse(architecture),
        mode,
        data,
        loops,
        seed=spec.seed,
        trial=spec.trial,
        learning_rate=spec.learning_rate,
        batch_size=spec.batch_size,
    )
    theirs = [(at.loop, at.loss, at.accuracy, at.accepted) for at in trial.curve]
    ours = [(at.loop, at.loss, at.accuracy, at.accepted) for at in curve]
    return (
        (ours, [values.numpy() for values in lkg.values()], test),
        (theirs, list(to_state(trial.lkg).values()), trial.test_accuracy),
    )


@pytest.mark.parametrize("mode", ["none", "decay", "dropout", "full", "hidden", "output"])
@pytest.mark.parametrize("architecture", ["[1*9]", "[1*6, 1*5]"])
def test_it_equals_the_reference_to_the_bit(psa, architecture, mode, data):
    ours, theirs = both(psa, architecture, mode, data, trial=3, seed=5)
    assert ours[0] == theirs[0]
    assert all(same_bits(one, other) for one, other in zip(ours[1], theirs[1], strict=True))
    assert ours[2] == theirs[2]


def test_it_discards_as_the_reference_does(psa, data):
    ours, theirs = both(psa, "[1*9]", "output", data, loops=12)
    assert ours[0] == theirs[0]
    assert {accepted for *_, accepted in ours[0]} == {True, False}


def test_it_has_the_modes_and_the_settings_of_the_paper(psa):
    spec = TrialSpec.of("[1*32]", "none")
    assert (spec.learning_rate, spec.batch_size) == (psa.LEARNING_RATE, psa.BATCH_SIZE)
    assert (
        TrialSpec.of("[1*32]", f"decay:weight_decay={psa.WEIGHT_DECAY}").id
        == TrialSpec.of("[1*32]", "decay").id
    )
    assert TrialSpec.of("[1*32]", f"dropout:p={psa.DROPOUT}").id == TrialSpec.of("[1*32]", "dropout").id


def test_its_command_prints_the_curve_of_its_flags(psa, data, monkeypatch, capsys):
    monkeypatch.setattr(psa.frustration, "load_dataset", lambda name: data, raising=False)
    words = ["--architecture", "[1*4]", "--ablation-mode", "full", "--meta-loops", "3", "--trial", "2"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), *words])
    psa.main()
    (trial,) = trained([TrialSpec.of("[1*4]", "full", trial=2, meta_loops=3)], data, ReferenceBackend())
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[4] for line in lines[:-1]] == [f"{at.accuracy:.2f}" for at in trial.curve]
    assert lines[-1] == f"test {trial.test_accuracy:.2f} %"


def test_a_network_that_diverges_is_never_the_lkg(psa, data):
    architecture = Architecture.parse("[4*16]")
    curve, lkg, _ = psa.run(architecture, "none", data, 2, learning_rate=1e12, batch_size=64)
    assert not any(at.accepted for at in curve)
    assert all(np.isfinite(values.numpy()).all() for values in lkg.values())
    assert torch.is_tensor(lkg["0.weight"])
