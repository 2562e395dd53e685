"""The store of a study's trials: one file each, found by id, complete or absent.

    results/<study>/study.toml  manifest.json  index.jsonl (can be rebuilt)
                    trials/<aa>/<id>.json       one record per trial   <id>.failed.json  what went wrong
                    networks/<aa>/<id>.safetensors                     the LKG network
                    work/<id>.resume.safetensors  work/<id>.curve.jsonl   checkpoints of unfinished trials

Merging two stores is copying files. Records are never rewritten, but those of older versions get a digest.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from frustration.checkpoint import CheckpointFiles
from frustration.curve_file import SUFFIX as CURVE
from frustration.errors import InputError
from frustration.files import (
    NO_FILES,
    PARTIAL,
    in_turn,
    is_held,
    make_folder,
    read_file,
    set_aside,
    write_atomically,
)
from frustration.record import TrialRecord, write_failure
from frustration.record_head import finished_head
from frustration.record_reading import (
    RecordError,
    RecordFields,
    RecordHead,
    fields_of,
    finished_record,
    read_failure,
)
from frustration.references import ProblemRaised
from frustration.saved import Checkpoint
from frustration.sealed import CheckpointError
from frustration.sealed_json import seal
from frustration.study import manifest
from frustration.study.definition import Study
from frustration.study.index import State, add_to_index, read_index, state_of
from frustration.study.summary import summary

Head = TypeVar("Head", bound=RecordHead)
FAILED = ".failed.json"
RECORD = ".json"
RESUME = ".resume.safetensors"
PARTIAL_SECONDS = 3600


@dataclass(frozen=True)
class Store:
    """The folder of one study."""

    root: Path

    @classmethod
    def open(cls, name: str, results: Path = Path("results")) -> Store:
        """An existing store, by the name of its study or by its folder."""
        for root in (Path(name), results / name):
            if (root / "study.toml").exists():
                return cls(root)
        known = sorted(path.parent.name for path in results.glob("*/study.toml"))
        there = f"; there are {', '.join(known)}" if known else f"; {results} holds no study yet"
        raise InputError(f'there is no study "{name}" in {results}{there}')

    def create(self, study: Study) -> None:
        """Make the folders and keep the definition; another study of this name is refused.

        Processes that make or grow one study take turns: each sees what the one before it has written.
        """
        path = self.root / "study.toml"
        self.check(study)
        for folder in ("trials", "networks", "work"):
            make_folder(self.root / folder)
        with in_turn(self.root / ".study.lock"):
            self.check(study)
            before = self.study() if path.exists() else None
            if before and study.trials > before.trials:  # first: a kill must not hide an extension
                manifest.keep_extension(self.root, before.trials, study.trials)
            if before != study:
                write_atomically(path, study.to_toml().encode(), durable=True)

    def keep_look(self) -> None:
        """Add a look by the command under way to the manifest, unless there is nothing to see or extend."""
        with in_turn(self.root / ".study.lock"):
            try:
                trials, done = self.study().trials, len(self.ids()[0])
            except InputError:
                return
            if done:
                manifest.keep_look(self.root, trials, done)

    def check(self, study: Study) -> None:
        """A study may grow (more trials, modes, architectures, data): what is there stays part of it."""
        if not (self.root / "study.toml").exists():
            return
        before = self.study()
        axes = ("architectures", "problems", "modes", "datasets", "learning_rates", "train_fractions")
        grows = all(set(getattr(before, axis)) <= set(getattr(study, axis)) for axis in axes)
        grows = grows and set(before.cells) <= set(study.cells)
        fixed = (
            "meta_loops",
            "seed",
            "batch_size",
            "loop_steps",
            "stacked",
            "optimizer",
            "acceptance",
            "knobs",
            "analysis",
        )
        changed = [name for name in fixed if getattr(before, name) != getattr(study, name)]
        if study.loops_by_trial[: len(before.loops_by_trial)] != before.loops_by_trial:
            changed.append("loops_by_trial")
        if changed:
            raise InputError(
                f"{self.root} holds another study of this name (its {' and '.join(changed)} "
                f"{'differs' if len(changed) == 1 else 'differ'}); give this one another --name, "
                f"or remove that folder"
            )
        if not grows or study.trials < before.trials:
            raise InputError(
                f"{self.root} holds a larger study of this name ({before.size:,} trials); "
                f"`frustration study run {study.name}` continues with it, another --name makes a new one"
            )

    def study(self) -> Study:
        return Study.from_file(self.root / "study.toml")

    def record_path(self, trial_id: str) -> Path:
        return self.root.joinpath("trials", trial_id[:2], f"{trial_id}{RECORD}")

    def failure_path(self, trial_id: str) -> Path:
        return self.root.joinpath("trials", trial_id[:2], f"{trial_id}{FAILED}")

    def network_path(self, trial_id: str) -> Path:
        return self.root.joinpath("networks", trial_id[:2], f"{trial_id}.safetensors")

    def work(self, trial_id: str) -> CheckpointFiles:
        return CheckpointFiles(self.root / "work" / trial_id)

    def claim_path(self, key: str) -> Path:
        return self.root / "work" / f"{key}.lock"

    def is_done(self, trial_id: str) -> bool:
        return self.record_path(trial_id).exists()

    def has_failed(self, trial_id: str) -> bool:
        return self.failure_path(trial_id).exists()

    def ids(self) -> tuple[set[str], set[str]]:
        """(finished, failed) trials, by the names of the files alone."""
        names = {entry.name for entry in self._kept()}
        failed = {name.removesuffix(FAILED) for name in names if name.endswith(FAILED)}
        finished = {name.removesuffix(RECORD) for name in names if _is_record(name)}
        return finished, failed - finished

    def _kept(self) -> Iterator[os.DirEntry[str]]:
        """What lies in the folders of records, but for files that are half-written."""
        trials = self.root / "trials"
        for folder in os.scandir(trials) if trials.is_dir() else ():
            for entry in os.scandir(folder.path) if folder.is_dir() else ():
                if not entry.name.startswith("."):
                    yield entry

    def _states(self) -> dict[str, State]:
        """Of the record of every finished trial."""
        return {
            entry.name.removesuffix(RECORD): state_of(entry)
            for entry in self._kept()
            if _is_record(entry.name)
        }

    def write_record(self, record: TrialRecord) -> None:
        """Keep a finished trial; if it is there already, that one stays."""
        path = self.record_path(record.spec.id)
        make_folder(path.parent)
        if path.exists():
            return
        record.write(path)
        add_to_index(self.root, [(summary(fields_of(record)), state_of(path))])
        self.failure_path(record.spec.id).unlink(missing_ok=True)

    def write_failure(self, trial_id: str, spec: dict[str, Any], traceback: str) -> None:
        path = self.failure_path(trial_id)
        make_folder(path.parent)
        write_failure(path, trial_id, spec, traceback)

    def write_network(self, trial_id: str, content: bytes) -> None:
        path = self.network_path(trial_id)
        make_folder(path.parent)
        write_atomically(path, content)

    def write_checkpoint(self, trial_id: str, checkpoint: Checkpoint) -> None:
        files = self.work(trial_id)
        checkpoint.write(files.resume, files.curve)

    def remove_checkpoint(self, trial_id: str) -> None:
        files = self.work(trial_id)
        files.resume.unlink(missing_ok=True)
        files.curve.unlink(missing_ok=True)

    def begun(self) -> set[str]:
        """Trials that have a checkpoint and no record."""
        names = (path.name.split(".")[0] for path in (self.root / "work").glob(f"*{RESUME}"))
        return {trial_id for trial_id in names if not self.is_done(trial_id)}

    def lost_checkpoints(self) -> Iterator[str]:
        """A sentence on each trial that is begun and whose checkpoint is damaged or cannot be continued."""
        for trial_id in sorted(self.begun()):
            files = self.work(trial_id)
            try:
                files.resumed()
            except ProblemRaised:
                continue  # the file is whole; the trial fails, and resumes from it once its problem is mended
            except CheckpointError as error:
                if os.path.lexists(files.resume):  # else finished meanwhile
                    yield f"{files.resume} is damaged ({error}); that trial starts over"
            except InputError as error:  # a mode of a package that is not installed any more, say
                yield f"{files.resume} cannot be continued: {error}"

    def under_way(self) -> list[tuple[str, int, float | None]]:
        """Of every trial that is begun: its id, loops completed and its bounty, as far as it is kept."""
        found = []
        for trial_id in sorted(self.begun()):
            with contextlib.suppress(CheckpointError):  # finished meanwhile, or damaged
                state = self.work(trial_id).state()
                found.append((trial_id, state["loop"], state["bounty"]))
        return found

    def at_work(self) -> int:
        """How many groups are being trained by any process right now: locks that are held."""
        return sum(map(is_held, (self.root / "work").glob("*.lock")))

    def sweep(self) -> None:
        """Remove what kills left: checkpoints of finished trials, and files half-written an hour ago."""
        for path in (self.root / "work").glob("*.*"):
            if path.name.endswith((RESUME, CURVE)) and self.is_done(path.name.split(".")[0]):
                path.unlink(missing_ok=True)
        for path in self.root.rglob(f".*{PARTIAL}"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > PARTIAL_SECONDS:
                    path.unlink()

    def failures(self) -> list[dict[str, Any]]:
        """What went wrong, by trial; a torn file says nothing and is skipped."""
        found = []
        for trial_id in sorted(self.ids()[1]):
            with contextlib.suppress(OSError, RecordError):
                found.append(read_failure(read_file(self.failure_path(trial_id)), trial_id))
        return found

    def record(self, trial_id: str) -> TrialRecord:
        """The whole record of a trial, curve included."""
        return self.fields(trial_id).record()

    def fields(self, trial_id: str) -> RecordFields:
        """The record of a trial as it was read, without an object for every loop."""
        return self._read(trial_id, finished_record)

    def head(self, trial_id: str) -> RecordHead:
        """The same as far as a line of a list needs it."""
        return self._read(trial_id, finished_head)

    def _read(self, trial_id: str, reader: Callable[[bytes], Head]) -> Head:
        path = self.record_path(trial_id)
        try:
            found = reader(read_file(path))
        except OSError as error:
            if error.errno in NO_FILES:
                raise RecordError(f"{path} is not a record ({error.strerror}); {self._anew}") from None
            raise InputError(f"{path} cannot be read: {error.strerror}") from None
        except RecordError as error:
            anew = "" if error.newer else f"; {self._anew}"
            raise RecordError(f"{path} is not a whole record ({error}){anew}", error.newer) from None
        if found.spec.id != trial_id:
            raise RecordError(f"{path} does not contain the trial that it is named after; {self._anew}")
        return found

    @property
    def _anew(self) -> str:
        run = f"`frustration study run {self.root.resolve().name}`"
        return f"remove it, or let {run} set it aside and train that trial again"

    def records(self, complain: Callable[[str], None] | None = None) -> Iterator[TrialRecord]:
        """All records; of one that cannot be read `complain` hears a sentence, if it is given."""
        for trial_id in sorted(self.ids()[0]):
            with _told(complain):
                yield self.record(trial_id)

    def seal(self) -> tuple[int, list[str]]:
        """Give a digest to records without one, among those that the index does not list.

        Returns how many, and a sentence on each of these that is damaged.
        """
        sealed, complaints = 0, list[str]()
        states = self._states()
        for trial_id in sorted(states.keys() - read_index(self.root, states).keys()):
            with _told(complaints.append):
                sealed += self._seal(trial_id)
        return sealed, complaints

    def _seal(self, trial_id: str) -> bool:
        if self.head(trial_id).sealed:
            return False
        write_atomically(self.record_path(trial_id), (seal(self.fields(trial_id).fields) + "\n").encode())
        return True

    def set_aside_damaged(self) -> None:
        """Rename what is in the place of records and none, so that these trials are missing.

        What a newer version wrote stays, and so does what cannot be read for a reason that may pass. Of
        checkpoints, what is no file at all is renamed; others are written over.
        """
        for path in (self.root / "work").glob("*.*"):
            if path.name.endswith((RESUME, CURVE)) and os.path.lexists(path) and not path.is_file():
                set_aside(path)
        damaged = self.listed()[1]
        if not damaged:
            return
        with in_turn(self.root / ".study.lock"):  # another process may have trained it by now
            for trial_id in damaged:
                try:
                    self.head(trial_id)
                except RecordError as error:
                    if not error.newer and os.path.lexists(self.record_path(trial_id)):
                        set_aside(self.record_path(trial_id))
                except InputError:
                    continue

    def summaries(self, complain: Callable[[str], None] | None = None) -> list[dict[str, Any]]:
        """One line for every finished trial, from the index; what it lacks is read and added.

        Of a record that cannot be read `complain` hears a sentence, if it is given.
        """
        lines, damaged = self.listed()
        for error in damaged.values():
            if complain is None:
                raise error
            complain(str(error))
        return lines

    def listed(self) -> tuple[list[dict[str, Any]], dict[str, InputError]]:
        """(the lines of `summaries`, what is wrong with each record that has none), both by id."""
        states = self._states()
        lines = read_index(self.root, states)
        added, damaged = [], dict[str, InputError]()
        for trial_id in sorted(states.keys() - lines.keys()):
            try:
                found = self.head(trial_id)
            except InputError as error:
                damaged[trial_id] = error
                continue
            lines[trial_id] = summary(found)
            if found.sealed:  # what the index lists is sealed
                added.append((lines[trial_id], states[trial_id]))
        add_to_index(self.root, added)
        return [lines[trial_id] for trial_id in sorted(lines)], damaged


def _is_record(name: str) -> bool:
    return name.endswith(RECORD) and not name.endswith(FAILED)


@contextlib.contextmanager
def _told(complain: Callable[[str], None] | None) -> Iterator[None]:
    """Hand the sentence of an InputError on, if there is anybody to hear it."""
    try:
        yield
    except InputError as error:
        if complain is None:
            raise
        complain(str(error))
