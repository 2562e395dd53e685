"""Compiles the C++ sources into a library in the user's cache, on first use and for this CPU.

The library's name holds two digests. The first is of the sources, the compiler's version and what
-march=native means on this CPU: a worker node with another CPU compiles its own. The second is of the
library itself: a file that does not agree with it, or that somebody else could have put there, is never
loaded but compiled again.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shlex
import shutil
import stat
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from frustration.errors import FrustrationError
from frustration.files import LOCK, PARTIAL, StorageError, expanded, try_lock, users_cache

SOURCES = Path(__file__).parent
OPTIMIZED = ("-O3", "-fvisibility=hidden", "-shared", "-fPIC")
# What the bits depend on: the compiler may fuse nothing that the source does not, and assume no errno.
LANGUAGE = ("-std=c++20", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 300
"""Seconds after which a compiler is given up, and what it left behind belongs to nobody."""
CACHE = "FRUSTRATION_CACHE"
PRIVATE = "frustration-native-"
"""How folders begin, in that of temporary files, that take the place of a cache for one run."""


class BuildError(FrustrationError):
    """Why there is no native engine, in one sentence."""


def native_flags() -> tuple[str, ...]:
    """Compile for the CPU that this process runs on."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return ("-march=native",) if x86 else ("-mcpu=native",)


def library_path(flags: Sequence[str] | None = None) -> Path:
    """The compiled engine, from the cache or compiled now; `flags` instead of those for this CPU."""
    command = [*compiler(), *OPTIMIZED, *LANGUAGE, *(native_flags() if flags is None else flags)]
    name = f"native-{_fingerprint(command)}"
    if folder := cache_folder():
        if found := _trusted(folder, name):
            return found
        with contextlib.suppress(OSError):  # a cache that is full or cannot be written
            return _compile(command, folder, name)
    try:
        folder = _folder_of_this_run()
        return _trusted(folder, name) or _compile(command, folder, name)
    except (OSError, StorageError) as error:
        raise BuildError(f"there is no folder to compile the native engine in: {error}") from None


def compiler() -> list[str]:
    """The command in CXX, else the first of the usual names that is on PATH."""
    names = [os.environ["CXX"]] if os.environ.get("CXX") else list(COMPILERS)
    for name in names:
        words = shlex.split(name)
        if words and shutil.which(words[0]):
            return words
    if os.environ.get("CXX"):
        raise BuildError(f"the C++ compiler that CXX names, {os.environ['CXX']}, is not on PATH")
    raise BuildError(f"no C++ compiler ({', '.join(COMPILERS)}) is on PATH")


# ---------------------------------------------------------------- where it is kept


def cache_folder() -> Path | None:
    """FRUSTRATION_CACHE, else the user's cache; None where there is none that only we may write in."""
    named = os.environ.get(CACHE)
    try:
        folder = (expanded(Path(named)) if named else users_cache() / "frustration" / "native").resolve()
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True)
        elif not named and _is_mine(folder):
            folder.chmod(0o700)
        return folder if _only_we_write(folder) else None
    except StorageError:  # there is no home folder
        return None
    except OSError as error:
        if named:
            raise BuildError(f"{CACHE}={named}: {error.strerror}") from None
        return None


def _folder_of_this_run() -> Path:
    """In place of a cache. Processes that this one starts are given it as theirs, and compile nothing."""
    folder = Path(_private()[0].name)
    os.environ[CACHE] = str(folder)
    return folder


@functools.cache
def _private() -> tuple[tempfile.TemporaryDirectory[str], IO[str] | None]:
    """A folder that goes with the process, and the lock that says so to those who sweep."""
    for left in Path(tempfile.gettempdir()).glob(f"{PRIVATE}*"):
        with contextlib.suppress(OSError, StorageError):
            if _is_mine(left) and _is_old(left) and (lock := try_lock(left / LOCK)):
                with lock:
                    shutil.rmtree(left)
    folder = tempfile.TemporaryDirectory(prefix=PRIVATE, ignore_cleanup_errors=True)
    return folder, try_lock(Path(folder.name) / LOCK)


# ---------------------------------------------------------------- what may be loaded


def _trusted(folder: Path, name: str) -> Path | None:
    """A library of this name that only we can have put there, and that is whole; others are removed."""
    for path in sorted(folder.glob(f"{name}-*.so")):
        with contextlib.suppress(OSError):  # one that may not be removed: read-only, or of somebody else
            if path.is_file() and _only_we_write(path) and path.name == _whole_name(name, path.read_bytes()):
                return path
            path.unlink()
    return None


def _whole_name(name: str, content: bytes) -> str:
    return f"{name}-{hashlib.sha256(content).hexdigest()}.so"


def _only_we_write(path: Path) -> bool:
    """Whether a file or folder, and no link to one, is ours or the system's and closed to other writers."""
    if os.name != "posix":
        return True
    found = path.lstat()
    closed = not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    return closed and found.st_uid in (0, os.geteuid()) and not stat.S_ISLNK(found.st_mode)


def _is_mine(folder: Path) -> bool:
    return os.name == "posix" and not folder.is_symlink() and folder.stat().st_uid == os.geteuid()


def _is_old(path: Path) -> bool:
    """Whether no compiler can be at work on it any more."""
    return time.time() - path.lstat().st_mtime > 2 * PATIENCE


# ---------------------------------------------------------------- compiling


def _fingerprint(command: Sequence[str]) -> str:
    # -### prints, and does not run, the inner command: version, target and -march=native spelt out.
    meaning = _run([*command, "-###", "-E", "-x", "c++", os.devnull]).stderr
    digest = hashlib.sha256(meaning.encode())
    for source in sorted([*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h")]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def _compile(command: Sequence[str], folder: Path, name: str) -> Path:
    """Each process compiles in a folder of its own and renames the outcome: nobody ever sees half of it."""
    for left in folder.glob(f".native-*{PARTIAL}"):
        if _is_old(left):
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(
        dir=folder, prefix=".native-", suffix=PARTIAL, ignore_cleanup_errors=True
    ) as place:
        made = Path(place) / "engine.so"
        _run([*command, str(SOURCES / "api.cpp"), "-o", str(made)], TMPDIR=place)
        with made.open("rb+") as file:
            target = folder / _whole_name(name, file.read())
            os.fsync(file.fileno())
        made.chmod(0o700)
        made.replace(target)
    return target


def _run(command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
    plain = {**os.environ, "LC_ALL": "C", **variables}
    try:
        return subprocess.run(
            command, check=True, capture_output=True, text=True, env=plain, cwd=SOURCES, timeout=PATIENCE
        )
    except subprocess.CalledProcessError as error:
        lines = [line for line in error.stderr.splitlines() if "error" in line] or error.stderr.splitlines()
        said = lines[0].strip() if lines else f"exit code {error.returncode}"
        raise BuildError(f"{command[0]} cannot compile the native engine: {said}") from None
    except subprocess.TimeoutExpired:
        raise BuildError(f"{command[0]} did not compile the native engine in {PATIENCE} seconds") from None
    except OSError as error:
        raise BuildError(f"{command[0]} cannot be started: {error.strerror}") from None
