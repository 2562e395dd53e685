"""The C++ sources become a library in the user's cache, compiled on first use for this CPU.

The library lies under a name made from the sources, the compiler's version and what -march=native means
on this CPU. Other sources, another compiler or another CPU make another file, so none is ever loaded
where it does not belong: a worker node with another CPU compiles its own.
"""

from __future__ import annotations

import functools
import hashlib
import os
import platform
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from frustration.errors import FrustrationError

SOURCES = Path(__file__).parent
OPTIMIZED = ("-O3", "-fvisibility=hidden", "-shared", "-fPIC")
# What the bits depend on: the compiler may fuse nothing that the source does not, and assume no errno.
LANGUAGE = ("-std=c++20", "-ffp-contract=off", "-fno-math-errno", "-fno-trapping-math")
COMPILERS = ("c++", "g++", "clang++")
PATIENCE = 300
"""Seconds after which a compiler is given up."""


class BuildError(FrustrationError):
    """Why there is no native engine, in one sentence."""


def native_flags() -> tuple[str, ...]:
    """Compile for the CPU that this process runs on."""
    x86 = platform.machine().lower() in ("x86_64", "amd64")
    return ("-march=native",) if x86 else ("-mcpu=native",)


def library_path(flags: Sequence[str] | None = None) -> Path:
    """The compiled engine, from the cache or compiled now; `flags` instead of those for this CPU."""
    command = [*compiler(), *OPTIMIZED, *LANGUAGE, *(native_flags() if flags is None else flags)]
    target = cache_folder() / f"native-{_fingerprint(command)}.so"
    if not target.exists():
        _compile(command, target)
    return target


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


def cache_folder() -> Path:
    """FRUSTRATION_CACHE, else the user's cache, else a private folder that goes with the process."""
    named = os.environ.get("FRUSTRATION_CACHE")
    root = Path(os.environ.get("XDG_CACHE_HOME", ""))
    base = root if root.is_absolute() else Path.home() / ".cache"  # the XDG rules void a relative path
    folder = Path(named).expanduser() if named else base / "frustration" / "native"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        if named:
            raise BuildError(f"FRUSTRATION_CACHE={named}: {error.strerror}") from None
        return Path(_process_folder().name)
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(_process_folder().name)


@functools.cache
def _process_folder() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="frustration-")


def _fingerprint(command: Sequence[str]) -> str:
    # -### prints, and does not run, the inner command: version, target and -march=native spelt out.
    meaning = _run([*command, "-###", "-E", "-x", "c++", os.devnull]).stderr
    digest = hashlib.sha256(meaning.encode())
    for source in sorted([*SOURCES.glob("*.cpp"), *SOURCES.glob("*.h")]):
        digest.update(source.name.encode() + b"\0" + source.read_bytes() + b"\0")
    return digest.hexdigest()[:20]


def _compile(command: Sequence[str], target: Path) -> None:
    """Each process compiles a file of its own and renames it: the last one wins, nobody sees half of one."""
    try:
        handle, partial = tempfile.mkstemp(dir=target.parent, prefix=".native-", suffix=".partial")
    except OSError as error:
        raise BuildError(f"cannot write in {target.parent}: {error.strerror}") from None
    os.close(handle)
    try:
        _run([*command, str(SOURCES / "api.cpp"), "-o", partial])
        Path(partial).replace(target)
    except OSError as error:
        raise BuildError(f"cannot write {target}: {error.strerror}") from None
    finally:
        Path(partial).unlink(missing_ok=True)


def _run(command: list[str]) -> subprocess.CompletedProcess[str]:
    plain = {**os.environ, "LC_ALL": "C"}
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
