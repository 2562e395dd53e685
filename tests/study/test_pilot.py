"""A pilot: its trials at every learning rate, the later ones at the rate that validation preferred in it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from study_kit import bits, toml

from frustration.commands.sagemaker_launch import main
from frustration.errors import InputError
from frustration.metric import ACCURACY, Metric
from frustration.report.reading import read_study
from frustration.runners.events import StudyStart
from frustration.sealed_json import seal
from frustration.streams import Stream
from frustration.study.definition import Study
from frustration.study.pilot import best_rate
from frustration.study.run import after_pilot, prepare, run_study
from frustration.study.store import Store

PLAN = "\n[analysis]\nchoose_rate = true\npilot = 2\n"
GRID = {
    "learning_rate": "[1e-5, 1e-2]",
    "trials": "4",
    "modes": '["none", "output"]',
    "train_fraction": "1.0",
    "batch_size": "16",
}


@pytest.fixture(scope="module")
def rows(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "rows.npz"
    X = Stream(b"a straight line!").uniform(400).reshape(100, 4)
    np.savez(path, X=X, y=(X[:, 0] + X[:, 1] > 1).astype(np.int64))
    return path


def unpiloted(rows: Path, **changed: str) -> str:
    return toml(**{**GRID, "dataset": f'"{rows}"', **changed})


@pytest.fixture(scope="module")
def piloted(rows) -> Study:
    return Study.from_toml(unpiloted(rows) + PLAN)


@pytest.fixture(scope="module")
def store(tmp_path_factory, piloted) -> Store:
    found = Store(tmp_path_factory.mktemp("pilot"))
    run_study(prepare(piloted), found, workers=1)
    return found


def test_later_trials_are_run_at_the_chosen_rate_alone(store):
    rates: dict[tuple[str, str], dict[float, list[int]]] = {}
    bounties: dict[tuple[str, str], dict[float, list[float]]] = {}
    for record in store.records():
        spec = record.spec
        arm = str(spec.architecture), spec.label
        rates.setdefault(arm, {}).setdefault(spec.learning_rate, []).append(spec.trial)
        if spec.trial < 2:
            bounties.setdefault(arm, {}).setdefault(spec.learning_rate, []).append(record.bounty)
    assert len(rates) == 4
    for arm, trials in rates.items():
        best = max(bounties[arm], key=lambda rate: sum(bounties[arm][rate]))
        for rate, numbers in trials.items():
            assert sorted(numbers) == ([0, 1, 2, 3] if rate == best else [0, 1])


def test_the_size_of_a_study_counts_what_is_run(store, piloted):
    assert piloted.size == len(store.ids()[0]) == 4 * (2 * 2 + 2)
    assert read_study(store.root).expected == 24
    assert replace(piloted, trials=2).size == 16


def test_the_trials_are_those_of_a_study_without_a_pilot(store, rows, tmp_path):
    whole = Store(tmp_path)
    run_study(prepare(Study.from_toml(unpiloted(rows))), whole, workers=1)
    every = bits(whole)
    assert {trial_id: every[trial_id] for trial_id in bits(store)} == bits(store)


def test_a_run_that_was_stopped_continues_in_either_part(store, piloted, tmp_path):
    prepared, again = prepare(piloted), Store(tmp_path)
    for trial_id in list(store.ids()[0])[::2]:  # as if it had been killed here and there
        again.write_record(store.record(trial_id))
        again.network_path(trial_id).parent.mkdir(parents=True, exist_ok=True)
        again.network_path(trial_id).write_bytes(store.network_path(trial_id).read_bytes())
    starts = []
    run_study(
        prepared, again, workers=1, emit=lambda e: starts.append(e) if isinstance(e, StudyStart) else None
    )
    assert [len(start.specs) for start in starts] == [16, 24]
    assert bits(again) == bits(store)
    more = after_pilot(prepared, again)
    assert more is not None
    assert after_pilot(more, again) is None


def test_nothing_is_chosen_before_the_whole_pilot_is_done(store, piloted, tmp_path):
    half = Store(tmp_path)
    records = [record for record in store.records() if record.spec.trial < 2]
    for record in records[1:]:
        half.write_record(record)
    assert after_pilot(prepare(piloted), half) is None
    damaged = half.record_path(records[0].spec.id)
    damaged.parent.mkdir(exist_ok=True)
    damaged.write_bytes(b"")
    assert after_pilot(prepare(piloted), half) is None, "a damaged record is none"
    newer = json.loads(store.record_path(records[0].spec.id).read_text())
    del newer["sha256"]
    damaged.write_text(seal({**newer, "record_schema": 7}))
    with pytest.raises(InputError, match="newer"):
        after_pilot(prepare(piloted), half)
    damaged.unlink()
    half.write_failure(records[0].spec.id, records[0].spec.to_dict(), "RuntimeError: no")
    assert after_pilot(prepare(piloted), half) is not None


def test_the_report_says_what_chose_and_takes_the_chosen_cells(store):
    results = read_study(store.root)
    assert {cell.n for cell in results.cells} == {4}
    assert results.plan.pilot == 2


def test_the_best_mean_wins_and_of_equals_the_smaller_rate():
    assert best_rate({1e-2: [90.0, 92.0], 1e-3: [91.0, None]}, ACCURACY) == 1e-3
    assert best_rate({1e-2: [90.0], 1e-3: [91.0]}, Metric("error", "", "lower")) == 1e-2
    assert best_rate({1e-2: [None], 1e-3: [5.0]}, ACCURACY) == 1e-3


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("pilot = 2", "a pilot, which chooses learning rates: choose_rate = true"),
        ('choose_rate = true\npilot = "2"', "pilot is a number of trials, not '2'"),
        ("choose_rate = true\npilot = -1", "pilot is a number of trials, not -1"),
    ],
)
def test_what_a_pilot_cannot_mean_is_one_sentence(rows, table, sentence):
    with pytest.raises(InputError, match=sentence):
        Study.from_toml(unpiloted(rows) + f"\n[analysis]\n{table}\n")


def test_a_pilot_is_read_back_and_stays_what_it_was(store, rows, piloted):
    assert Study.from_toml(piloted.to_toml()) == piloted
    with pytest.raises(InputError, match="its analysis differs"):
        store.check(Study.from_toml(unpiloted(rows) + PLAN.replace("2", "3")))


def test_the_cloud_refuses_it_in_a_sentence(piloted, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    (tmp_path / "tiny.toml").write_text(piloted.to_toml())
    assert main(
        ["tiny.toml", "--dry-run", "--offline", "--role", "arn:aws:iam::123456789012:role/x", "--bucket", "b"]
    )
    assert "tiny has a pilot, and what is trained after it follows" in capsys.readouterr().err
