"""Files that are whole or not there; locks that go with their process; pipes and devices in their place."""

import errno
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import filelock
import pytest

from frustration import files
from frustration.files import (
    StorageError,
    append,
    in_turn,
    is_held,
    is_our_lock,
    make_folder,
    read_file,
    try_lock,
)

HOLD = """
import sys, time
from pathlib import Path
from frustration.files import try_lock
lock = try_lock(Path(sys.argv[1]))
print("held", flush=True)
time.sleep(60)
"""


def test_a_lock_goes_with_its_process_however_that_ends(tmp_path):
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", HOLD, path], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout.readline() == "held\n"
        assert try_lock(path) is None
        assert is_held(path)
        holder.kill()
    with try_lock(path):
        assert is_held(path)
    assert not is_held(path)
    assert is_our_lock(path)


def test_those_who_wait_for_a_lock_get_it_in_turn(tmp_path):
    path, entered = tmp_path / ".lock", []

    def enter():
        with in_turn(path):
            entered.append(len(entered))
            time.sleep(0.05)
            entered.append(entered[-1])

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered == [0, 0, 2, 2, 4, 4]  # nobody entered while another was inside


def test_a_question_about_a_lock_makes_none(tmp_path):
    assert not is_held(tmp_path / ".lock")
    assert list(tmp_path.iterdir()) == []


def test_a_file_system_without_locks_is_one_sentence(tmp_path, monkeypatch):
    def refuse(handle, blocking):
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(filelock, "lock_descriptor", refuse)
    with pytest.raises(StorageError, match=r"cannot lock .*: No locks available; name a folder on"):
        try_lock(tmp_path / ".lock")


@pytest.mark.parametrize("use", [read_file, try_lock])
def test_a_pipe_in_the_place_of_a_file_makes_nobody_wait(tmp_path, use):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises((OSError, StorageError), match="pipe or a device"):
        use(tmp_path / "pipe")


def test_a_device_or_a_folder_is_no_file(tmp_path):
    with pytest.raises(OSError, match="pipe or a device"):
        read_file(Path("/dev/zero"))
    with pytest.raises(IsADirectoryError):
        read_file(tmp_path)


def test_what_is_in_the_way_of_a_folder_is_named(tmp_path):
    link, file = tmp_path / "link", tmp_path / "file"
    link.symlink_to("nowhere")
    file.touch()
    for there in (link, file):
        with pytest.raises(StorageError, match=f"folder {there}/a/b: {there} is there and is no folder"):
            make_folder(there / "a" / "b")


def test_a_file_that_is_all_hole_is_not_read_into_memory(tmp_path):
    path = tmp_path / "hole"
    path.touch()
    os.truncate(path, 2**31)
    with pytest.raises(OSError, match=r"it has 2,147,483,648 bytes, more than such a file can have"):
        read_file(path)


def test_what_is_added_to_a_file_goes_to_its_end_and_a_pipe_in_its_place_makes_nobody_wait(tmp_path):
    for content in (b"one", b"two"):
        append(tmp_path / "file", content)
    assert read_file(tmp_path / "file") == b"onetwo"
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="No such device"):
        append(tmp_path / "pipe", b"three")


def test_without_a_home_folder_the_sentence_says_what_to_set(monkeypatch):
    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    with pytest.raises(StorageError, match="set HOME or XDG_CACHE_HOME"):
        files.users_cache()
    monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
    assert files.users_cache() == Path("/cache")
    with pytest.raises(StorageError, match="~nobody-of-this-name/x names a home folder that is not there"):
        files.expanded(Path("~nobody-of-this-name/x"))
