"""perforatedai as a backend: it grows what ours grows, can be stopped anywhere, fails in one sentence."""

import copy
import dataclasses
import importlib.metadata
import io
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from laboratory import needs_library

from frustration import Architecture
from frustration.checkpoint import CheckpointFiles
from frustration.dendrites import Schedule, Settings
from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import ScoreError
from frustration.engine.group import plan
from frustration.engine.growth.step import grown
from frustration.engine.loop import train_group
from frustration.engine.perforated import wire
from frustration.engine.perforated.available import why_not_library
from frustration.engine.perforated.backend import LibraryBackend
from frustration.engine.perforated.child import answer
from frustration.engine.perforated.files import read_best_model
from frustration.engine.perforated.process import Files, LibraryError, LibraryProcess
from frustration.engine.population import Epoch, Interrupted
from frustration.engine.reference import ReferenceBackend
from frustration.errors import InputError
from frustration.modes import EpochSettings
from frustration.network import Shape
from frustration.streams import Streams
from frustration.testing.trials import same_bits, spec_of, trained

pytestmark = pytest.mark.slow


ARCHITECTURE = Architecture.parse("[1*8]")
BATCH, SAMPLES = 64, 320
GROWING = Settings(n_epochs_to_switch=2, max_dendrites=2)


@pytest.fixture(scope="module")
def images(mnist):
    return mnist.head(SAMPLES, 200, 200)


class Drive:
    """A trial in the small: what the meta-loop asks of a population and a schedule, and nothing else."""

    def __init__(self, images, settings: Settings = GROWING, files: Files | None = None) -> None:
        self.images, self.settings, self.files = images, settings, files or Files()
        self.streams = Streams(0, 0, ARCHITECTURE)
        self.shape = Shape(ARCHITECTURE, images.features, images.classes)
        self.network = self.saved = self.shape.view(self.shape.initial(self.streams.stream("init", 1)))
        self.draws = GrowthDraws.seeded(self.streams.growth_seed(1))
        self.moments, self.loop, self.log, self.grew_alike = None, 0, [], []
        self.open(Schedule(settings))

    def open(self, schedule: Schedule) -> None:
        self.backend = LibraryBackend(files=self.files)
        self.population(self.shape)
        seed = self.streams.growth_seed(1)
        self.schedule = self.backend.take_over(schedule, seed, self.network, self.saved)

    def population(self, shape: Shape):
        return self.backend.population(shape, ("p",), self.images, BATCH)

    def again(self) -> None:
        """Continue in a new process, from what a checkpoint holds."""
        state = json.loads(json.dumps(self.schedule.state()))
        self.backend.close()
        if self.moments is not None:
            self.moments = copy.copy(self.moments)
        self.open(Schedule.from_state(state))

    def epoch(self, **settings) -> Epoch:
        return Epoch(
            order=self.streams.order(self.loop, SAMPLES),
            settings=EpochSettings(**{"learning_rate": 5e-3, "dropout": 0.1} | settings),
            dropout_key=self.streams.dropout_key(self.loop),
            moments=self.moments,
        )

    def step(self) -> str:
        self.loop += 1
        population = self.population(self.network.shape)
        population.load(0, self.network.vector)
        (loss,) = population.train({0: self.epoch()}, threading.Event())
        (correct,) = population.evaluate("validation")
        self.network = self.network.shape.view(population.weights(0))
        self.moments = population.moments(0)
        decision = self.schedule.observe(correct / 200)
        if decision.save:
            self.saved = self.network
        if decision.restore:
            self.draws.restore(self.saved.shape)
            self.network, self.moments = self.saved, None
        if decision.action == "grow":
            self.network = grown(self.network, (True, True), self.settings, self.draws)
        self.log.append((loss, correct, decision, self.schedule.added))
        if decision.action != "train":
            theirs = self.schedule.grown()
            self.grew_alike.append(
                theirs.shape == self.network.shape and same_bits(theirs.vector, self.network.vector)
            )
        return decision.action

    def to_the_end(self, between: Callable[["Drive"], None] = lambda drive: None) -> "Drive":
        while self.step() != "end" and self.loop < 60:
            between(self)
        self.backend.close()
        return self


@pytest.fixture(scope="module")
def whole(images) -> Drive:
    return Drive(images).to_the_end()


@needs_library
def test_the_library_grows_and_restores_the_networks_that_our_draws_grow_and_we_restore(whole):
    assert [decision.action for _, _, decision, _ in whole.log].count("grow") >= 2
    assert whole.grew_alike
    assert all(whole.grew_alike)


@needs_library
def test_a_trial_that_continues_in_new_processes_ends_with_the_same_bits(images, whole):
    """Right after it first grew, and when it has grown for a while."""
    first = next(loop for loop, (_, _, decision, _) in enumerate(whole.log, 1) if decision.action == "grow")

    def in_a_new_process(drive: Drive) -> None:
        if drive.loop in (first, len(whole.log) - 2):
            drive.again()

    resumed = Drive(images).to_the_end(in_a_new_process)
    assert resumed.log == whole.log
    assert same_bits(resumed.network.vector, whole.network.vector)


