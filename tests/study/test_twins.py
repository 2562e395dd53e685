"""A trial that is its control's computation is not trained, and nobody can tell but by `twin_of`."""

import json
from dataclasses import replace

import numpy as np
import pytest

from frustration.modes import EpochSettings, mode_named, mode_names
from frustration.runners.events import TrialDone
from frustration.spec import TrialSpec
from frustration.streams import Stream
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store
from frustration.study.twins import Twins, twin, twins_among
from frustration.study.verify import verify

TWINS = [
    "decay",
    "full:dose=0",
    "hidden:dose=0",
    "output:dose=0.0",
    "noise:dose=0",
    "dropout:p=0",
    "hidden+decay",
    "dendrites",
    "early-stop",
    "reset",
    "dendrites+decay",
    "none@1-2,decay@3-/ties",
    "decay/persist",
]
CONTROLS = ["none", "hidden", "plain", "none@1-2,none@3-/ties", "none/persist"]
STUDY = f"""
name = "twins"
architectures = ["[2*6]"]
modes = {json.dumps([*CONTROLS, *TWINS])}
trials = 2
meta_loops = 4
learning_rate = 1e-4
batch_size = 16
dataset = "rows.npz"
"""


@pytest.fixture
def study(tmp_path, monkeypatch) -> Study:
    monkeypatch.chdir(tmp_path)
    X = Stream(b"a straight line!").uniform(400).reshape(100, 4)
    np.savez("rows.npz", X=X, y=(X[:, 0] + X[:, 1] > 1).astype(np.int64))
    return Study.from_toml(STUDY)


def run(study: Study, folder, twins: bool = True, backend: str | None = None, **how) -> Store:
    store = Store(folder)
    run_study(prepare(study, backend, twins=twins), store, workers=1, **how)
    return store


@pytest.mark.parametrize("backend", ["reference", None])
def test_the_record_and_the_network_are_those_that_training_would_have_left(study, tmp_path, backend):
    if backend == "reference":  # the plainest, and the slowest
        few = ("none", "plain", "decay", "hidden:dose=0", "dendrites")
        study = replace(study, modes=few, trials=1)
    spared, trained = (run(study, tmp_path / str(twins), twins, backend) for twins in (True, False))
    assert spared.ids() == trained.ids()
    found = {record.spec.label: record for record in spared.records() if record.twin_of}
    assert set(found) == {spec.label for spec in prepare(study).specs} - set(CONTROLS)
    assert found
    for record in found.values():
        really = trained.record(record.spec.id)
        assert really.twin_of is None
        assert replace(record, twin_of=None, seconds=0.0) == replace(really, seconds=0.0)
        networks = [store.network_path(record.spec.id).read_bytes() for store in (spared, trained)]
        assert networks[0] == networks[1]
    assert all(check.passed and not check.differences for check in verify(spared, 12, backend=backend).checks)


def test_who_is_whose_twin(study):
    specs = {spec.label: spec for spec in study.specs(study.no_digests())}
    of = {one.id: label for label, one in specs.items()}
    found = {of[one]: of[other] for one, other in twins_among(specs.values()).items()}
    assert found == {
        **dict.fromkeys(["decay", "full:dose=0", "hidden:dose=0", "output:dose=0.0", "noise:dose=0"], "none"),
        "dropout:p=0.0": "none",
        "hidden+decay": "hidden",
        **dict.fromkeys(["dendrites", "early-stop", "reset", "dendrites+decay"], "plain"),
        "none@1-2,decay@3-/ties": "none@1-2,none@3-/ties",
        "decay/persist": "none/persist",
    }


@pytest.mark.parametrize(
    "mode",
    [
        "decay:weight_decay=10",
        "hidden",
        "none",
        "plain",
        "wide@1",
        "dendrites:switch_mode=every",
        "ratchet+dendrites",
        "dendrites@1-2,plain@3-",
        "redo",
        "early-stop:n_epochs_to_switch=1",
    ],
)
def test_what_may_act_has_no_twin(mode):
    assert twin(TrialSpec.of("[2*6]", mode, meta_loops=4)) is None


def test_a_twin_needs_its_control_in_the_study(study):
    alone = Study.from_toml(STUDY.replace(json.dumps([*CONTROLS, *TWINS]), '["decay", "hidden"]'))
    assert not list(prepare(alone).twins.all)


def test_no_mode_is_idle_with_its_usual_knobs_where_it_may_act():
    settings = EpochSettings(learning_rate=0.1)
    assert not [name for name in mode_names() if mode_named(name)().idle(settings, loops=100)]


def test_events_count_twins_and_an_ended_control_settles_them(study, tmp_path):
    heard: list[str] = []
    store = run(
        study,
        tmp_path / "heard",
        emit=lambda event: heard.append(event.trial_id) if isinstance(event, TrialDone) else None,
    )
    prepared = prepare(study)
    assert sorted(heard) == sorted(spec.id for spec in prepared.specs)
    lost = [planned.spec.id for planned in prepared.twins.all]
    for trial_id in lost:  # as if the process had been killed in between
        store.record_path(trial_id).unlink()
        store.network_path(trial_id).unlink()
    trained: list[object] = []
    run_study(prepare(study), store, workers=1, emit=trained.append)
    assert len(trained) == 1  # the start; nothing was trained
    assert set(lost) <= store.ids()[0]


def test_a_control_that_fails_fails_its_twins(study, tmp_path):
    prepared, store = prepare(study), Store(tmp_path / "failed")
    store.create(study)
    twins = prepared.twins
    control, planned = next(iter(twins.by_control.items()))
    store.write_failure(control, prepared.specs[0].to_dict(), "Traceback: it broke")
    twins.settle(store)
    assert store.ids()[1] == {control, *(one.spec.id for one in planned)}
    assert Twins({}).fail(store, control, "") == []


def test_the_report_says_that_nothing_was_trained_twice(study, tmp_path, capsys):
    from frustration.commands.report import main as report_command

    store = run(replace(study, modes=("none", "decay", "hidden")), tmp_path / "report")
    assert report_command([str(store.root), "--print"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "rounds to 1 in float32, so that no weight was ever changed by it" in text
    assert "Its numbers are copied from its control: nothing was trained twice." in text
