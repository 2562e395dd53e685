"""A tracker hears everything that a run comes to, and nothing that it does can touch the run."""

import importlib.util
import struct
import time
from collections.abc import Iterator
from importlib import metadata
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from frustration import trackers
from frustration.commands.study import main as study
from frustration.commands.train import main as train

pytestmark = pytest.mark.slow

QUICK = ("--arch", "[1*2]", "--train-fraction", "0.02", "--meta-loops", "2", "--ablation-mode", "hidden")


class Notebook:
    """Writes down what it is told."""

    pages: list[tuple]

    def start(self, run):
        type(self).pages = [("start", run.name, run.folder, len(run.specs))]

    def loop(self, spec, entry, bounty):
        self.pages.append(("loop", spec.label, entry.loop, bounty, dict(entry.evidence)))

    def trial(self, record):
        self.pages.append(("trial", record.spec.label, record.test_accuracy, len(record.curve)))

    def failed(self, spec, traceback):
        self.pages.append(("failed", spec.label, traceback))

    def end(self, interrupted):
        self.pages.append(("end", interrupted))


class Broken(Notebook):
    def loop(self, spec, entry, bounty):
        raise ConnectionError("the server is\non fire")


class Asleep(Notebook):
    def end(self, interrupted):
        time.sleep(5)


class Unborn:
    def __init__(self):
        raise OSError("no licence")


@pytest.fixture(autouse=True)
def installed(monkeypatch):
    """As if a package had brought them."""
    brought = [
        EntryPoint(kind.__name__.lower(), f"{__name__}:{kind.__name__}", trackers.ENTRY_POINTS)
        for kind in (Notebook, Broken, Asleep, Unborn)
    ]
    real = metadata.entry_points
    monkeypatch.setattr(
        trackers,
        "entry_points",
        lambda group: brought if group == trackers.ENTRY_POINTS else real(group=group),
    )


def run_train(tmp_path: Path, *more: str) -> int:
    return train([*QUICK, "--model-dir", str(tmp_path / "models"), *more])


def test_a_tracker_of_another_package_hears_all_of_a_session(tmp_path):
    assert run_train(tmp_path, "--tracker", "notebook") == 0
    start, first, second, trial, end = Notebook.pages
    assert start == ("start", "[1*2]", tmp_path / "models", 1)
    assert [page[:3] for page in (first, second)] == [("loop", "hidden", 1), ("loop", "hidden", 2)]
    assert second[4]["hidden"]  # what really happened to the network
    assert trial[0] == "trial"
    assert 0 < trial[2] < 100
    assert trial[3] == 2
    assert end == ("end", False)


def test_and_all_of_a_study(tmp_path):
    file = tmp_path / "grid.toml"
    file.write_text(
        'name = "grid"\narchitectures = ["[1*2]"]\nmodes = ["none", "hidden"]\ntrials = 1\nmeta_loops = 2\n'
        "train_fraction = 0.02\n"
    )
    words = ["run", str(file), "--results", str(tmp_path), "--threads", "1", "--no-estimate"]
    assert study([*words, "--tracker", "notebook"]) == 0
    kinds = [page[0] for page in Notebook.pages]
    assert Notebook.pages[0] == ("start", "grid", tmp_path / "grid", 2)
    assert kinds == ["start", "loop", "loop", "loop", "loop", "trial", "trial", "end"]


def test_it_is_off_unless_asked_for(tmp_path):
    Notebook.pages = []
    assert run_train(tmp_path) == 0
    assert Notebook.pages == []


def test_a_tracker_that_fails_costs_one_warning_and_nothing_else(tmp_path, capsys):
    assert run_train(tmp_path, "--tracker", "broken") == 0
    printed = capsys.readouterr()
    (warning,) = printed.err.splitlines()
    assert "the tracker broken failed" in warning
    assert "ConnectionError: the server is" in warning
    assert "not affected" in warning
    assert (tmp_path / "models" / "mnist_lkg.record.json").exists()
    assert [page[0] for page in Broken.pages] == ["start"]


def test_a_tracker_that_does_not_come_to_an_end_is_left_behind(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(trackers, "END_SECONDS", 0.2)
    began = time.monotonic()
    assert run_train(tmp_path, "--tracker", "asleep") == 0
    assert "has not taken everything" in capsys.readouterr().err
    assert time.monotonic() - began < 60


@pytest.mark.parametrize(
    "name, said",
    [
        ("notebok", "there is no tracker notebok (did you mean notebook?); there are none, "),
        ("unborn", "--tracker unborn: "),
    ],
)
def test_what_cannot_track_is_refused_before_anything_is_trained(name, said, tmp_path, capsys):
    assert run_train(tmp_path, "--tracker", name) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "models").exists()