@needs_library
def test_nothing_that_happens_between_epochs_changes_a_bit(images, whole, tmp_path, monkeypatch):
    monkeypatch.setenv("RANK", "1")  # with it the library saves nothing, and misses it at the first growth
    monkeypatch.setenv("PYTHONWARNINGS", "error")  # it warns when it wraps a layer
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))

    def disturb(drive: Drive) -> None:
        if drive.loop not in (3, 9):
            return
        population = drive.population(drive.network.shape)  # an epoch that diverges and is discarded
        population.load(0, drive.network.vector)
        population.train({0: drive.epoch(learning_rate=1e30)}, threading.Event())
        assert population.evaluate("validation") == [-1]
        population.load(0, drive.network.vector)
        right = population.evaluate("validation")
        assert population.evaluate("validation", None, [0]) == right
        assert population.evaluate("validation", None, []) == [-1]
        more = (True, True)
        once = grown(drive.network, more, GROWING, GrowthDraws.seeded(1))
        guest = grown(once, more, GROWING, GrowthDraws.seeded(2))
        population = drive.population(guest.shape)
        population.load(0, guest.vector)
        assert population.evaluate("validation") == right  # a new dendrite has no weight yet
        with pytest.raises(LibraryError, match="grows by its own schedule only"):
            population.train({0: drive.epoch()}, threading.Event())
        population.load(0, np.full(guest.shape.size, np.nan, np.float32))
        assert population.evaluate("test") == [-1]
        with pytest.raises(ScoreError):
            drive.schedule.observe(float("nan"))

    disturbed = Drive(images).to_the_end(disturb)
    assert disturbed.log == whole.log
    assert list(tmp_path.glob("frustration-*")) == []  # and the process cleans up


def of_trial(mode: str, loops: int = 14):
    return spec_of("[1*12]", f"{mode}:n_epochs_to_switch=2", meta_loops=loops, learning_rate=1e-2)


@needs_library
def test_whole_trials_with_damage_and_dropout_are_those_of_the_reference(images):
    spec = of_trial("hidden+dropout+dendrites")
    (theirs,) = trained([spec], images, LibraryBackend())
    (ours,) = trained([spec], images, ReferenceBackend())
    assert ours.growth.summary()["attempts"]
    assert theirs.curve == ours.curve
    assert theirs.record().growth == ours.record().growth
    assert same_bits(theirs.lkg.vector, ours.lkg.vector)
    assert theirs.numerics["dendrites"] == "gradient-descent dendrites"


@needs_library
def test_a_trial_that_was_cut_off_continues_from_its_checkpoint(images, tmp_path):
    spec, files = of_trial("dendrites"), CheckpointFiles(tmp_path / "mnist_lkg")
    (half,) = trained([spec.until(9)], images, LibraryBackend())
    files.save(half, lkg_too=True)
    half.spec = spec
    resumed = files.resumed()
    resumed.spec = spec
    (whole,) = trained([spec], images, ReferenceBackend())
    for trial in (half, resumed):  # in one program, where its process has ended; and in another
        (group,) = plan([trial], LibraryBackend())
        train_group(group, LibraryBackend(), images, lambda trial, entry: None, threading.Event())
        assert trial.curve == whole.curve
        assert same_bits(trial.lkg.vector, whole.lkg.vector)
    assert isinstance(copy.deepcopy(half).growth.schedule, Schedule)


@needs_library
def test_its_own_files_are_kept_for_those_who_ask(images, tmp_path):
    files = Files(tmp_path / "kept", graphs=True, test_saves=True)
    waiting = Settings(switch_mode="every", min_epochs_before_growth=2, max_dendrites=1)
    drive = Drive(images, waiting, files)
    assert [drive.step(), drive.step()] == ["train", "grow"]
    best = drive.saved
    drive.backend.close()
    (folder,) = files.folder.iterdir()
    names = {path.name for path in (folder / "run").iterdir()}
    assert {"best_model.pt", "latest.pt", "run.png", "runScores.csv", "run_best_arch_scores.csv"} <= names
    assert "Building dendrites without Perforated Backpropagation" in (folder / "library.log").read_text()
    assert same_bits(read_best_model(folder / "run" / "best_model.pt").vector, best.vector)
    assert "test" in (folder / "run" / "run_best_arch_scores.csv").read_text().splitlines()[0]


@needs_library
def test_stopping_in_an_epoch_ends_the_process_and_its_folder(images):
    drive = Drive(images)
    drive.population(drive.shape).load(0, drive.network.vector)
    folder = drive.schedule._process.folder
    stop = threading.Event()
    stop.set()
    long = dataclasses.replace(drive.epoch(), order=np.tile(drive.epoch().order, 300))
    with pytest.raises(Interrupted):
        drive.population(drive.shape).train({0: long}, stop)
    assert not folder.exists()
    with pytest.raises(LibraryError, match=r"ended by itself \(exit code -9\)"):
        drive.step()


