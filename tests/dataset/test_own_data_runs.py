"""A user's own data is trained on, studied, verified, probed and reported like any other."""

import re

import numpy as np
import pytest

import frustration
from frustration.dataset import make_split
from frustration.errors import FrustrationError, InputError
from frustration.probes.run import run_probes
from frustration.probes.settings import MEASURES, Wanted
from frustration.report.chance_level import chance_level
from frustration.report.reading import read_study
from frustration.streams import Stream
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store
from frustration.study.verify import verify

STUDY = """
name = "own"
architectures = ["[1*6]"]
modes = ["none", "hidden", "output"]
trials = 2
meta_loops = 3
learning_rate = 0.01
batch_size = 16
dataset = "rows.npz"
"""


def rows(count: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that a straight line tells apart."""
    X = Stream(b"a straight line!").uniform(count * 4).reshape(count, 4)
    return X, (X[:, 0] + X[:, 1] > 1).astype(np.int64)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    X, y = rows()
    np.savez(tmp_path / "rows.npz", X=X, y=y)
    return tmp_path


@pytest.fixture
def store(folder) -> Store:
    store = Store(folder / "results" / "own")
    outcome = run_study(prepare(Study.from_toml(STUDY)), store, workers=1)
    assert (outcome.done, outcome.failed) == (6, 0)
    return store


def test_arrays_a_split_and_a_file_give_the_same_network(folder):
    X, y = rows()
    how = {"until": 6, "learning_rate": 0.01, "batch_size": 16, "trials": 1}
    outcomes = [
        frustration.train("[1*8]", "none", dataset=dataset, model_dir=folder / str(at), **how)
        for at, dataset in enumerate(((X, y), make_split(X, y, name="rows.npz"), "rows.npz"))
    ]
    curves = [[entry.to_dict() for entry in outcome.records[0].curve] for outcome in outcomes]
    assert curves[0] == curves[1] == curves[2]
    ids = [outcome.records[0].spec.id for outcome in outcomes]
    assert ids[0] != ids[1] == ids[2]  # the name counts, too
    assert outcomes[0].records[0].test_accuracy > 80


@pytest.mark.parametrize("backend", ["reference", "torch"])
def test_every_backend_trains_on_it(backend, folder):
    found = frustration.train(
        "[1*8]", "none", dataset="rows.npz", until=4, learning_rate=0.01, batch_size=16, backend=backend
    )
    assert found.records[0].bounty > 70
    assert (folder / "models" / "rows.npz_lkg.safetensors").exists()


def test_a_session_continues_and_refuses_other_rows(folder):
    how = {"dataset": "rows.npz", "learning_rate": 0.01, "batch_size": 16}
    whole = frustration.train("[1*4]", "hidden", until=4, model_dir=folder / "whole", **how)
    frustration.train("[1*4]", "hidden", until=2, **how)
    resumed = frustration.train("[1*4]", "hidden", until=4, **how)
    assert [e.to_dict() for e in resumed.records[0].curve] == [e.to_dict() for e in whole.records[0].curve]
    X, y = rows(301)
    np.savez(folder / "rows.npz", X=X, y=y)
    with pytest.raises(InputError, match=r"was trained on rows\.npz with other content"):
        frustration.train("[1*4]", "hidden", until=6, **how)


def test_a_study_is_verified_to_the_bit(store):
    assert all(not check.differences for check in verify(store, 2).checks)


def test_a_study_whose_file_has_changed_or_gone_says_so(store, folder):
    X, y = rows(301)
    np.savez(folder / "rows.npz", X=X, y=y)
    outcome = verify(store, 1)
    assert not outcome.passed
    assert re.search("are not the data that is here now", *outcome.impossible)
    (folder / "rows.npz").unlink()
    with pytest.raises(FrustrationError, match=r"^rows\.npz cannot be read: No such file or directory$"):
        prepare(Study.from_toml(STUDY))
    assert Study.from_file(store.root / "study.toml").datasets == ("rows.npz",)  # what is done can be read


def test_probes_measure_all_but_corruptions_and_say_why(store):
    outcome = run_probes(store, Wanted.of(draws=2, images=20), workers=1)
    assert (outcome.done, outcome.left, outcome.sentences) == (6, 0, ())
    assert outcome.notes == (
        "corruptions are made of images, and rows.npz holds numbers: they are not measured",
    )
    only = run_probes(store, Wanted.of(["corruptions"]), workers=1)
    assert (only.networks, only.done, only.sentences) == (0, 6, ())
    assert set(MEASURES) - {"corruptions"}


def test_a_report_knows_chance_as_long_as_the_file_is_the_one(store, folder):
    setting = read_study(store.root).settings[0]
    X, y = rows()
    split = make_split(X, y)
    assert setting.chance_level.zero_r_test == split.test.zero_r
    assert (setting.chance_level.features, setting.chance_level.classes) == (4, 2)
    assert chance_level("rows.npz", "another digest", 1.0) is None
    assert chance_level("nowhere.csv:label", setting.dataset_digest, 1.0) is None


def test_a_report_is_written(store, capsys):
    from frustration.commands.report import main as report_command

    assert report_command([str(store.root), "--results", str(store.root.parent)]) == 0
    assert (store.root / "report" / "report.html").exists()
