"""The history of a study: every run, extension and look, in `manifest.json`.

It names no host, no user and no environment variable; the home folder is written as "~".
"""

from __future__ import annotations

import contextlib
import copy
import hashlib
import platform
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frustration.errors import InputError
from frustration.files import NO_FILES, StorageError, home, in_turn, read_file, set_aside, write_atomically
from frustration.sealed_json import seal_for_eyes, unseal
from frustration.version import PACKAGE, VERSION

if TYPE_CHECKING:
    from frustration.engine.population import Backend

SCHEMA = 1
LIBRARIES = ("numpy", "torch", "safetensors")


@dataclass(frozen=True, kw_only=True)
class Extension:
    """A run that raised the number of trials of a study that was there already."""

    when: str
    """UTC, in ISO 8601 with milliseconds."""
    before: int
    """Trials of every cell until then."""
    after: int
    command: str


@dataclass(frozen=True, kw_only=True)
class Look:
    """A report of other trials than the one before it: every look is one more chance of a false claim."""

    when: str
    """UTC, in ISO 8601 with milliseconds."""
    trials: int
    """Of every cell, as the study was defined then."""
    done: int
    """Trials of the whole study that had a record."""
    command: str


HISTORIES: Final[dict[str, type[Extension | Look]]] = {"extensions": Extension, "looks": Look}


def extensions(root: Path) -> tuple[Extension, ...]:
    """All extensions of a study, the oldest first."""
    return tuple(Extension(**fields) for fields in _seen(manifest_path(root))["extensions"])


def looks(root: Path) -> tuple[Look, ...]:
    """All looks at a study, the oldest first."""
    return tuple(Look(**fields) for fields in _seen(manifest_path(root))["looks"])


def manifest_path(root: Path) -> Path:
    return root / "manifest.json"


def keep_run(root: Path, entry: Mapping[str, Any]) -> None:
    """Add the entry of a run and when it began, unless the last one says the same."""
    with _changed(manifest_path(root)) as content:
        last = [{**one, "when": None} for one in content["runs"][-1:]]
        if last != [{**entry, "when": None}]:
            content["runs"].append({**entry, "when": _now()})


def keep_extension(root: Path, before: int, after: int) -> None:
    """Add an extension by the command under way, unless the last one, killed before it grew, was the same."""
    one = Extension(when=_now(), before=before, after=after, command=_anonymous(command_line()))
    with _changed(manifest_path(root)) as content:
        last = content["extensions"][-1:]
        if not last or (last[0]["before"], last[0]["after"]) != (before, after):
            content["extensions"].append(asdict(one))


def keep_look(root: Path, trials: int, done: int) -> None:
    """Add a look by the command under way, unless the last one saw the same trials."""
    one = Look(when=_now(), trials=trials, done=done, command=_anonymous(command_line()))
    with _changed(manifest_path(root)) as content:
        last = content["looks"][-1:]
        if not last or (last[0]["trials"], last[0]["done"]) != (one.trials, one.done):
            content["looks"].append(asdict(one))


def keep_history_of(root: Path, others: Sequence[Path]) -> None:
    """Add the runs, extensions and looks of studies whose trials were merged into this one."""
    with _changed(manifest_path(root)) as content:
        for theirs in [_seen(manifest_path(other)) for other in others]:
            for name in ("runs", *HISTORIES):
                content[name] += [one for one in theirs[name] if one not in content[name]]
                content[name].sort(key=lambda one: str(one.get("when", "")))
            content["lost"] |= theirs["lost"]


def read(path: Path) -> list[dict[str, Any]]:
    """The entries of all runs, the oldest first."""
    runs: list[dict[str, Any]] = _seen(path)["runs"]
    return runs


def data_digests(root: Path) -> dict[tuple[str, float], str]:
    """What identifies the data of the last run with each, by (data set or problem, training fraction)."""
    parts = (part for run in read(manifest_path(root)) for part in run.get("data", ()))
    return {(part["dataset"], part["train_fraction"]): part["digest"] for part in parts if _is_part(part)}


