"""The folder that `train` saves its checkpoints in: what runs have left there, and what a name stands for."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from frustration.architecture import Architecture, ArchitectureError
from frustration.errors import InputError, did_you_mean
from frustration.files import LOCK, PARTIAL, StorageError, is_our_lock

DEFAULT = "mnist_lkg.safetensors"
LKG, RESUME, RECORD = "_lkg.safetensors", "_lkg.resume.safetensors", "_lkg.record.json"
CURVE, FAILURE = "_lkg.curve.jsonl", "_lkg.failed.json"
_KEPT = f".+(?:{'|'.join(map(re.escape, (LKG, RESUME, CURVE, RECORD, FAILURE)))})"
_LEFT_BY_RUNS = re.compile(rf"{_KEPT}|\.{_KEPT}\.[0-9]+-[0-9]+{re.escape(PARTIAL)}")
PLACEHOLDERS = ("README.md", ".gitignore", ".gitkeep")


class ModelDirectory:
    """The folder that nothing here ever leaves. It may be a link itself; links inside are never followed."""

    def __init__(self, given: Path) -> None:
        self.given, self.root = given, given.resolve()

    def is_one(self) -> bool:
        """Whether it holds a checkpoint, or nothing at all; not where --model-dir was a slip."""
        if any(self.left_by_runs()) or any(self.root.rglob("*.safetensors")):
            return True
        return {path.name for path in self.root.iterdir()} <= {*PLACEHOLDERS, LOCK}

    def shown(self, path: Path) -> Path:
        """As the user would write it."""
        return self.given / path.relative_to(self.root)

    def wanted(self, names: Sequence[str], everything: bool) -> list[Path]:
        """What is to be removed; InputError, before anything is, if a name is not there."""
        if everything:
            return list(self.left_by_runs())
        if not names:
            return [path for path in family(self.root / DEFAULT) if exists(path)]
        return list(dict.fromkeys(path for name in names for path in self._named(name)))

    def folders_of(self, paths: Sequence[Path]) -> list[Path]:
        """Those between the model directory and any of these."""
        folders = {folder for path in paths for folder in path.parents if self.root in folder.parents}
        return sorted(folders)

    def left_by_runs(self, folder: Path | None = None) -> Iterator[Path]:
        """What has a name that runs give, and their folders if empty, in order; our own lock is not among it.

        A link, and a folder in place of a file, is taken by its own name, whatever is behind it.
        """
        folder = folder or self.root
        try:
            with os.scandir(folder) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as error:
            raise StorageError(f"cannot list {self.shown(folder)}: {error.strerror}") from None
        if not entries and self._of_a_comparison(folder) and not _LEFT_BY_RUNS.fullmatch(folder.name):
            yield folder
        for entry in entries:
            path = Path(entry.path)
            if entry.is_dir(follow_symlinks=False):
                yield from self.left_by_runs(path)
            if _LEFT_BY_RUNS.fullmatch(entry.name) or (
                entry.name == LOCK and path != self.root / LOCK and is_our_lock(path)
            ):
                yield path

    def _of_a_comparison(self, folder: Path) -> bool:
        """Whether its place is ARCHITECTURE, or MODE in it."""
        return any(map(_is_architecture, folder.relative_to(self.root).parts[-2:]))

    def remove(self, path: Path) -> None:
        """One file, link or empty folder, and the folders that are empty without it."""
        try:
            if path.is_dir() and not path.is_symlink():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {self.shown(path)}: {error.strerror}") from None
        for folder in path.parents:
            if folder == self.root or any(folder.iterdir()):
                return
            folder.rmdir()

    def _named(self, name: str) -> list[Path]:
        """The files that a name stands for."""
        path = self._place(name)
        if path == self.root:
            raise InputError(f"{name} is the model directory itself; --all removes what runs have left in it")
        self._refuse_behind_link(path, name)
        if path.is_dir() and not path.is_symlink() and not _LEFT_BY_RUNS.fullmatch(path.name):
            return list(self.left_by_runs(path))
        if path.name in (*PLACEHOLDERS, LOCK) and path.parent == self.root:
            raise InputError(f"{self.shown(path)} is no checkpoint; it stays")
        found = [one for one in family(path) if exists(one)]
        if not found:
            near = (*self.left_by_runs(), *path.parent.glob("*.safetensors"))
            there = [str(one.relative_to(self.root)) for one in near]
            raise InputError(
                f"there is no {self.shown(path)}{did_you_mean(name, there)}; nothing was removed"
            )
        return found

    def _place(self, name: str) -> Path:
        """Where a name points to: by its own path, in the model directory, or there without `models/`.

        `..` is taken out of the text, and not looked up: what is left has to be in the model directory.
        """
        if not name or "\0" in name:
            raise InputError(f"{name!r} is not the name of a file")
        own = self._inside(Path.cwd() / name)
        given = self.given if self.given.is_absolute() else Path.cwd() / self.given
        under_given = self._inside(_flat(self.root / os.path.relpath(_flat(Path.cwd() / name), _flat(given))))
        inside = self._inside(self.root / name)
        parts = Path(name).parts
        prefixed = len(parts) > 1 and parts[0] in ("models", self.given.name)
        bare = self._inside(self.root.joinpath(*parts[1:])) if prefixed else None
        places = [place for place in (under_given, own, inside, bare) if place is not None]
        if not places:
            raise InputError(f"{name} is outside {self.given}; only files inside can be removed")
        return next((place for place in places if any(map(exists, family(place)))), places[0])

    def _inside(self, path: Path) -> Path | None:
        flat = _flat(path)
        return flat if flat.is_relative_to(self.root) else None

    def _refuse_behind_link(self, path: Path, name: str) -> None:
        for folder in path.parents:
            if folder == self.root:
                return
            if folder.is_symlink():
                raise InputError(
                    f"{name} is behind the link {self.shown(folder)}, which may lead elsewhere; "
                    f"name the link to remove it"
                )


def family(path: Path) -> list[Path]:
    """A checkpoint's LKG with its other files, a resume file with its curve; any other file alone."""
    for name, others in ((LKG, (RESUME, CURVE, RECORD, FAILURE)), (RESUME, (CURVE,))):
        if path.name.endswith(name):
            stem = path.name.removesuffix(name)
            return [path, *(path.with_name(stem + other) for other in others)]
    return [path]


def exists(path: Path) -> bool:
    """Also where it is a link to nowhere."""
    return path.is_symlink() or path.exists()


def _is_architecture(name: str) -> bool:
    """Whether a folder's name is an architecture in its safe spelling."""
    try:
        return Architecture.parse(name).safe == name
    except ArchitectureError:
        return False


def _flat(path: Path) -> Path:
    return Path(os.path.normpath(path))
