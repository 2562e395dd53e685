"""The main job in small: six modes, paired trials, one command, one table."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

MODES = ["none", "decay", "dropout", "full", "hidden", "output"]
TRIALS, LOOPS = 2, 4


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    """(what the command printed, its model directory)"""
    model_dir = tmp_path_factory.mktemp("comparison") / "models"
    command = [Path(sys.executable).with_name("train"), "--arch", "[1*8]", "--ablation-mode", *MODES]
    command += ["--trials", str(TRIALS), "--meta-loops", str(LOOPS), "--model-dir", model_dir]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return done.stdout, model_dir


@pytest.fixture(scope="module")
def records(comparison):
    """(mode, trial) -> record"""
    found = {}
    for path in comparison[1].rglob("*.record.json"):
        record = json.loads(path.read_text())
        found[path.parent.name, record["spec"]["trial"]] = record
    return found


def lkg(comparison, mode, trial):
    return (comparison[1] / "1x8" / mode / f"t{trial:03d}_lkg.safetensors").read_bytes()


def weights(content):
    return content[8 + int.from_bytes(content[:8], "little") :]


def first(record):
    entry = record["curve"][0]
    return entry["loss"], entry["accuracy"]


def test_one_command_trains_every_trial_of_every_mode_to_its_end(records):
    assert set(records) == {(mode, trial) for mode in MODES for trial in range(TRIALS)}
    for record in records.values():
        assert [entry["loop"] for entry in record["curve"]] == list(range(1, LOOPS + 1))
        assert record["test_accuracy"] > 30


def test_it_ends_in_a_table_with_a_row_for_each_mode(comparison):
    lines = comparison[0].splitlines()
    head = next(n for n, line in enumerate(lines) if line.startswith("mode ") and "±" in line)
    rows = [line.split()[0] for line in lines[head + 2 : head + 2 + len(MODES)]]
    assert rows == MODES
    assert "\x1b" not in comparison[0]


@pytest.mark.parametrize("trial", range(TRIALS))
def test_modes_other_than_dropout_are_identical_in_loop_1(records, trial):
    control = first(records["none", trial])
    assert all(first(records[mode, trial]) == control for mode in MODES if mode != "dropout")
    assert first(records["dropout", trial]) != control


def test_trials_differ(records):
    assert first(records["none", 0]) != first(records["none", 1])


@pytest.mark.parametrize("trial", range(TRIALS))
def test_decay_at_its_defaults_equals_none_to_the_bit(comparison, records, trial):
    none, decay = records["none", trial], records["decay", trial]
    scores = ("loop", "loss", "before", "accuracy", "accepted", "new_bounty")
    assert [[entry[s] for s in scores] for entry in decay["curve"]] == [
        [entry[s] for s in scores] for entry in none["curve"]
    ]
    assert weights(lkg(comparison, "decay", trial)) == weights(lkg(comparison, "none", trial))
    assert weights(lkg(comparison, "hidden", trial)) != weights(lkg(comparison, "none", trial))


def test_decay_and_nothing_else_is_reported_as_inert(comparison, records):
    assert {mode for (mode, _), record in records.items() if record["inert"]} == {"decay"}
    (sentence,) = [line for line in comparison[0].splitlines() if "is inert" in line]
    assert "decay is inert" in sentence
    assert "rounds to 1 in float32" in sentence


def test_damage_falls_from_loop_2_on(records):
    for mode in ("full", "hidden", "output"):
        for trial in range(TRIALS):
            damaged = [entry["damaged"] is not None for entry in records[mode, trial]["curve"]]
            assert damaged == [False] + [True] * (LOOPS - 1)
