"""A run that is killed or interrupted at any moment loses at most the loop that it was in."""

import os
import random
import shutil
import signal
import time

import pytest
from train_command import (
    PATIENT,
    SESSION,
    Run,
    alive,
    assert_same,
    cpu_seconds,
    finished,
    kept,
    one_sentence,
    wait_until,
    workers_of,
)

from frustration.checkpoint import CheckpointFiles

pytestmark = pytest.mark.slow

KILLS = 5


def assert_loadable(model_dir):
    """Whatever is there can be read, by us and strictly by others."""
    stems = {
        path.with_name(path.name.removesuffix(".safetensors").removesuffix(".resume"))
        for path in model_dir.rglob("[!.]*.safetensors")
    }
    for stem in stems:
        files = CheckpointFiles(stem)
        assert files.load() is not None
        assert not files.lkg.exists() or files.lkg_holds(files.load().lkg) or _behind(files)


def _behind(files):
    """The LKG file is written after the resume file: a kill between them leaves it one bounty behind."""
    return len(files.load().trial.curve) > 0 and files.load().trial.curve[-1].new_bounty


def test_the_session_holds_what_the_kills_are_to_test(uninterrupted):
    curves = {name: record["curve"] for name, record in uninterrupted.items() if name.endswith("record.json")}
    assert len(curves) == 15
    entries = [entry for curve in curves.values() for entry in curve]
    assert any(not entry["accepted"] for entry in entries)
    assert any(entry["adopted"] for entry in entries)
    assert any(entry["accepted"] and not entry["new_bounty"] for entry in entries)


@pytest.mark.parametrize("threads, longest", [(1, 0.9), (2, 2.6)])
def test_a_session_killed_five_times_ends_in_the_same_bits(tmp_path, uninterrupted, threads, longest):
    """The second half of the ten kills has worker processes; only the parent is killed."""
    delays, kills, number = random.Random(threads), 0, 0
    while kills < KILLS:
        model_dir, number, over = tmp_path / f"session{number}", number + 1, False
        while not over:
            with Run(model_dir, *SESSION, "--threads", str(threads)) as run:
                run.until_training()
                if kills < KILLS:
                    time.sleep(delays.uniform(0, longest))
                else:
                    run.wait()
                over = run.process.poll() is not None
                if over:
                    assert run.process.returncode == 0, run.text
                    continue
                workers = workers_of(run.pid)
                run.kill()
                kills += 1
                assert wait_until(lambda pids=workers: not any(map(alive, pids)), PATIENT)
                assert_loadable(model_dir)
        assert_same(kept(model_dir), uninterrupted)


def test_workers_that_are_starting_do_not_outlive_their_parent(tmp_path):
    with Run(tmp_path / "models", *SESSION, "--threads", "2") as run:
        run.until_training()
        assert wait_until(lambda: len(workers_of(run.pid)) == 2, PATIENT)
        workers = workers_of(run.pid)
        run.kill()
        left = kept(tmp_path / "models")
    assert wait_until(lambda: not any(map(alive, workers)), PATIENT)
    assert kept(tmp_path / "models") == left


def test_workers_write_nothing_once_their_parent_is_killed(tmp_path):
    """Not even the loop that they are in, which takes seconds here."""
    model_dir, slow = tmp_path / "models", ("--arch", "[2*1024]", "--train-fraction", "1")
    with Run(model_dir, *SESSION, *slow, "--threads", "2") as run:
        run.until_training()
        assert wait_until(lambda: len(workers_of(run.pid)) == 2, PATIENT)
        workers = workers_of(run.pid)
        assert wait_until(lambda: all(cpu_seconds(pid) > 2.5 for pid in workers), 60)
        assert '"type": "loop"' not in run.text
        run.kill()
        left = kept(model_dir)
    assert wait_until(lambda: not any(map(alive, workers)), PATIENT)
    assert kept(model_dir) == left


def test_a_worker_that_is_killed_ends_the_run_with_one_sentence(tmp_path, uninterrupted):
    model_dir = tmp_path / "models"
    with Run(model_dir, *SESSION, "--threads", "2") as run:
        run.until('"type": "loop"', times=16)
        victim, *others = workers_of(run.pid)
        os.kill(victim, signal.SIGKILL)
        assert run.wait(15) == 1
        one_sentence(run, "worker process", "SIGKILL", "run the same command again")
        assert not any(map(alive, others))
    assert_loadable(model_dir)
    finished(model_dir, *SESSION, "--threads", "2")
    assert_same(kept(model_dir), uninterrupted)


@pytest.mark.parametrize("number, threads", [(signal.SIGTERM, "2"), (signal.SIGINT, "1")])
def test_an_interrupted_run_ends_cleanly_and_continues_to_the_same_bits(
    tmp_path, uninterrupted, number, threads
):
    """SIGINT goes to the whole process group, as Ctrl-C does."""
    model_dir = tmp_path / "models"
    with Run(model_dir, *SESSION, "--threads", threads, start_new_session=True) as run:
        run.until('"type": "loop"', times=20)
        workers, asked = workers_of(run.pid), time.monotonic()
        os.killpg(run.pid, number) if number == signal.SIGINT else os.kill(run.pid, number)
        assert run.wait() == 130
        assert time.monotonic() - asked < PATIENT
        assert not any(map(alive, workers))
        assert run.sentences == []
        assert '"interrupted": true' in run.text
    finished(model_dir, *SESSION, "--threads", threads)
    assert_same(kept(model_dir), uninterrupted)


def test_ctrl_c_while_workers_start_leaves_no_traceback(tmp_path):
    with Run(tmp_path / "models", *SESSION, "--threads", "2", start_new_session=True) as run:
        run.until_training()
        wait_until(lambda: bool(workers_of(run.pid)), seconds=5)
        os.killpg(run.pid, signal.SIGINT)
        assert run.wait(PATIENT) == 130
        assert run.sentences == []


def test_a_session_killed_before_its_end_was_kept_is_finished_not_extended(
    tmp_path, undisturbed, uninterrupted
):
    """Between the last loop and the record, whichever of the files were written."""
    model_dir = shutil.copytree(undisturbed, tmp_path / "models")
    stem = CheckpointFiles(model_dir / "1x16" / "none" / "t001_lkg")
    trial = stem.resumed()
    trial.ended, trial.test_accuracy = False, None
    stem.save(trial, lkg_too=False)
    stem.record.unlink()
    finished(model_dir, *SESSION)
    assert_same(kept(model_dir), uninterrupted)


def test_a_session_killed_before_all_its_trials_were_kept_ends_in_the_same_bits(tmp_path, uninterrupted):
    """Its trials share groups, on whose shape bits depend: those kept and the others belong together."""
    model_dir = tmp_path / "models"
    with Run(model_dir, *SESSION, "--threads", "2") as run:
        run.until_training()
        run.kill()
    for path in model_dir.rglob("t00[12]_lkg.*"):
        path.unlink()
    finished(model_dir, *SESSION)
    assert_same(kept(model_dir), uninterrupted)


def test_leftovers_of_a_killed_write_are_removed_and_those_of_a_run_inside_are_not(tmp_path):
    model_dir = tmp_path / "models"
    ours = model_dir / "1x2" / "none" / ".t000_lkg.resume.safetensors.1-2.partial"
    theirs = model_dir / "other" / ".mnist_lkg.safetensors.1-2.partial"
    for path in (ours, theirs):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"half")
    finished(model_dir, "--arch", "[1*2]", "--trials", "1", "--meta-loops", "1")
    assert not ours.exists()
    assert theirs.exists()
