"""A study runs what is missing, whoever asks, however often it was killed, and always to the same bits."""

import json
import os
import signal
import threading
import time
from collections.abc import Set
from pathlib import Path

import pytest
from study_kit import begin, bits, ran, tiny, toml

from frustration.engine.trial import Trial
from frustration.files import StorageError
from frustration.runners.events import LoopDone, StudyStart, TrialDone, TrialFailed
from frustration.study.before_a_run import before_a_run
from frustration.study.run import StudyKeeper, prepare
from frustration.study.store import Store

pytestmark = pytest.mark.slow

LONGER = {
    "architectures": '["[1*2]", "[1*3]", "[1*4]", "[1*5]", "[2*2]"]',
    "meta_loops": "12",
    "trials": "3",
    "train_fraction": "0.05",
}
TOTAL = 30
"""A few seconds: long enough to be killed in."""


def lines_of_index(store: Store) -> list[str]:
    return [json.loads(line)["id"] for line in (store.root / "index.jsonl").read_text().splitlines() if line]


def wait_until(what, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.005)


@pytest.fixture(scope="module")
def longer(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("studies") / "longer.toml"
    path.write_text(toml(**LONGER))
    return path


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory) -> Store:
    store, outcome = ran(tmp_path_factory.mktemp("results") / "whole", tiny(**LONGER))
    assert outcome.done == outcome.total == TOTAL
    return store


def test_only_what_is_missing_is_run(tmp_path):
    store, _ = ran(tmp_path / "tiny")
    whole = bits(store)
    gone = sorted(whole)[::3]
    for trial_id in gone:
        store.record_path(trial_id).unlink()
    events = []
    _, outcome = ran(store.root, emit=events.append)
    assert {event.trial_id for event in events if isinstance(event, TrialDone)} == set(gone)
    assert (outcome.total, outcome.done, outcome.failed) == (8, 8, 0)
    assert bits(store) == whole
    events.clear()
    ran(store.root, emit=events.append)
    assert [type(event) for event in events] == [StudyStart]


def test_more_trials_are_added_and_those_there_are_left_alone(tmp_path):
    store, _ = ran(tmp_path / "tiny")
    before = bits(store)
    _, outcome = ran(store.root, tiny(trials="3"))
    after = bits(store)
    assert (outcome.total, outcome.done) == (12, 12)
    assert {trial_id: after[trial_id] for trial_id in before} == before
    # Their network does not depend on when they came.
    fresh, _ = ran(tmp_path / "fresh", tiny(trials="3", architectures='["[1*2]", "[1*4]"]'))
    assert bits(fresh).keys() == after.keys()


def test_the_number_of_workers_changes_no_bit(tmp_path):
    one, _ = ran(tmp_path / "one", workers=1)
    two, _ = ran(tmp_path / "two", workers=2)
    assert bits(one) == bits(two)


