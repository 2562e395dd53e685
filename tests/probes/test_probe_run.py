"""A run measures what is missing, writes whole files, and touches nothing else; whatever happens to it."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time

import pytest
from probe_kit import QUICK, contents, measure, probed, random_network

from frustration.engine.trial import Trial
from frustration.errors import FrustrationError, InputError
from frustration.files import StorageError
from frustration.network import Shape
from frustration.probes.events import Measured, NotMeasured
from frustration.probes.networks import load_network
from frustration.probes.run import Start
from frustration.probes.settings import MEASURES, Wanted
from frustration.saved import pack_lkg
from frustration.spec import TrialSpec
from frustration.study import probe_files
from frustration.study.definition import Study
from frustration.study.merge import merge
from frustration.study.probe_files import ProbeFileError, ProbeFiles
from frustration.study.store import Store

pytestmark = pytest.mark.slow

QUICKEST = Wanted.of(["memory"])
"""For what holds whichever measure is taken."""


@pytest.fixture(scope="module")
def measured(finished, tmp_path_factory) -> Store:
    """The study, probed once without a break; nobody writes here."""
    root = tmp_path_factory.mktemp("measured") / "small"
    shutil.copytree(finished.root, root)
    assert probed(Store(root)).done == 12
    return Store(root)


@pytest.fixture
def done(measured, tmp_path) -> Store:
    """A copy of the probed study in tmp_path/small."""
    shutil.copytree(measured.root, tmp_path / "small")
    return Store(tmp_path / "small")


def others(store: Store) -> dict[str, tuple[bytes, int]]:
    """Every file of a study but its probes: content and time of the last change."""
    return {
        str(path.relative_to(store.root)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(store.root.rglob("*"))
        if path.is_file() and "probes" not in path.parts
    }


def times(store: Store) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in store.root.glob("probes/*/*")}


def flip(path) -> None:
    content = bytearray(path.read_bytes())
    content[-40] ^= 1
    path.write_bytes(content)


def test_records_and_networks_are_untouched(store):
    before = others(store)
    outcome = probed(store)
    assert (outcome.networks, outcome.done, outcome.left, outcome.sentences) == (12, 12, 0, ())
    assert others(store) == before
    assert len(contents(store)) == 12


def test_a_file_holds_every_measure_and_says_what_it_is_about(measured):
    for trial_id in measured.ids()[0]:
        path = measured.root / "probes" / trial_id[:2] / f"{trial_id}.json"
        content, record = json.loads(path.read_text()), measured.record(trial_id)
        assert content["probe_schema"] == 1
        assert content["id"] == trial_id
        assert content["architecture"] == str(record.spec.architecture)
        assert (content["mode"], content["trial"]) == (record.spec.label, record.spec.trial)
        assert content["parameters"] == record.parameters
        assert (
            content["test_accuracy"] == record.test_accuracy == content["measures"]["calibration"]["accuracy"]
        )
        assert set(content["measures"]) == set(MEASURES)
        for name, one in content["measures"].items():
            assert one["settings"] == QUICK.settings(name, 10_000)
    assert not list(measured.root.glob("probes/*/.*"))  # no locks, nothing half-written


def test_the_same_seed_gives_the_same_files_by_any_number_of_workers(measured, store):
    probed(store, workers=2)
    assert contents(store) == contents(measured)


def test_a_second_run_does_nothing_and_a_third_only_what_is_missing(measured, done):
    before = times(done)
    assert probed(done).networks == 0
    assert times(done) == before
    lost = ProbeFiles(done.root).path(min(done.ids()[0]))
    lost.unlink()
    assert probed(done).networks == 1
    assert {name for name, when in times(done).items() if when != before[name]} == {lost.name}
    assert contents(done) == contents(measured)


def test_measures_come_one_after_another_to_the_same_file(measured, store):
    probed(store, Wanted.of(["knockout", "memory"], QUICK.draws, QUICK.images))
    first = contents(store)
    assert all(set(json.loads(text)["measures"]) == {"knockout", "memory"} for text in first.values())
    heard = []
    probed(store, emit=heard.append)
    assert {event.measure for event in heard if isinstance(event, Measured)} == set(MEASURES) - {
        "knockout",
        "memory",
    }
    assert contents(store) == contents(measured)


def test_other_settings_replace_a_measure_and_leave_the_others(done):
    before = times(done)
    heard = []
    probed(done, Wanted.of(draws=7, images=QUICK.images), emit=heard.append)
    # Weight noise takes a fifth of the draws: 2 of 6 and 2 of 7.
    assert {event.measure for event in heard if isinstance(event, Measured)} == {"knockout"}
    assert all(one["settings"]["draws"] == 7 for one in measure(done, "knockout").values())
    assert all(when != before[name] for name, when in times(done).items())


def test_a_killed_run_continues_to_the_same_files(measured, store):
    command = [sys.executable, "-m", "frustration", "probe", str(store.root)]
    command += ["--draws", str(QUICK.draws), "--images", str(QUICK.images), "--workers", "2"]
    for files in (1, 6):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        while len(list(store.root.glob("probes/*/[!.]*.json"))) < files:
            assert process.poll() is None
            time.sleep(0.002)
        process.kill()
        process.wait()
        for text in contents(store).values():
            assert json.loads(text)["measures"]
    deadline = time.monotonic() + 60
    while probed(store).elsewhere:  # the killed run's workers end when they notice
        assert time.monotonic() < deadline
    assert contents(store) == contents(measured)


def test_stopped_it_keeps_what_it_has_and_continues_from_there(measured, store):
    stop = threading.Event()
    heard = []

    def emit(event):
        heard.append(event)
        if sum(isinstance(one, Measured) for one in heard) == 15:
            stop.set()

    outcome = probed(store, emit=emit, stop=stop)
    assert outcome.interrupted
    assert outcome.left > 0
    kept = sum(len(json.loads(text)["measures"]) for text in contents(store, without=()).values())
    assert kept == 15
    again = []
    assert not probed(store, emit=again.append).interrupted
    assert sum(isinstance(one, Measured) for one in again) == 12 * len(MEASURES) - 15
    assert contents(store) == contents(measured)


def test_a_damaged_network_is_one_sentence_and_the_rest_continues(measured, store):
    victim = sorted(store.ids()[0])[4]
    flip(store.network_path(victim))
    heard = []
    outcome = probed(store, emit=heard.append)
    (sentence,) = outcome.sentences
    assert str(store.network_path(victim)) in sentence
    assert "is damaged" in sentence
    assert (outcome.done, outcome.left, outcome.elsewhere) == (11, 1, 0)
    expected = contents(measured)
    del expected[victim]
    assert contents(store) == expected
    assert {one.trial_id for one in heard if isinstance(one, NotMeasured)} == {victim}


def test_a_grown_network_is_read_as_it_was_kept(tmp_path):
    spec = TrialSpec.of("[1*6]", "dendrites")
    trial = Trial.fresh(spec, Shape(spec.architecture, 12, 4))
    trial.lkg = random_network("[1*6]", dendrites=(2, 1), function="tanh").network
    store = Store(tmp_path)
    store.write_network(spec.id, pack_lkg(trial))
    kept = load_network(store.network_path(spec.id))
    assert kept.shape == trial.lkg.shape
    assert (kept.weights == trial.lkg.vector).all()
    assert kept.sha256 == hashlib.sha256(store.network_path(spec.id).read_bytes()).hexdigest()


def test_a_network_of_another_trial_is_found_out(store):
    by_label = {store.record(one).spec.label: one for one in sorted(store.ids()[0])}
    shutil.copy(store.network_path(by_label["hidden"]), store.network_path(by_label["none"]))
    (sentence,) = probed(store, QUICKEST).sentences
    assert "is not the network of that trial" in sentence
    assert by_label["none"] in sentence


def test_a_record_that_cannot_be_read_is_one_sentence(store):
    victim = min(store.ids()[0])
    store.record_path(victim).write_text("{")
    outcome = probed(store, QUICKEST)
    assert outcome.done == 11
    (sentence,) = outcome.sentences
    assert "is not a whole record" in sentence


@pytest.mark.parametrize(
    "text, words",
    [
        ("{", "is torn"),
        ('{"probe_schema": 2, "measures": {}}', "schema 2"),
        ("[]", "is torn"),
        ("{}", "schema None"),
    ],
)
def test_a_probe_that_cannot_be_read_is_left_alone(text, words, measured, store):
    shutil.copytree(measured.root / "probes", store.root / "probes")
    path = ProbeFiles(store.root).path(min(store.ids()[0]))
    path.write_text(text)
    (sentence,) = probed(store).sentences
    assert words in sentence
    assert path.read_text() == text


def test_a_flipped_bit_in_a_probe_is_noticed_and_one_without_a_digest_is_read(done):
    files, trial_id = ProbeFiles(done.root), min(done.ids()[0])
    path = files.path(trial_id)
    content = path.read_bytes()
    for place in range(0, len(content) - 1, 97):
        path.write_bytes(content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :])
        with pytest.raises(ProbeFileError, match=r"is torn|is not a probe that this version writes"):
            files.read(trial_id)
    older = json.loads(content)
    del older["sha256"]
    path.write_text(json.dumps(older))
    assert files.read(trial_id) == older


def test_a_network_that_was_replaced_is_measured_anew(done):
    path = ProbeFiles(done.root).path(min(done.ids()[0]))
    content = json.loads(path.read_text())
    before = path.read_bytes()
    del content["measures"]["memory"], content["sha256"]
    content["network"] = "0" * 64
    path.write_text(json.dumps(content))
    probed(done)
    ours, again = json.loads(before), json.loads(path.read_text())
    assert ours["network"] == again["network"]
    assert ours["measures"]["knockout"] == again["measures"]["knockout"]


def test_networks_that_were_not_kept_are_politely_refused(store):
    shutil.rmtree(store.root / "networks")
    with pytest.raises(InputError, match=r"has kept no networks \(.*networks holds none of its 12"):
        probed(store)
    path = store.root / "study.toml"
    path.write_text(path.read_text().replace("networks = true", "networks = false"))
    assert not Study.from_file(path).networks
    with pytest.raises(InputError, match=r"study\.toml says networks = false"):
        probed(store)
    assert not (store.root / "probes").exists()


def test_trials_without_a_network_are_counted(store):
    store.network_path(min(store.ids()[0])).unlink()
    outcome = probed(store, QUICKEST)
    assert (outcome.done, outcome.without) == (11, 1)


def test_other_data_are_refused(store, monkeypatch, mnist):
    from frustration.probes import plan

    monkeypatch.setattr(plan, "load", lambda name: mnist.head(1_000, 100, 100))
    with pytest.raises(InputError, match="are not the data that is here now"):
        probed(store)


def test_a_network_that_another_process_has_is_left_to_it(measured, store):
    taken = min(store.ids()[0])
    with ProbeFiles(store.root).claimed(taken) as ours:
        assert ours
        outcome = probed(store)
    assert (outcome.done, outcome.left, outcome.elsewhere) == (11, 1, 1)
    assert taken not in contents(store)
    assert probed(store).done == 12
    assert contents(store) == contents(measured)


def test_a_full_disk_ends_the_run_in_one_sentence(store, monkeypatch):
    real = probe_files.write_atomically
    written = []

    def write(path, content):
        if len(written) == 3:
            raise StorageError(f"cannot write {path}: No space left on device")
        written.append(path)
        real(path, content)

    monkeypatch.setattr(probe_files, "write_atomically", write)
    with pytest.raises(StorageError, match="No space left"):
        probed(store)
    assert len(contents(store)) == 3
    assert not list(store.root.glob("probes/*/.*"))


def test_a_worker_that_is_killed_ends_the_run_in_one_sentence(store):
    def emit(event):
        if isinstance(event, Measured):
            children = subprocess.run(
                ["ps", "-o", "pid=,args=", "--ppid", str(os.getpid())], capture_output=True, text=True
            ).stdout
            for line in children.splitlines():
                if "frustration.runners.worker" in line:
                    os.kill(int(line.split()[0]), signal.SIGKILL)

    with pytest.raises(FrustrationError, match=r"killed by SIGKILL.*run the same command again"):
        probed(store, workers=2, emit=emit)
    assert contents(store)


def test_corrupted_images_are_shared_by_networks_of_one_trial_number(store):
    heard = []
    probed(store, QUICKEST, emit=heard.append)
    start = heard[0]
    assert isinstance(start, Start)
    for workers in (1, 2):
        groups = start.plan.groups(workers)
        assert sorted(one for group in groups for one in group) == sorted(store.ids()[0])
        for group in groups:
            assert len({store.record(one).spec.trial for one in group}) == 1


def test_a_merge_takes_probes_along_and_changes_none(measured, store, tmp_path):
    target = Store(tmp_path / "all")
    merge(target, [measured])
    assert contents(target, without=()) == contents(measured, without=())
    probed(store, Wanted.of(["memory"]))
    before = contents(store, without=())
    merge(store, [measured])
    assert contents(store, without=()) == before
