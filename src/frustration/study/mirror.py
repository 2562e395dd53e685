"""A store that survives the loss of its machine: on the local disk, and copied to a folder that is uploaded.

Trials train in a store on the local disk, which is written after every loop. Every so often what changed
there is copied to the other folder. Each changed file is uploaded from it, and each upload is billed, so
writing there after every loop would cost more than it saves. An upload may end anywhere: a file may be
missing or torn, a record may arrive without its network. So each file stands for itself, and `restore` takes
back only what is whole.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

from frustration.archive import opened
from frustration.curve_file import SUFFIX as CURVE
from frustration.files import PARTIAL, StorageError, make_folder, write_atomically
from frustration.study.intake import take
from frustration.study.store import FAILED, RESUME, Store

ORDER = ("networks", "trials", "work")
"""A network before its record, a record before its checkpoint goes."""


class Mirror:
    """While it is entered, a thread copies every `seconds`; leaving it copies once more."""

    def __init__(self, store: Store, target: Path, seconds: float) -> None:
        self._store, self._target, self._seconds = store, target, seconds
        self._copied: dict[Path, tuple[int, int]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._every_so_often, daemon=True)
        self._said = ""

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._over.set()
        self._thread.join()
        self._copy_or_say()

    def copy(self) -> None:
        """Bring the target up to date with the store."""
        present = set()
        for folder in ORDER:
            for path in _files(self._store.root / folder):
                name = path.relative_to(self._store.root)
                present.add(name)
                if name.name.endswith(CURVE):
                    continue  # comes with its checkpoint
                # A file that is replaced or gone meanwhile is met again the next time.
                with contextlib.suppress(FileNotFoundError):
                    state = path.stat()
                    stamp = (state.st_mtime_ns, state.st_size)
                    if self._copied.get(name) != stamp:
                        content = path.read_bytes()
                        if name.name.endswith(RESUME):
                            self._put_curve(name)
                        self._put(name, content)
                        self._copied[name] = stamp
        for folder in ORDER:
            for path in _files(self._target / folder):
                name = path.relative_to(self._target)
                if name not in present:
                    path.unlink(missing_ok=True)
                    self._copied.pop(name, None)

    def _put_curve(self, resume: Path) -> None:
        """The curve of a checkpoint that was read already: what it counts of it is there by now.

        It is put before the checkpoint, so that one that is cut off in between is the older one, whole.
        """
        name = resume.with_name(resume.name.removesuffix(RESUME) + CURVE)
        with contextlib.suppress(FileNotFoundError):  # before the first loop there is none
            self._put(name, (self._store.root / name).read_bytes())

    def _put(self, name: Path, content: bytes) -> None:
        target = self._target / name
        if name not in self._copied and target.is_file() and target.read_bytes() == content:
            return  # as it was restored from there; written again, it would be uploaded again
        make_folder(target.parent)
        write_atomically(target, content)

    def _every_so_often(self) -> None:
        while not self._over.wait(self._seconds):
            self._copy_or_say()

    def _copy_or_say(self) -> None:
        """A full disk does not stop training: it may have room later, and results do not depend on it."""
        try:
            self.copy()
        except (OSError, StorageError) as error:
            if str(error) != self._said:
                self._said = str(error)
                print(f"checkpoints are not up to date: {error}", flush=True)


def restore(source: Path, store: Store, trials: frozenset[str], networks: bool) -> int:
    """Take back what is whole of these trials; returns how many of them are finished.

    A record counts only with its network, where networks are kept: what lacks one is trained again, and so
    is what has failed.
    """
    kept = [path for folder in ("networks", "trials") for path in _files(source / folder)]
    members = opened(path for path in kept if not path.name.endswith(FAILED))
    taken = take(members, store, lambda spec: spec.id in trials, networks)
    for said in taken.refused:
        print(f"trained again: {said}", flush=True)
    finished = taken.records
    for path in _files(source / "work"):
        trial_id = path.name.removesuffix(RESUME)
        # A damaged checkpoint needs no care here, nor one whose curve came too late: its digests are looked
        # at where it is loaded.
        if path.name.endswith(RESUME) and trial_id in trials - finished:
            curve = path.with_name(trial_id + CURVE)
            if curve.is_file():
                _copy(curve, store.work(trial_id).curve)
            _copy(path, store.work(trial_id).resume)
    return len(finished)


def _copy(source: Path, target: Path) -> None:
    make_folder(target.parent)
    write_atomically(target, source.read_bytes())


def _files(folder: Path) -> Iterator[Path]:
    """Whole files that matter: no locks, and nothing that is half-written."""
    for path in sorted(folder.rglob("*")):
        if not path.name.startswith(".") and path.suffix not in (PARTIAL, ".lock") and path.is_file():
            yield path
