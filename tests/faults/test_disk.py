"""A disk that is full, read-only or otherwise not writable ends a run with one sentence; saved files stay."""

import os
import resource
import shutil
import subprocess

import pytest
import train_command
from train_command import SESSION, assert_same, finished, kept, one_sentence, refused, train

from frustration.checkpoint import CheckpointFiles

pytestmark = pytest.mark.slow

PROBE = ("unshare", "--user", "--map-root-user", "--mount", "sh", "-c")
"""Runs a script in which root may mount, whoever we are."""


def _mounts_work() -> bool:
    script = "mount -t tmpfs none /mnt && mount -o remount,ro /mnt"
    return (
        bool(shutil.which("unshare")) and not subprocess.run([*PROBE, script], capture_output=True).returncode
    )


needs_mounts = pytest.mark.skipif(
    not _mounts_work(), reason="the probe `unshare --user --map-root-user --mount` could not mount a tmpfs"
)


POWERLESS = ("setpriv", "--inh-caps=-all", "--bounding-set=-all") if os.getuid() == 0 else ()
"""Permission bits bind root too, once it has given up its capabilities."""
needs_permissions = pytest.mark.skipif(
    bool(POWERLESS) and not shutil.which("setpriv"),
    reason="root without the program setpriv, so that permission bits do not bind",
)


def at_most(size):
    """In a child: no file may grow beyond `size` bytes, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_full_from_the_start_leaves_the_earlier_checkpoint_alone(tmp_path):
    model_dir, flags = tmp_path / "models", ("--arch", "[1*16]", "--meta-loops", "2")
    finished(model_dir, *flags)
    before = kept(model_dir)
    run = train(model_dir, *flags, preexec_fn=at_most(20_000))
    assert run.process.returncode == 1
    one_sentence(run, "cannot write", "mnist_lkg.resume.safetensors", "File too large", "untouched")
    assert kept(model_dir) == before
    finished(model_dir, *flags)
    assert CheckpointFiles(model_dir / "mnist_lkg").resumed().loop == 4


def test_a_disk_that_fills_up_during_a_run_costs_one_loop(tmp_path, uninterrupted):
    """What is kept first still fits; with moments and a base of their own, some files no longer do.

    It is a worker process that finds the disk full, and the run that says so.
    """
    model_dir = tmp_path / "models"
    run = train(model_dir, *SESSION, "--threads", "2", preexec_fn=at_most(100_000))
    assert run.process.returncode == 1
    assert '"type": "start"' in run.text
    one_sentence(run, "cannot write", "File too large", "untouched")
    assert not [name for name in kept(model_dir) if name.endswith(".partial")]
    finished(model_dir, *SESSION, "--threads", "2")
    assert_same(kept(model_dir), uninterrupted)


@needs_mounts
def test_a_run_on_a_full_file_system_continues_when_there_is_room(tmp_path, uninterrupted):
    """A tmpfs of 1.5 MB: what is kept at first fits into it, what is kept later does not."""
    disk, full, roomy = (tmp_path / name for name in ("disk", "full", "roomy"))
    for folder in (disk, full, roomy):
        folder.mkdir()
    command = subprocess.list2cmdline([train_command.TRAIN, "--model-dir", f"{disk}/models"])
    flags = subprocess.list2cmdline([*train_command.QUICK, *SESSION, "--threads", "1"]).replace(
        "[1*16]", "1x16"
    )
    script = f"""
        mount -t tmpfs -o size=1500k none {disk}
        {command} {flags} > {tmp_path}/events 2> {tmp_path}/complaint; echo $? > {tmp_path}/code
        cp -r {disk}/models {full}
        mount -o remount,size=30m {disk}
        {command} {flags} > {tmp_path}/later 2>&1; echo $? >> {tmp_path}/code
        cp -r {disk}/models {roomy}
    """
    subprocess.run([*PROBE, script], check=True)
    assert (tmp_path / "code").read_text().split() == ["1", "0"]
    (complaint,) = (tmp_path / "complaint").read_text().splitlines()
    assert "No space left on device" in complaint
    assert '"type": "start"' in (tmp_path / "events").read_text()
    assert not [name for name in kept(full) if name.endswith(".partial")]
    assert_same(kept(roomy / "models"), uninterrupted)


@needs_mounts
@pytest.mark.parametrize("frozen", [".", "1x2/none"])
def test_a_read_only_file_system_is_refused_before_any_training(tmp_path, frozen):
    model_dir = tmp_path / "models"
    finished(model_dir, "--arch", "[1*2]", "--trials", "1", "--meta-loops", "1")
    before, place = kept(model_dir), model_dir / frozen
    command = subprocess.list2cmdline(
        [train_command.TRAIN, "--arch", "1x2", "--trials", "1", *train_command.QUICK, "--model-dir"]
    )
    freeze = f"mount --bind {place} {place} && mount -o remount,ro,bind {place}"
    done = subprocess.run([*PROBE, f"{freeze} && {command} {model_dir}"], capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stdout == ""
    (sentence,) = done.stderr.splitlines()
    assert "cannot write" in sentence
    assert "Read-only file system" in sentence
    assert kept(model_dir) == before


@needs_permissions
@pytest.mark.parametrize("forbidden", [".", "1x2", "1x2/none"])
def test_a_folder_without_permission_is_refused_before_any_training(tmp_path, forbidden):
    """The model directory itself, or a folder in it that another user made."""
    model_dir = tmp_path / "models"
    for folder in (model_dir, model_dir / "1x2", model_dir / "1x2" / "none"):
        folder.mkdir()
        folder.chmod(0o777)
    (model_dir / forbidden).chmod(0o555)
    if forbidden != "1x2/none":
        (model_dir / "1x2" / "none").rmdir()
    run = train(model_dir, "--arch", "[1*2]", "--trials", "1", "--meta-loops", "1", prefix=POWERLESS)
    assert run.process.returncode == 1
    one_sentence(run, "cannot", str(model_dir), "Permission denied")
    assert '"type"' not in run.text
    assert set(kept(model_dir)) == set()


@pytest.mark.parametrize("blocked", ["models", "models/1x2", "models/1x2/none"])
def test_a_file_in_place_of_a_folder_is_named(tmp_path, capsys, blocked):
    path = tmp_path / blocked
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("not a folder")
    code, sentence = refused(
        capsys, "--arch", "1x2", "--trials", "1", "--model-dir", str(tmp_path / "models")
    )
    assert code == 1
    assert "cannot" in sentence
    assert str(path) in sentence
    assert path.read_text() == "not a folder"
