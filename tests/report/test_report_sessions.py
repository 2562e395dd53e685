"""`report models/1x2`: what `train` has kept is reported as a study is, but for trials that are mixed."""

import json

import numpy as np
import pytest

import frustration
from frustration.commands.report import main
from frustration.record_reading import RecordError, session_record
from frustration.report.cells import moments
from frustration.report.formatting import mean_std
from frustration.report.sessions import read_sessions
from frustration.report.writing import results_of
from frustration.sealed_json import seal

TRIALS = 6


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    """Two modes under the same settings, and one that was continued under another learning rate."""
    folder = tmp_path_factory.mktemp("models")
    usual = {"train_fraction": 0.02, "threads": 1, "model_dir": folder, "learning_rate": 1e-3}
    outcome = frustration.train("[1*2]", ["none", "hidden"], trials=TRIALS, until=2, **usual)
    frustration.train("[1*2]", "dropout", trials=2, until=1, **usual)
    later = {**usual, "learning_rate": 1e-2, "continue_with_new_settings": True}
    frustration.train("[1*2]", "dropout", trials=2, until=2, **later)
    return folder / "1x2", outcome


def test_its_cells_are_the_trials_that_train_returned(kept):
    folder, outcome = kept
    results = read_sessions(folder)
    assert [(cell.label, cell.trial.size) for cell in results.cells] == [("hidden", TRIALS), ("none", TRIALS)]
    for cell in results.cells:
        tests = {r.spec.trial: r.test_accuracy for r in outcome.records if r.spec.label == cell.label}
        assert dict(zip(cell.trial.tolist(), cell.values("test"), strict=True)) == tests


def test_mixed_trials_are_named_and_in_no_test(kept):
    skipped = read_sessions(kept[0]).skipped
    assert [one.path.parent.name for one in skipped] == ["dropout"] * 2
    assert "it is mixed, trained from loop 1" in skipped[0].reason
    assert "learning rate 0.001 then, 0.01 now" in skipped[0].reason


def test_the_report_is_written_beside_them_and_counts_no_look(kept, capsys):
    folder, _ = kept
    assert main([str(folder)]) == 0
    out, err = capsys.readouterr()
    assert out == f"report: {folder}/report/report.html\n"
    assert "is excluded from the tests: it is mixed" in err
    text = (folder / "report" / "report.md").read_text()
    assert "hidden" in text
    assert not (folder / "manifest.json").exists()
    assert main([str(folder), "--print"]) == 0
    assert "none" in capsys.readouterr().out


def test_two_such_folders_can_be_compared(kept, capsys):
    folder, _ = kept
    assert main(["compare", str(folder), str(folder.parent)]) == 0
    assert "equivalent" in capsys.readouterr().out


def test_a_folder_without_records_is_no_study(tmp_path):
    with pytest.raises(frustration.InputError, match="there is no study"):
        results_of(str(tmp_path), tmp_path)


def test_one_trial_has_no_spread():
    assert mean_std(moments(np.array([97.25]))) == "97.25 (–)"
    assert mean_std(moments(np.array([97.25, 97.25]))) == "97.25 (0.00)"


@pytest.mark.parametrize(
    "change",
    [
        {"mode": 5},
        {"mode": "shrink"},
        {"mode_params": []},
        {"mode_params": [{"mode": "dropout"}]},
        {"learning_rate": "fast"},
        {"learning_rate": -1.0},
        {"unknown": 1},
        {"seed": 3},
    ],
)
def test_a_session_that_makes_no_sense_is_one_sentence(change, kept):
    path = kept[0] / "dropout" / "t000_lkg.record.json"
    fields = json.loads(path.read_text())
    fields.pop("sha256", None)
    fields["sessions"][0]["treatment"] |= change
    with pytest.raises(RecordError) as refusal:
        session_record(seal(fields).encode())
    assert "\n" not in str(refusal.value)
