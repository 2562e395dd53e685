"""The records of a study become arrays, and what cannot be used is named and costs nothing else."""

import json
import subprocess
import sys

import numpy as np
import pytest
from report_kit import made, read, specs_of, study
from synthetic import record, rewrite

from frustration.record import TrialRecord
from frustration.report.reading import read_study


def test_the_arrays_say_what_the_records_say(tmp_path):
    grid = study("none", "hidden", "dropout")
    store = made(tmp_path / "s", grid)
    results = read_study(store.root)
    records = {record.spec.id: record for record in store.records()}
    assert results.trials == len(records) == results.expected == 24
    for cell in results.cells:
        for row, trial_id in enumerate(cell.ids):
            one: TrialRecord = records[trial_id]
            assert (one.spec.label, one.spec.trial) == (cell.label, cell.trial[row])
            assert (one.bounty, one.test_accuracy) == (cell.bounty[row], cell.test_accuracy[row])
            accuracy = [entry.accuracy for entry in one.curve]
            assert cell.curves.accuracy[row].tolist() == accuracy
            assert cell.curves.best[row].tolist() == list(np.maximum.accumulate(accuracy))
            harm = [np.nan if entry.harm is None else entry.harm for entry in one.curve]
            assert np.array_equal(cell.curves.harm[row], harm, equal_nan=True)
            recovery = [np.nan if entry.recovery is None else entry.recovery for entry in one.curve]
            assert np.array_equal(cell.curves.recovery[row], recovery, equal_nan=True)


def test_cells_come_in_the_order_of_the_study(tmp_path):
    results = read(tmp_path / "s", study("output", "none", "dropout:p=0.3"))
    assert results.labels == ("output", "none", "dropout:p=0.3")


def test_only_a_treatment_that_never_acted_is_inert(tmp_path):
    inert = {
        cell.label: cell.is_inert for cell in read(tmp_path / "s", study("none", "hidden", "decay")).cells
    }
    assert inert == {"none": False, "hidden": False, "decay": True}


TORN = {
    "half-written": (lambda text: text[: len(text) // 2], "not JSON"),
    "empty": (lambda text: "", "not JSON"),
    "a list": (lambda text: "[]", "not an object"),
    "an object": (lambda text: "{}", "not a record"),
    "newer record": (lambda text: text.replace('"record_schema": 1', '"record_schema": 7'), "newer version"),
    "newer trial": (lambda text: text.replace('"schema": 1,', '"schema": 9,'), "newer version"),
    "another trial's": (lambda text: text.replace('"id": "', '"id": "f'), "not that of its spec"),
    "no bounty": (lambda text: text.replace('"bounty":', '"prize":'), "'prize' that is not known"),
    "unfinished": (lambda text: text.replace('"loop": 5, "bounty"', '"loop": 3, "bounty"'), "not finished"),
    "unknown mode": (lambda text: text.replace('"mode": "none"', '"mode": "psionics"'), "psionics"),
}


@pytest.mark.parametrize("what", TORN)
def test_a_record_that_cannot_be_used_is_named_and_the_rest_is_reported(tmp_path, what):
    change, said = TORN[what]
    store = made(tmp_path / "s")
    path = store.record_path(specs_of(study())[0].id)
    text = path.read_text()
    assert change(text) != text
    path.write_text(change(text))
    results = read_study(store.root)
    assert results.trials == 15
    (skipped,) = results.skipped
    assert skipped.path == path
    assert said in skipped.reason
    assert skipped.newer == (what in ("newer record", "newer trial", "unknown mode"))
    assert skipped.newer != ("remove it, or let `frustration study run s` set it aside" in skipped.reason)


def test_a_failed_trial_is_named_with_the_last_line_of_its_traceback(tmp_path):
    store = made(tmp_path / "s")
    spec = specs_of(study())[3]
    store.record_path(spec.id).unlink()
    store.write_failure(spec.id, spec.to_dict(), "Traceback:\n  somewhere\nMemoryError: too much\n")
    results = read_study(store.root)
    (failure,) = results.failures
    assert (failure.architecture, failure.label, failure.trial) == ("[1*32]", spec.label, spec.trial)
    assert failure.cause == "MemoryError: too much"


def test_a_damaged_definition_costs_only_the_order(tmp_path):
    store = made(tmp_path / "s")
    (store.root / "study.toml").write_text("architectures = [")
    results = read_study(store.root)
    assert (results.trials, results.expected) == (16, None)
    assert results.skipped[0].path.name == "study.toml"
    assert results.skipped[0].reason.startswith("is not valid TOML: ")


def test_a_trial_that_grew_and_ended_early_keeps_its_own_length_and_sizes(tmp_path):
    store = made(tmp_path / "s")
    spec = specs_of(study())[1]
    whole = record(spec, 90.0)
    curve = [
        {**entry, "dendrites": int(at > 0), "parameters": 100 * (at + 1), "flops": 1000 * (at + 1)}
        for at, entry in enumerate(whole["curve"][:3])
    ]
    attempt = {
        "loop": 2,
        "dendrites": 1,
        "parameters_before": 100,
        "parameters_after": 200,
        "outcome": "kept",
    }
    growth = {"added": 1, "attempts": [attempt], "ended": "no-improvement", "why": "it did not help"}
    best = max(curve, key=lambda entry: entry["accuracy"])
    bounty = {"bounty": best["accuracy"], "bounty_loop": best["loop"]}
    rewrite(store, spec, loop=3, ended_early=True, curve=curve, growth=growth, **bounty)
    cell = next(cell for cell in read_study(store.root).cells if spec.id in cell.ids)
    row = cell.ids.index(spec.id)
    assert cell.ended_early[row]
    assert cell.curves.trained[row].tolist() == [True] * 3 + [False] * 2
    assert cell.curves.flops[row, :3].tolist() == [1000, 2000, 3000]
    assert cell.training_flops[row] == 6000
    assert np.isnan(cell.curves.accuracy[row, 3:]).all()
    assert cell.growth[row].added == 1
    assert cell.growth[row].attempts[0].outcome == "kept"
    other = 1 - row if row < 2 else 0
    assert cell.training_flops[other] == 5 * cell.flops[other]
    assert (cell.curves.dendrites[other] == 0).all()


def test_a_record_that_lacks_its_first_loops_is_named(tmp_path):
    store = made(tmp_path / "s")
    spec = specs_of(study())[0]
    content = json.loads(store.record_path(spec.id).read_text())
    rewrite(store, spec, curve=content["curve"][2:])
    (skipped,) = read_study(store.root).skipped
    assert "it has 3 of 5 loops" in skipped.reason


def test_reading_and_analysing_never_import_torch(tmp_path):
    store = made(tmp_path / "s")
    program = (
        "import sys; from pathlib import Path; from frustration.report.reading import read_study\n"
        "from frustration.report.analysis import analyse; analyse(read_study(Path(sys.argv[1])))\n"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", program, str(store.root)], check=False).returncode == 0
