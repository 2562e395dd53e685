"""Files that are whole or absent, locks that end with their process, and the user's folders."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import IO

from frustration.errors import FrustrationError, InputError

LOCK = ".lock"
"""The name of the lock of a model directory."""
DAMAGED = ".damaged"
"""How the names of files begin to end that could not be read and were set aside; nothing reads them."""
NO_FILES = frozenset({errno.EFBIG, errno.EINVAL, errno.EISDIR, errno.ELOOP, errno.ENXIO, errno.ENOENT})
"""Of errors in reading: something is in the place of a file of ours that is none. Others may pass."""
_OURS = b"frustration-engine\n"
"""What our lock files hold, because other programs name theirs so too."""

PARTIAL = ".partial"
"""How the names of files end that a killed process may leave half-written; nothing ever reads them."""


MOST_BYTES = 2**30
"""Of a file that is read at once, unless it holds a network: records of a million loops have a quarter."""
_SWIFT = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
"""How files are opened: a pipe in place of one makes nobody wait."""


class StorageError(FrustrationError):
    """A disk that is full, read-only or otherwise not writable."""


def home() -> Path | None:
    """The user's home folder; None where neither HOME nor the system names one."""
    try:
        return Path.home()
    except RuntimeError:
        return None


def users_cache() -> Path:
    """The folder of a user for what can be made again; StorageError where there is no home folder."""
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    if root.is_absolute():  # the XDG rules void a relative path
        return root
    if at_home := home():
        return at_home / ".cache"
    raise StorageError("this user has no home folder; set HOME or XDG_CACHE_HOME")


def expanded(path: Path) -> Path:
    """With the home folder in place of `~`; StorageError where there is none."""
    try:
        return path.expanduser()
    except RuntimeError:
        raise StorageError(f"{path} names a home folder that is not there") from None


def read_file(path: Path, most: float = MOST_BYTES) -> bytes:
    """The content of a file; OSError also for a pipe or a device, which may have no end, and for a file
    with more bytes than `most`: one that is all hole takes no room on the disk, and all memory here."""
    with os.fdopen(_open_regular(path, os.O_RDONLY), "rb", buffering=0) as file:
        if (size := os.fstat(file.fileno()).st_size) > most:
            raise OSError(errno.EFBIG, f"it has {size:,} bytes, more than such a file can have", str(path))
        return file.read()


def read_text(path: Path, what: str = "", encoding: str = "utf-8") -> str:
    """The text of a file that the user names; InputError, which calls it `what`, if it cannot be read."""
    name = f"{what} {path}".lstrip()
    try:
        return read_file(path).decode(encoding)
    except OSError as error:
        raise InputError(f"cannot read {name}: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise InputError(f"{name} is not text in UTF-8: {error}") from None


def open_file(path: Path) -> io.BufferedReader:
    """The same, piece by piece."""
    return os.fdopen(_open_regular(path, os.O_RDONLY), "rb")


def _open_regular(path: Path, flags: int) -> int:
    handle = os.open(path, flags | _SWIFT, 0o666)
    mode = os.fstat(handle).st_mode
    if stat.S_ISREG(mode):
        return handle
    os.close(handle)
    if stat.S_ISDIR(mode):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
    raise OSError(errno.EINVAL, "it is a pipe or a device, not a file", str(path))


def write_atomically(path: Path, content: bytes, durable: bool = False) -> None:
    """Replace a file in one step: readers, and a kill at any moment, see the old one or the new one.

    `durable` also waits for the disk, so that the new one survives a power cut.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}-{threading.get_ident()}{PARTIAL}")
    try:
        with partial.open("wb") as file:
            file.write(content)
            if durable:
                file.flush()
                os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where nothing may be written, nothing can be removed either
            partial.unlink(missing_ok=True)
        raise StorageError(
            f"cannot write {path}: {error.strerror}; what was there before is untouched"
        ) from None


def set_aside(path: Path) -> Path:
    """Rename what is damaged, whatever it is, so that its place is free; returns where it is now."""
    names = (path.with_name(f"{path.name}{DAMAGED}-{number}") for number in count(1))
    free = next(name for name in names if not os.path.lexists(name))
    try:
        return path.rename(free)
    except OSError as error:
        raise StorageError(f"cannot rename {path}: {error.strerror}") from None


def write_behind(path: Path, at: int, content: bytes) -> None:
    """Write content after the first `at` bytes of a file; those bytes stay, the rest is replaced."""
    try:
        with os.fdopen(_open_regular(path, os.O_RDWR | os.O_CREAT), "r+b") as file:
            if os.fstat(file.fileno()).st_size < at:
                raise StorageError(f"cannot write {path}: somebody has made it shorter than it was")
            file.seek(at)
            file.write(content)
            file.truncate()
    except OSError as error:
        raise StorageError(
            f"cannot write {path}: {error.strerror}; what was there before is untouched"
        ) from None


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file in one write: what several processes add to it is not mixed."""
    handle = _open_regular(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        os.write(handle, content)
    finally:
        os.close(handle)


def make_folder(path: Path) -> None:
    """A folder and those above it, where they are not there yet."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        there = next((one for one in (path, *path.parents) if os.path.lexists(one)), path)
        why = error.strerror if there.is_dir() else f"{there} is there and is no folder"
        raise StorageError(f"cannot make the folder {path}: {why}") from None


@contextlib.contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file while the block runs; if another process holds it, fail with the sentence `busy`.

    The lock goes with the process, however it ends; the file that stays behind means nothing.
    """
    make_folder(path.parent)
    file = try_lock(path)
    if file is None:
        raise FrustrationError(busy)
    with file:
        yield


@contextlib.contextmanager
def in_turn(path: Path) -> Iterator[None]:
    """Wait for a lock file, and hold it while the block runs."""
    with _lock(path, wait=True) or contextlib.nullcontext():
        yield


def try_lock(path: Path) -> IO[str] | None:
    """A lock file, held until it is closed; None if another process holds it."""
    return _lock(path, wait=False)


def is_our_lock(path: Path) -> bool:
    """Whether a file was made by us to be locked."""
    try:
        return not path.is_symlink() and read_file(path) == _OURS
    except OSError:
        return False


def is_held(path: Path) -> bool:
    """Whether a process holds a lock file; none is made."""
    from filelock import lock_descriptor

    try:
        handle = _open_regular(path, os.O_RDWR)
    except OSError:
        return False
    try:
        return not lock_descriptor(handle, blocking=False)
    except OSError:
        return False
    finally:
        os.close(handle)


def _lock(path: Path, wait: bool) -> IO[str] | None:
    from filelock import lock_descriptor

    while True:
        try:
            file = os.fdopen(_open_lock(path), "r+")
        except OSError as error:
            raise StorageError(f"cannot write in {path.parent}: {error.strerror}") from None
        try:
            if not lock_descriptor(file.fileno(), blocking=wait):
                file.close()
                return None
        except OSError as error:
            file.close()
            raise StorageError(
                f"cannot lock {path}: {error.strerror}; name a folder on a file system that has locks"
            ) from None
        if _is_still(path, file):
            return file
        file.close()


def _open_lock(path: Path) -> int:
    try:
        handle = _open_regular(path, os.O_RDWR | os.O_CREAT | os.O_EXCL)
    except FileExistsError:
        return _open_regular(path, os.O_RDWR | os.O_CREAT)
    with contextlib.suppress(OSError):  # a full disk; it can be locked all the same
        os.write(handle, _OURS)
    return handle


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether an open file is still the one at its path; its last holder may have removed it meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
