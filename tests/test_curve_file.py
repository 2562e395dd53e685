"""A loop costs the same however many are behind it, and a curve that is not the counted one is never used."""

import copy
import json
import pickle

import pytest
from scripted import play

from frustration import sealed
from frustration.checkpoint import CheckpointFiles
from frustration.curve_file import NOTHING_KEPT, CurveLines
from frustration.files import StorageError
from frustration.runners.keeper import StudyKeeper
from frustration.runners.ray_node import RemoteStorage
from frustration.saved import OLDER_RESUME, pack_resume
from frustration.sealed import CheckpointError
from frustration.study.store import Store

SCRIPT = [50.0, 60.0, 40.0, 61.0, 30.0, 62.0]


def grown(files: CheckpointFiles, loops: int):
    """A trial whose every loop was kept as it came, and its files."""
    trial, _ = play("none", (SCRIPT * loops)[:loops])
    curve, trial.curve = trial.curve, []
    for entry in curve:
        trial.curve.append(entry)
        files.save(trial, lkg_too=False)
    return trial


@pytest.fixture
def files(tmp_path):
    return CheckpointFiles(tmp_path / "x_lkg")


def test_a_curve_kept_loop_by_loop_is_read_as_it_was(files):
    trial = grown(files, 6)
    again = files.load().trial
    assert again.curve == trial.curve
    assert again.kept == trial.kept
    assert trial.kept.bytes == files.curve.stat().st_size
    assert len(files.curve.read_text().splitlines()) == trial.kept.loops == 6


def test_what_a_loop_writes_does_not_grow_with_the_loops_behind_it(tmp_path):
    written = []
    for loops in (10, 1_000):
        trial, _ = play("none", (SCRIPT * loops)[:loops])
        last = trial.curve.pop()
        files = CheckpointFiles(tmp_path / str(loops))
        files.save(trial, lkg_too=False)
        trial.curve.append(last)
        checkpoint = pack_resume(trial)
        written.append(len(checkpoint.resume) + len(checkpoint.lines.content))
    assert written[1] < written[0] + 100


def test_the_bits_do_not_depend_on_how_often_it_was_kept(tmp_path):
    one, other = CheckpointFiles(tmp_path / "one"), CheckpointFiles(tmp_path / "other")
    grown(one, 6)
    trial, _ = play("none", SCRIPT)
    other.save(trial, lkg_too=False)
    assert one.curve.read_bytes() == other.curve.read_bytes()
    assert one.load().trial.kept == other.load().trial.kept


def test_a_loop_that_was_cut_off_between_the_two_files_left_nothing(files):
    """The lines come first; what a kill leaves behind them is written over."""
    trial = grown(files, 6)
    whole = files.curve.read_bytes()
    for tail in (b'{"loop": 7, "mode"', b"\xff" * 5000, whole):
        files.curve.write_bytes(whole + tail)
        again = files.load().trial
        assert again.curve == trial.curve
        again.curve.append(again.curve[-1])
        files.save(again, lkg_too=False)
        assert files.curve.stat().st_size == again.kept.bytes
        assert files.load().trial.curve == again.curve
        grown(files, 6)


