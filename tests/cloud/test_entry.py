"""The entry of a job: what it reads, what it leaves, and how it says that something went wrong."""

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import launch_kit as kit
import pytest
from scripted import play

from frustration.cloud import container, entry
from frustration.cloud.entry import STOPPED, read_hyperparameters, read_task
from frustration.errors import InputError
from frustration.runners.keeper import StudyKeeper
from frustration.sealed import CheckpointError
from frustration.study.mirror import Mirror, restore
from frustration.study.presets import preset
from frustration.study.store import Store

SMALL = {"arch": "1x2", "num-runs": "1", "meta-loops": "2", "train-fraction": "0.02"}


def box(root: Path, **parameters: str) -> Path:
    """/opt/ml with these hyperparameters."""
    (root / "input" / "config").mkdir(parents=True)
    (root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(parameters))
    return root


def run(base: Path) -> int:
    return entry.run(base, functools.partial(container.write_failure, base))


def started(base: Path) -> subprocess.CompletedProcess[str]:
    """The entry file as a process, with nothing on its command line."""
    words = [sys.executable, str(Path(container.__file__))]
    environment = {**os.environ, "SAGEMAKER_BASE_DIR": str(base)}
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)


@pytest.fixture
def base(tmp_path):
    return tmp_path / "ml"


def test_a_job_needs_no_plan(base):
    assert run(box(base, **SMALL)) == 0
    store = Store(base / "model" / "study")
    (record,) = store.records()
    assert str(record.spec.architecture) == "[1*2]"
    assert store.network_path(record.spec.id).exists()
    assert (base / "model" / "results.txt").read_text() == f"{record.bounty:.2f}\n"
    assert not (base / "output" / "failure").exists()


@pytest.mark.parametrize(
    "written",
    [
        {"arch": "4x4,2x8", "ablation-mode": "hidden", "num-runs": "3", "meta-loops": "7"},
        {"arch": "[4*4, 2*8]", "ablation_mode": "hidden", "num_runs": "3", "meta_loops": "7"},
        {"arch": '"4x4,2x8"', "ablation-mode": '"hidden"', "num-runs": "3", "meta-loops": "7"},
        {
            "arch": "4x4,2x8",
            "ablation-mode": "hidden",
            "num-runs": "3",
            "meta-loops": "7",
            "sagemaker_program": '"train.py"',
            "sagemaker_region": '"us-east-1"',
        },
    ],
    ids=["dashes", "underscores", "json-in-json", "toolkit"],
)
def test_parameters_mean_the_same_however_they_are_spelt(base, written):
    study = read_task(box(base, **written)).study
    assert [str(one) for one in study.architectures] == ["[4*4, 2*8]"]
    assert (study.modes, study.trials, study.meta_loops) == (("hidden",), 3, 7)


def test_nothing_in_a_parameter_is_run_by_a_shell(base, tmp_path):
    mark = tmp_path / "pwned"
    done = started(box(base, **{**SMALL, "study": f"$(touch {mark})"}))
    assert done.returncode == 2
    assert not mark.exists()
    assert "becomes a folder" in (base / "output" / "failure").read_text()


@pytest.mark.parametrize(
    "written, said",
    [
        ({}, "neither a pack nor an arch"),
        ({"arch": "4y4"}, "4y4"),
        ({"arch": "1x2", "num-runs": "many"}, "num-runs must be a whole number"),
        ({"arch": "1x2", "lr": "fast"}, "lr must be a number"),
        ({"arch": "1x2", "epochs": "3"}, "unknown hyperparameter epochs"),
        ({"pack": "0123456789"}, "no plan in the channel has the pack 0123456789"),
    ],
)
def test_a_parameter_that_cannot_be_meant_ends_the_job_with_a_sentence(base, written, said):
    with pytest.raises(InputError, match=said):
        read_task(box(base, **written))


def test_a_file_that_is_no_object_is_refused(base):
    path = box(base) / "input" / "config" / "hyperparameters.json"
    path.write_text("[]")
    with pytest.raises(InputError, match="not an object"):
        read_hyperparameters(path)
    path.unlink()
    with pytest.raises(InputError, match="entry of a SageMaker job"):
        read_hyperparameters(path)


def test_a_crash_writes_its_reason_first_and_its_traceback_and_ends_with_an_error(base):
    (box(base, **SMALL) / "model").write_text("a file where a folder belongs")
    done = started(base)
    assert done.returncode == 1
    failure = (base / "output" / "failure").read_text()
    assert failure.splitlines()[0].startswith(("FileExistsError", "NotADirectoryError"))
    assert "Traceback" in failure
    assert len(failure) <= container.FAILURE_LETTERS
    assert "Traceback" in done.stderr


def test_a_trial_that_fails_fails_its_job_and_the_others_are_kept(base, monkeypatch):
    from frustration.engine.trial import Trial

    intervene = Trial.intervene

    def broken(self, *rest):
        if self.spec.trial == 1:
            raise RuntimeError("the second trial breaks")
        return intervene(self, *rest)

    monkeypatch.setattr(Trial, "intervene", broken)
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {0})  # one worker: this process
    assert run(box(base, **{**SMALL, "num-runs": "3"})) == 1
    failure = (base / "output" / "failure").read_text()
    assert failure.startswith("1 trials failed, the first with: RuntimeError: the second trial breaks")
    assert sorted(record.spec.trial for record in Store(base / "model" / "study").records()) == [0, 2]


