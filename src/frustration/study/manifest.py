"""Out of what a study came: code, data and machine, but nobody's name. `manifest.json`, one entry a change.

It names no host, no user and no environment variable; the home folder is written as "~".
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import platform
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import frustration
from frustration.engine.population import Backend
from frustration.files import StorageError, write_atomically

SCHEMA = 1
LIBRARIES = ("numpy", "torch", "safetensors")


def keep(path: Path, entry: Mapping[str, Any]) -> None:
    """Add the entry of a run to the manifest, unless the last one says the same."""
    try:
        with path.with_name(".manifest.lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            runs = read(path)
            if not runs or runs[-1] != entry:
                content = {"schema": SCHEMA, "runs": [*runs, entry]}
                write_atomically(path, (json.dumps(content, indent=2) + "\n").encode())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def read(path: Path) -> list[dict[str, Any]]:
    """The entries that are there; none where the file is missing or damaged, for it can be written anew."""
    try:
        runs = json.loads(path.read_text())["runs"]
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return []
    return runs if isinstance(runs, list) else []


def entry(data: Mapping[tuple[str, float], str], backend: Backend, command: Sequence[str]) -> dict[str, Any]:
    """What one run is made with; `data` are digests by (data set, training fraction)."""
    checkout = _checkout()
    return {
        "version": frustration.__version__,
        "git": _git(checkout) if checkout else None,
        "lock": _digest(checkout / "poetry.lock") if checkout else None,
        "libraries": {name: found for name in LIBRARIES if (found := _version(name))},
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": cpu_model(),
        "numerics": backend.numerics(),
        "data": [
            {"dataset": name, "train_fraction": fraction, "digest": digest}
            for (name, fraction), digest in data.items()
        ],
        "command": _anonymous(command),
    }


def cpu_model() -> str:
    """As the system names it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    fields = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    name = fields.get("model name", platform.machine())
    if "cpu family" in fields and "model" in fields:
        name += f" (family {fields['cpu family']}, model {fields['model']})"
    return name


def command_line() -> list[str]:
    """This process's own, the program without its folder."""
    return [Path(sys.argv[0]).name, *sys.argv[1:]]


def _anonymous(command: Sequence[str]) -> str:
    home = str(Path.home())
    return shlex.join(command).replace(home, "~") if len(home) > 1 else shlex.join(command)


def _checkout() -> Path | None:
    """The root of the git checkout that this very code is part of, if it is."""
    package = Path(frustration.__file__).parent
    if _run_git(package, "ls-files", "--error-unmatch", "__init__.py") is None:
        return None
    root = _run_git(package, "rev-parse", "--show-toplevel")
    return Path(root) if root else None


def _git(checkout: Path) -> dict[str, Any] | None:
    commit = _run_git(checkout, "rev-parse", "HEAD")
    changes = _run_git(checkout, "status", "--porcelain", "--untracked-files=no")
    return {"commit": commit, "dirty": bool(changes)} if commit and changes is not None else None


def _run_git(folder: Path, *words: str) -> str | None:
    """What git says, or None where there is no git or it cannot answer."""
    try:
        done = subprocess.run(["git", "-C", str(folder), *words], capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else None


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