DAMAGE = {
    "missing": lambda lines: None,
    "empty": lambda lines: [],
    "one line less": lambda lines: lines[:-1],
    "half a line less": lambda lines: [*lines[:-1], lines[-1][:100]],
    "two lines swapped": lambda lines: [lines[1], lines[0], *lines[2:]],
    "one line twice": lambda lines: [lines[0], *lines[:-1]],
    "a flipped bit": lambda lines: [*lines[:2], lines[2].replace(b"40.0", b"44.0"), *lines[3:]],
    "no digest": lambda lines: [
        lines[0].split(b', "sha256"')[0].ljust(len(lines[0]) - 2) + b"}\n",
        *lines[1:],
    ],
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_curve_is_named_in_one_sentence(files, kind):
    grown(files, 6)
    lines = DAMAGE[kind](files.curve.read_bytes().splitlines(keepends=True))
    if lines is None:
        files.curve.unlink()
    else:
        files.curve.write_bytes(b"".join(lines))
    with pytest.raises(CheckpointError, match=r"x_lkg\.curve\.jsonl") as raised:
        files.load()
    assert "\n" not in str(raised.value)


def test_the_curve_of_another_trial_is_refused(tmp_path):
    one, other = CheckpointFiles(tmp_path / "one"), CheckpointFiles(tmp_path / "other")
    grown(one, 6)
    trial, _ = play("none", [*SCRIPT[:5], 63.0])
    other.save(trial, lkg_too=False)
    assert one.curve.stat().st_size == other.curve.stat().st_size
    one.curve.write_bytes(other.curve.read_bytes())
    with pytest.raises(CheckpointError, match="of another moment, or of another trial"):
        one.load()


def test_an_older_file_with_the_curve_inside_is_read_and_upgraded(files):
    trial = grown(files, 6)
    tensors, metadata = sealed.unpack(files.resume.read_bytes())
    state = {**json.loads(metadata["state"]), "curve": [entry.to_dict() for entry in trial.curve]}
    older = {"format": OLDER_RESUME, "state": json.dumps(state)}
    files.resume.write_bytes(sealed.pack(tensors, older))
    files.curve.unlink()
    again = files.load().trial
    assert again.curve == trial.curve
    assert again.kept == NOTHING_KEPT
    files.save(again, lkg_too=False)
    assert again.kept == trial.kept
    assert files.load().trial.curve == trial.curve


def test_a_curve_that_was_removed_under_way_is_written_again(files):
    trial = grown(files, 5)
    files.curve.unlink()
    trial.curve.append(trial.curve[-1])
    files.save(trial, lkg_too=False)
    assert files.load().trial.curve == trial.curve


def test_a_curve_that_was_made_shorter_under_way_ends_in_one_sentence(files):
    trial = grown(files, 5)
    files.curve.write_bytes(b"")
    trial.curve.append(trial.curve[-1])
    with pytest.raises(StorageError, match="shorter"):
        files.save(trial, lkg_too=False)


def test_a_header_that_nobody_could_read_is_not_written():
    with pytest.raises(CheckpointError, match="too long to be read"):
        sealed.pack({}, {"format": "frustration-lkg-1", "mode_history": "x" * sealed.HEADER_BYTES})


class Actor:
    """Ray's actor, as far as a storage sees it: what was handed in arrives pickled, in order."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def do(self, line: RemoteStorage) -> None:
        for name, arguments in pickle.loads(pickle.dumps(line._calls)):
            getattr(self.store, name)(*arguments)
        line._calls.clear()


@pytest.mark.parametrize("far_away", [False, True])
def test_a_study_keeps_curves_where_its_checkpoints_are_and_removes_both(tmp_path, far_away):
    store = Store(tmp_path / "study")
    for folder in ("trials", "networks", "work"):
        (store.root / folder).mkdir(parents=True)
    actor, line = Actor(store), RemoteStorage(None, 1)
    keeper = StudyKeeper(line if far_away else store, networks=False)
    trial, _ = play("none", SCRIPT)
    trial.numerics = {"backend": "scripted"}
    curve, trial.curve = trial.curve, []
    for entry in curve:
        trial.curve.append(entry)
        keeper.keep(trial, entry)
        actor.do(line)
    files = store.work(trial.spec.id)
    assert files.load().trial.curve == curve
    assert store.under_way() == [(trial.spec.id, 6, trial.bounty)]
    unfinished = copy.copy(trial)
    trial.test_accuracy = 50.0
    keeper.finish(trial)
    actor.do(line)
    assert not list((store.root / "work").iterdir())
    unfinished.kept = NOTHING_KEPT
    StudyKeeper(store, networks=False).keep(unfinished, curve[-1])
    store.sweep()
    assert not list((store.root / "work").iterdir())


def test_lines_are_written_where_they_belong_however_often(tmp_path):
    path = tmp_path / "curve"
    CurveLines(0, b"one\n").write(path)
    for _ in range(2):
        CurveLines(4, b"two\n").write(path)
    assert path.read_bytes() == b"one\ntwo\n"