def _is_part(part: Any) -> bool:
    if not isinstance(part, dict) or part.keys() != {"dataset", "train_fraction", "digest"}:
        return False
    texts = isinstance(part["dataset"], str) and isinstance(part["digest"], str)
    known = part["digest"] != ""  # as it is of a problem that raised instead of giving its data
    return texts and known and isinstance(part["train_fraction"], int | float)


def damage(root: Path) -> str | None:
    """A sentence on a manifest that cannot be read; the next entry sets it aside."""
    path = manifest_path(root)
    try:
        why = _content(path)[1]
    except OSError as error:
        return f"{path} cannot be read: {error.strerror}"
    return f"{path} is damaged ({why}); a run or a report sets it aside and begins a new one" if why else None


def is_lost(root: Path) -> bool:
    """Whether the manifest was damaged once, so that it may have known of more looks and extensions."""
    return bool(_seen(manifest_path(root))["lost"])


def begun(root: Path) -> datetime | None:
    """When the first run of a study began, if its manifest says so."""
    for run in read(manifest_path(root))[:1]:
        with contextlib.suppress(ValueError, TypeError):
            when = datetime.fromisoformat(run.get("when", ""))
            return when if when.tzinfo else None
    return None


@contextlib.contextmanager
def _changed(path: Path) -> Iterator[dict[str, Any]]:
    """The content, for the block to change; it is written if it did. Processes take turns."""
    try:
        with in_turn(path.with_name(".manifest.lock")):
            content, why = _content(path)
            before = copy.deepcopy(content)
            yield content
            if content != before:
                if why:
                    set_aside(path)
                kept = {name: part for name, part in content.items() if name != "lost" or part}
                text = seal_for_eyes({"schema": SCHEMA, **kept})
                write_atomically(path, (text + "\n").encode())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None


def _seen(path: Path) -> dict[str, Any]:
    """The content, to look at: of a file that cannot be read nothing is known."""
    try:
        return _content(path)[0]
    except OSError:
        return _nothing(lost=True)


def _nothing(lost: bool) -> dict[str, Any]:
    return {"lost": lost, "runs": [], **{name: [] for name in HISTORIES}}


def _content(path: Path) -> tuple[dict[str, Any], str | None]:
    """By part: what is there, and what is wrong with it; nothing where the file is missing or damaged.

    `lost` is true from then on: it may have known of more.
    """
    content = _nothing(lost=False)
    try:
        found, _ = unseal(read_file(path))
    except FileNotFoundError:
        return content, None
    except InputError as error:
        return _nothing(lost=True), str(error)
    except OSError as error:
        if error.errno not in NO_FILES:
            raise
        return _nothing(lost=True), error.strerror
    foreign = bool(found.keys() - {"schema", "lost", "runs", *HISTORIES})
    for name in ("runs", *HISTORIES):
        theirs = found.get(name, [])
        fields = HISTORIES[name].__dataclass_fields__.keys() if name in HISTORIES else None
        if isinstance(theirs, list):
            content[name] = [one for one in theirs if isinstance(one, dict) and fields in (None, one.keys())]
        foreign |= content[name] != theirs
    content["lost"] = foreign or bool(found.get("lost"))
    return content, "it holds what this version does not write" if foreign else None


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def entry(data: Mapping[tuple[str, float], str], backend: Backend, command: Sequence[str]) -> dict[str, Any]:
    """What one run is made with; `data` are digests by (data set, training fraction)."""
    checkout = _checkout()
    return {
        "version": VERSION,
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
    at_home = str(home() or "")
    return shlex.join(command).replace(at_home, "~") if len(at_home) > 1 else shlex.join(command)


def _checkout() -> Path | None:
    """The root of the git checkout that this very code is part of, if it is."""
    package = PACKAGE
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