def test_two_processes_at_once_do_every_trial_exactly_once(tmp_path, longer, uninterrupted):
    store = Store(tmp_path / "shared")
    both = [begin(store.root, longer) for _ in range(2)]
    parts = [process.communicate(timeout=120)[0].split() for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(parts[0] + parts[1]) == sorted(bits(uninterrupted))
    assert sorted(lines_of_index(store)) == sorted(bits(uninterrupted))
    assert bits(store) == bits(uninterrupted)
    assert not list((store.root / "work").glob("*.safetensors"))


def test_killed_twice_it_ends_complete_and_in_the_same_bits(tmp_path, longer, uninterrupted):
    store = Store(tmp_path / "killed")
    work = store.root / "work"
    seen: set[bytes] = set()
    for _ in range(2):
        process = begin(store.root, longer)
        # Some loops later than the last kill, and before the end.
        wait_until(lambda old=frozenset(seen): len(new_checkpoints(work, old)) > 4)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
        seen |= new_checkpoints(work, seen)
        assert len(store.ids()[0]) < TOTAL
    checkpoints = list(work.glob("*.resume.safetensors"))
    assert checkpoints
    loops: list[int] = []
    _, outcome = ran(
        store.root,
        store.study(),
        emit=lambda event: loops.append(event.entry.loop) if isinstance(event, LoopDone) else None,
    )
    assert outcome.done == outcome.total == TOTAL
    assert len(loops) < TOTAL * 12  # it resumed from the checkpoints
    assert bits(store) == bits(uninterrupted)
    assert not list(work.glob("*.safetensors"))


def test_killing_the_process_that_drives_two_workers_fails_no_trial(tmp_path, longer, uninterrupted):
    """They notice by a pipe that breaks, and that is no error of the trial that was under way."""
    store = Store(tmp_path / "orphans")
    work = store.root / "work"
    seen: set[bytes] = set()
    for _ in range(3):
        process = begin(store.root, longer, workers=2)
        wait_until(lambda old=frozenset(seen): len(new_checkpoints(work, old)) > 3)
        process.send_signal(signal.SIGKILL)
        process.wait()
        time.sleep(0.3)  # longer than a worker takes to see that it is an orphan
        seen |= new_checkpoints(work, seen)
        assert len(store.ids()[0]) < TOTAL
    assert store.failures() == []
    _, outcome = ran(store.root, store.study())
    assert (outcome.done, outcome.failed) == (TOTAL, 0)
    assert bits(store) == bits(uninterrupted)


@pytest.mark.parametrize("kind", [LoopDone, TrialDone])
@pytest.mark.parametrize("error", [BrokenPipeError, ValueError])
def test_an_error_of_whoever_listens_is_no_failure_of_a_trial(kind, error, tmp_path):
    def emit(event):
        if isinstance(event, kind):
            raise error("nobody there")

    store = Store(tmp_path / "tiny")
    with pytest.raises(error, match="nobody there"):
        ran(store.root, emit=emit)
    assert store.failures() == []
    _, outcome = ran(store.root)
    assert (outcome.done, outcome.failed) == (8, 0)


def new_checkpoints(work: Path, seen: Set[bytes]) -> set[bytes]:
    """Digests in the checkpoints that are there and were not seen before."""
    found = set()
    for path in work.glob("*.resume.safetensors"):
        try:
            found.add(path.read_bytes()[-64:])
        except FileNotFoundError:
            continue
    return found - seen


def test_asked_to_stop_it_keeps_what_is_done_and_continues_later(tmp_path, uninterrupted):
    stop = threading.Event()
    seen = []

    def emit(event):
        seen.append(event)
        if sum(isinstance(event, LoopDone) for event in seen) == 40:
            stop.set()

    study = tiny(**LONGER)
    store, outcome = ran(tmp_path / "stopped", study, emit=emit, stop=stop)
    assert outcome.interrupted
    assert outcome.done < outcome.total
    assert list((store.root / "work").glob("*.resume.safetensors"))
    _, outcome = ran(store.root, study)
    assert (outcome.interrupted, outcome.done) == (False, TOTAL)
    assert bits(store) == bits(uninterrupted)


DAMAGE = {
    "empty": lambda resume, curve: resume.write_bytes(b""),
    "torn": lambda resume, curve: resume.write_bytes(resume.read_bytes()[:-9]),
    "folder": lambda resume, curve: (resume.unlink(), resume.mkdir()),
    "no curve": lambda resume, curve: curve.unlink(),
    "curve a folder": lambda resume, curve: (curve.unlink(), curve.mkdir()),
    "curve a pipe": lambda resume, curve: (curve.unlink(), os.mkfifo(curve)),
    "curve torn": lambda resume, curve: curve.write_bytes(curve.read_bytes()[:-9]),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_checkpoint_costs_its_own_trial_only_its_loops_and_is_named(
    damage, tmp_path, uninterrupted
):
    stop = threading.Event()
    study = tiny(**LONGER)
    store, _ = ran(
        tmp_path / "damaged", study, emit=lambda e: stop.set() if isinstance(e, LoopDone) else None, stop=stop
    )
    resumes = sorted((store.root / "work").glob("*.resume.safetensors"))[:3]
    for resume in resumes:
        DAMAGE[damage](resume, store.work(resume.name.split(".")[0]).curve)
    said = [one for one in before_a_run(prepare(study), store, None) if "starts over" in one]
    assert [one.partition(" is damaged (")[0] for one in said] == list(map(str, resumes))
    ran(store.root, study)
    assert bits(store) == bits(uninterrupted)


def test_a_trial_under_way_starts_anew_when_its_place_has_changed(tmp_path):
    """Bits may depend on the shape of the group, and growing changes it."""
    stop = threading.Event()
    study = tiny(meta_loops="4")
    root = tmp_path / "grows"
    ran(root, study, emit=lambda e: stop.set() if isinstance(e, LoopDone) else None, stop=stop)
    store, outcome = ran(root, tiny(meta_loops="4", trials="3"))
    assert outcome.done == 12
    whole, _ = ran(tmp_path / "at-once", tiny(meta_loops="4", trials="3"))
    assert bits(store) == bits(whole)


def failing(monkeypatch, trial: int, mode: str) -> None:
    """Makes one trial of every architecture meet an error in its second loop."""
    judge = Trial.judge

    def judged(self, plan, result):
        if self.spec.trial == trial and self.spec.label == mode and self.loop == 1:
            raise ZeroDivisionError("made up")
        return judge(self, plan, result)

    monkeypatch.setattr(Trial, "judge", judged)


def test_a_trial_that_fails_is_a_record_of_failure_and_the_others_go_on(tmp_path, monkeypatch):
    whole, _ = ran(tmp_path / "whole")
    events = []
    with monkeypatch.context() as patch:
        failing(patch, trial=1, mode="hidden")
        store, outcome = ran(tmp_path / "tiny", emit=events.append)
    assert (outcome.total, outcome.done, outcome.failed) == (8, 6, 2)
    failed = {event.trial_id for event in events if isinstance(event, TrialFailed)}
    assert failed == store.ids()[1]
    for failure in store.failures():
        assert failure["id"] in failed
        assert (failure["spec"]["mode"], failure["spec"]["trial"]) == ("hidden", 1)
        assert "ZeroDivisionError: made up" in failure["traceback"]
    assert bits(store) == {key: value for key, value in bits(whole).items() if key not in failed}

    _, outcome = ran(store.root)  # not asked to retry
    assert (outcome.done, outcome.failed) == (6, 2)
    with monkeypatch.context() as patch:
        failing(patch, trial=1, mode="hidden")
        _, outcome = ran(store.root, retry=True)  # and failing again
    assert (outcome.done, outcome.failed) == (6, 2)
    _, outcome = ran(store.root, retry=True)
    assert (outcome.done, outcome.failed) == (8, 0)
    assert bits(store) == bits(whole)


def test_a_full_disk_ends_the_run_in_one_sentence_and_damages_nothing(tmp_path, monkeypatch):
    whole, _ = ran(tmp_path / "whole")
    keep = StudyKeeper.keep
    calls = []

    def full(self, trial, entry):
        calls.append(trial)
        if len(calls) > 5:
            raise StorageError("cannot write: No space left on device; what was there before is untouched")
        keep(self, trial, entry)

    with monkeypatch.context() as patch:
        patch.setattr(StudyKeeper, "keep", full)
        with pytest.raises(StorageError, match="No space left on device"):
            ran(tmp_path / "tiny")
    store, outcome = ran(tmp_path / "tiny")
    assert (outcome.done, outcome.failed) == (8, 0)
    assert bits(store) == bits(whole)


def test_the_manifest_says_out_of_what_a_study_came_and_names_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr(
        "sys.argv", [str(Path.home() / "bin" / "study"), "run", str(Path.home() / "grid.toml")]
    )
    monkeypatch.setenv("SECRET", "very-secret-value")
    store, _ = ran(tmp_path / "tiny")
    ran(store.root)
    content = (store.root / "manifest.json").read_text()
    (entry,) = json.loads(content)["runs"]  # the second run says the same
    assert entry["command"] == "study run ~/grid.toml"
    assert entry["data"] == [
        {"dataset": "mnist", "train_fraction": 0.02, "digest": next(store.records()).spec.dataset_digest}
    ]
    assert entry["numerics"]["backend"] in ("native", "torch")
    assert entry["version"]
    assert entry["cpu"]
    assert "very-secret-value" not in content
    assert str(Path.home()) not in content
    monkeypatch.setattr("sys.argv", ["study", "retry", "tiny"])
    ran(store.root)
    assert len(json.loads((store.root / "manifest.json").read_text())["runs"]) == 2