@needs_library
def test_a_decision_that_its_rules_do_not_explain_ends_the_trial(images):
    drive = Drive(images, Settings(switch_mode="every"))
    drive.schedule._mirror._mode = "none"
    with pytest.raises(LibraryError, match="decided to grow at 1 dendrites where its rules"):
        drive.step()
    drive.backend.close()


@needs_library
def test_a_trial_of_another_backend_is_not_gone_on_with(images):
    backend = LibraryBackend()
    shape = Shape(ARCHITECTURE, images.features, images.classes)
    backend.population(shape, ("p",), images, BATCH)
    network = shape.view(np.zeros(shape.size, np.float32))
    schedule = Schedule(GROWING)
    schedule.observe(0.5)
    with pytest.raises(LibraryError, match="started by another backend"):
        backend.take_over(schedule, 0, network, network)
    with pytest.raises(InputError, match="starts from a network without dendrites"):
        backend.take_over(
            Schedule(GROWING), 0, grown(network, (True, True), GROWING, GrowthDraws.seeded(1)), None
        )
    with pytest.raises(InputError, match="the mode reset"):
        backend.take_over(Schedule(GROWING, counts_growth=False), 0, network, None)


@needs_library
def test_the_librarys_debugger_raises_and_waits_for_nobody(tmp_path):
    program = """
import torch
from frustration.dendrites import Settings
from frustration.engine.perforated import perforated
from frustration.simple_mlp import SimpleMLP
perforated.fence_off()
settings = Settings(switch_mode="every")
perforated.configure(settings, perforated.mlp_layers(2), False, False)
network = perforated.PerforatedMLP(SimpleMLP("[1*4]", 6, 3), settings, False)
perforated.GPA.pai_tracker.set_optimizer_instance(torch.optim.SGD(network.module.parameters(), lr=0.1))
try:
    network.observe(0.5, False, None)  # it has to grow, and no gradient has told it how wide its layers are
except perforated.DebuggerReached as stop:
    print("RAISED", stop)
try:
    input("email:")
except perforated.DebuggerReached as stop:
    print("RAISED", stop)
"""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdin=subprocess.PIPE,
        capture_output=True,
        text=True,
        timeout=120,
    )
    raised = [line for line in done.stdout.splitlines() if "RAISED" in line]
    assert len(raised) == 2, done.stderr[-2000:]


def test_a_process_whose_parent_dies_before_it_asks_anything_removes_its_folder():
    process = LibraryProcess(Files())
    assert process.folder.exists()
    process._requests.close()  # as a kill of the parent does
    process._process.wait(timeout=60)
    assert not process.folder.exists()


def test_a_library_that_ends_its_process_with_success_has_failed():
    held = io.BytesIO()
    answer(held, lambda: sys.exit(0), {}, {}, (), Path())
    held.seek(0)
    message, _ = wire.receive(held)
    assert message["failed"] == "the library ended its process with sys.exit(0)"


def test_messages_arrive_as_they_were_sent():
    held = io.BytesIO()
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.zeros((0, 4), np.int64)}
    wire.send(held, {"x": [1, None, "ü"], "loss": float("inf")}, arrays)
    held.seek(0)
    message, got = wire.receive(held)
    assert message == {"x": [1, None, "ü"], "loss": float("inf")}
    assert all(
        np.array_equal(got[name], arrays[name]) and got[name].dtype == arrays[name].dtype for name in arrays
    )
    with pytest.raises(EOFError):
        wire.receive(held)


@pytest.mark.parametrize("version", ["3.2.8", "3.0.1", None])
def test_another_version_is_refused_in_one_sentence(version, monkeypatch):
    def installed_version(name):
        if version is None:
            raise importlib.metadata.PackageNotFoundError(name)
        return version

    monkeypatch.setattr(importlib.metadata, "version", installed_version)
    with pytest.raises(InputError) as refusal:
        LibraryBackend()
    said = str(refusal.value)
    assert "\n" not in said
    assert ("is not installed" in said) if version is None else (version in said and "3.2.9" in said)


@pytest.mark.parametrize(
    ("python", "system", "machine", "how"),
    [
        ((3, 12, 1), "Linux", "x86_64", "pip install perforatedai==3.2.9"),
        ((3, 13, 0), "Linux", "x86_64", "it has no wheel for Python 3.13 on Linux x86_64"),
        ((3, 12, 1), "Linux", "aarch64", "it has no wheel for Python 3.12 on Linux aarch64"),
        ((3, 13, 0), "Darwin", "arm64", "pip install perforatedai==3.2.9"),
    ],
)
def test_where_it_has_no_wheel_nobody_is_told_to_install_it(python, system, machine, how, monkeypatch):
    def absent(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", absent)
    monkeypatch.setattr(sys, "version_info", python)
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    said = f"perforatedai is not installed: {how}; --backend torch or native needs none of it"
    assert why_not_library() == said


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(LibraryError, match="cannot write perforatedai's files"):
        LibraryProcess(Files(tmp_path / "file" / "below"))