def chunks(content: bytes) -> Iterator[bytes]:
    """The records of a .wandb file: LevelDB's log, after 7 bytes, in blocks of 32 kB."""
    at, whole = 7, b""
    while at + 7 <= len(content):
        if 32_768 - at % 32_768 < 7:
            at += 32_768 - at % 32_768
            continue
        _, size, kind = struct.unpack_from("<IHB", content, at)
        whole += content[at + 7 : at + 7 + size]
        at += 7 + size
        if kind in (1, 4):  # the whole of a record, or its end
            yield whole
            whole = b""


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the package wandb is not there")
def test_weights_and_biases_keeps_a_run_per_trial_offline_without_credentials(tmp_path, monkeypatch, capsys):
    from wandb.proto import wandb_internal_pb2

    for variable in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_PROJECT"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setenv("NETRC", str(tmp_path / "no-netrc"))
    monkeypatch.setenv("HOME", str(tmp_path))
    assert run_train(tmp_path, "--trials", "2", "--tracker", "wandb") == 0
    assert "warning" not in capsys.readouterr().err
    found = sorted((tmp_path / "models" / "wandb").glob("offline-run-*/*.wandb"))
    assert len(found) == 2
    seen, summary, config = [], {}, {}
    for data in chunks(found[0].read_bytes()):
        record = wandb_internal_pb2.Record()
        record.ParseFromString(data)
        if record.WhichOneof("record_type") == "history":
            seen.append(
                {"/".join(item.nested_key) or item.key: item.value_json for item in record.history.item}
            )
        for item in record.summary.update:
            summary["/".join(item.nested_key) or item.key] = item.value_json
        for item in record.run.config.update:
            config[item.key] = item.value_json
    assert [line["_step"] for line in seen] == ["1", "2"]
    assert all("accuracy" in line and "loss" in line for line in seen)
    assert any(key.startswith("evidence/hidden/") for line in seen for key in line)
    assert 0 < float(summary["test_accuracy"]) < 100
    assert config["architecture"] == '"[1*2]"'


@pytest.mark.skipif(importlib.util.find_spec("wandb") is None, reason="the package wandb is not there")
def test_weights_and_biases_says_where_its_runs_are_and_how_to_send_them(tmp_path, monkeypatch, capsys):
    monkeypatch.delenv("WANDB_API_KEY", raising=False)
    monkeypatch.setenv("WANDB_MODE", "offline")
    assert run_train(tmp_path, "--tracker", "wandb") == 0
    folder = tmp_path / "models" / "wandb"
    assert f"the runs are in {folder}; `wandb sync {folder}/offline-run-*`" in capsys.readouterr().err
    assert list(folder.glob("offline-run-*"))


def test_mlflow_keeps_a_run_per_trial_with_its_curve(tmp_path, monkeypatch, capsys):
    mlflow = pytest.importorskip("mlflow")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert run_train(tmp_path, "--trials", "2", "--tracker", "mlflow") == 0
    said = capsys.readouterr().err
    assert "mlflow ui --backend-store-uri" in said
    assert "warning" not in said
    client = mlflow.MlflowClient(tracking_uri=(tmp_path / "models" / "mlruns").as_uri())
    experiment = client.get_experiment_by_name("[1*2]")
    runs = client.search_runs([experiment.experiment_id])
    assert len(runs) == 2
    for run in runs:
        assert run.data.params["label"] == "hidden"
        assert 0 < run.data.metrics["final/test_accuracy"] < 100
        steps = client.get_metric_history(run.info.run_id, "accuracy")
        assert [one.step for one in steps] == [1, 2]
        assert run.info.status == "FINISHED"
        assert any(name.startswith("evidence/hidden/") for name in run.data.metrics)


def test_tensorboard_keeps_a_folder_of_events_per_trial(tmp_path, capsys):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    assert run_train(tmp_path, "--trials", "2", "--tracker", "tensorboard") == 0
    folder = tmp_path / "models" / "tensorboard"
    assert f"tensorboard --logdir {folder}" in capsys.readouterr().err
    folders = sorted(folder.iterdir())
    assert len(folders) == 2
    events = accumulators.EventAccumulator(str(folders[0])).Reload()
    assert [one.step for one in events.Scalars("accuracy")] == [1, 2]
    assert 0 < events.Scalars("final/test_accuracy")[0].value < 100