def test_sigterm_before_training_began_is_no_failure(base, monkeypatch):
    def signalled(study, **rest):
        os.kill(os.getpid(), 15)

    monkeypatch.setattr("frustration.study.run.prepare", signalled)
    assert run(box(base, **SMALL)) == STOPPED
    assert not (base / "output" / "failure").exists()


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return kit.trained_here(tmp_path_factory.mktemp("trained"))


def mirrored(store, folder) -> Path:
    with Mirror(store, folder, seconds=60):
        pass
    return folder


def test_a_mirror_holds_what_the_store_does_and_a_restored_store_too(trained, tmp_path):
    ids = frozenset(trained.ids()[0])
    back = Store(tmp_path / "back")
    assert restore(mirrored(trained, tmp_path / "mirror"), back, ids, networks=True) == 8
    assert kit.files_of(back) == kit.files_of(trained)


@pytest.mark.parametrize("harm", ["no-network", "half-network", "half-record", "wrong-name"])
def test_what_is_not_whole_is_not_restored(trained, tmp_path, harm):
    ids = frozenset(trained.ids()[0])
    mirror = Store(mirrored(trained, tmp_path / "mirror"))
    victim, other = sorted(ids)[:2]
    network, record = mirror.network_path(victim), mirror.record_path(victim)
    if harm == "no-network":
        network.unlink()
    elif harm == "half-network":
        network.write_bytes(network.read_bytes()[:200])
    elif harm == "half-record":
        record.write_bytes(record.read_bytes()[:200])
    else:
        record.write_bytes(mirror.record_path(other).read_bytes())
    back = Store(tmp_path / "back")
    assert restore(mirror.root, back, ids, networks=True) == 7
    assert back.ids()[0] == ids - {victim}


def test_a_disk_that_takes_no_checkpoints_does_not_end_the_job(base, capsys):
    (box(base, **SMALL) / "checkpoints").write_text("a file where a folder belongs")
    assert run(base) == 0
    assert "checkpoints are not up to date" in capsys.readouterr().out
    assert (base / "model" / "results.txt").exists()


def test_trials_of_other_packs_are_not_restored(trained, tmp_path):
    one = min(trained.ids()[0])
    back = Store(tmp_path / "back")
    assert restore(mirrored(trained, tmp_path / "mirror"), back, frozenset([one]), networks=True) == 1
    assert back.ids()[0] == {one}


def test_the_mirror_forgets_checkpoints_of_finished_trials(trained, tmp_path):
    work = trained.root / "work" / "0123456789abcdef.resume.safetensors"
    work.write_bytes(b"state")
    mirror = Mirror(trained, tmp_path / "mirror", seconds=60)
    mirror.copy()
    assert (tmp_path / "mirror" / "work" / work.name).read_bytes() == b"state"
    work.unlink()
    mirror.copy()
    assert not (tmp_path / "mirror" / "work" / work.name).exists()


def test_a_checkpoint_in_a_mirror_has_the_curve_that_it_counts_whatever_came_first(tmp_path):
    store, mirror = Store(tmp_path / "study"), tmp_path / "mirror"
    (store.root / "work").mkdir(parents=True)
    trial, _ = play("none", [50.0, 60.0, 40.0, 61.0])
    trial.numerics = {"backend": "scripted"}
    curve, trial.curve = trial.curve, []
    keeper, files = StudyKeeper(store, networks=False), store.work(trial.spec.id)
    copier = Mirror(store, mirror, seconds=60)
    resumes = []
    for loop in curve:
        trial.curve.append(loop)
        keeper.keep(trial, loop)
        copier.copy()
        resumes.append(files.resume.read_bytes())
    there = Store(mirror).work(trial.spec.id)
    assert there.load().trial.curve == curve
    there.resume.write_bytes(resumes[1])  # the upload of the last one did not come through
    back = Store(tmp_path / "back")
    restore(mirror, back, frozenset([trial.spec.id]), networks=False)
    assert back.work(trial.spec.id).load().trial.curve == curve[:2]
    there.resume.write_bytes(resumes[3])
    there.curve.write_bytes(there.curve.read_bytes()[:-1])  # nor that of the curve
    restore(mirror, back, frozenset([trial.spec.id]), networks=False)
    with pytest.raises(CheckpointError, match="count"):  # the trial starts anew
        back.work(trial.spec.id).load()


def test_trials_are_delivered_by_architecture_mode_and_number_as_the_study_names_them():
    study = kit.study(architectures='["[1*4]", "[1*2]"]', modes='["output", "none"]')
    delivered = entry.by_cell(list(study.specs({("mnist", 0.02): ""})))
    assert [(str(one.architecture), one.label, one.trial) for one in delivered] == [
        (architecture, mode, trial)
        for architecture in ("[1*4]", "[1*2]")
        for mode in ("output", "none")
        for trial in (0, 1)
    ]


def test_of_a_grid_with_some_cells_every_trial_is_delivered_once():
    specs = list(preset("abc").specs({("mnist", 1.0): ""}))
    assert sorted(one.id for one in entry.by_cell(specs)) == sorted(one.id for one in specs)
