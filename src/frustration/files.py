"""Files that are either whole or not there."""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from frustration.errors import FrustrationError

LOCK = ".lock"
"""The name of the lock of a model directory."""

PARTIAL = ".partial"
"""How the names of files end that a killed process may leave half-written; nothing ever reads them."""


class StorageError(FrustrationError):
    """A disk that is full, read-only or otherwise unwilling."""


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


def make_folder(path: Path) -> None:
    """A folder and those above it, where they are not there yet."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StorageError(f"cannot make the folder {path}: {error.strerror}") from None


@contextlib.contextmanager
def locked(path: Path, busy: str) -> Iterator[None]:
    """Hold a lock file while the block runs; if another process holds it, fail with the sentence `busy`.

    The lock goes with the process, however it ends; the empty file that stays behind means nothing.
    """
    make_folder(path.parent)
    file = try_lock(path)
    if file is None:
        raise FrustrationError(busy)
    with file:
        yield


def try_lock(path: Path) -> IO[str] | None:
    """A lock file, held until it is closed; None if another process holds it."""
    while True:
        try:
            file = path.open("a")
        except OSError as error:
            raise StorageError(f"cannot write in {path.parent}: {error.strerror}") from None
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            return None
        except OSError as error:
            file.close()
            raise StorageError(f"cannot lock {path}: {error.strerror}") from None
        if _is_still(path, file):
            return file
        file.close()


def _is_still(path: Path, file: IO[str]) -> bool:
    """Whether an open file is still the one at its path; its last holder may have removed it meanwhile."""
    try:
        return path.stat().st_ino == os.fstat(file.fileno()).st_ino
    except FileNotFoundError:
        return False
