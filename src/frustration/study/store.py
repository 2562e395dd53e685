"""Where the trials of a study lie: one file each, found by id, whole or not there.

    results/<study>/study.toml  manifest.json  index.jsonl (can be rebuilt)
                    trials/<aa>/<id>.json       one record per trial   <id>.failed.json  what went wrong
                    networks/<aa>/<id>.safetensors                     the LKG network
                    work/<id>.resume.safetensors                       checkpoints of unfinished trials

Merging two stores is copying files. Records are never rewritten.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frustration.checkpoint import CheckpointFiles
from frustration.errors import InputError
from frustration.files import PARTIAL, make_folder, write_atomically
from frustration.record import TrialRecord
from frustration.sealed import CheckpointError
from frustration.study import manifest
from frustration.study.definition import Study

FAILED = ".failed.json"
RECORD = ".json"
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
        """Make the folders and keep the definition; another study of this name is refused."""
        path = self.root / "study.toml"
        self.check(study)
        for folder in ("trials", "networks", "work"):
            make_folder(self.root / folder)
        before = self.study() if path.exists() else None
        if before != study:
            write_atomically(path, study.to_toml().encode(), durable=True)
        if before and study.trials > before.trials:
            manifest.keep_extension(self, before.trials, study.trials)

    def check(self, study: Study) -> None:
        """A study may grow (more trials, modes, architectures, data): what is there stays part of it."""
        if not (self.root / "study.toml").exists():
            return
        before = self.study()
        axes = ("architectures", "modes", "datasets", "learning_rates", "train_fractions")
        grows = all(set(getattr(before, axis)) <= set(getattr(study, axis)) for axis in axes)
        grows = grows and set(before.cells) <= set(study.cells)
        fixed = ("meta_loops", "seed", "batch_size", "optimizer", "acceptance", "knobs")
        changed = [name for name in fixed if getattr(before, name) != getattr(study, name)]
        if changed:
            raise InputError(
                f"{self.root} holds another study of this name (its {' and '.join(changed)} "
                f"{'differs' if len(changed) == 1 else 'differ'}); give this one another --name, "
                f"or remove that folder"
            )
        if not grows or study.trials < before.trials:
            raise InputError(
                f"{self.root} holds a larger study of this name ({before.size:,} trials); "
                f"`study run {study.name}` goes on with it, another --name makes a new one"
            )

    def study(self) -> Study:
        return Study.from_file(self.root / "study.toml")

    def record_path(self, trial_id: str) -> Path:
        return self.root / "trials" / trial_id[:2] / f"{trial_id}{RECORD}"

    def failure_path(self, trial_id: str) -> Path:
        return self.root / "trials" / trial_id[:2] / f"{trial_id}{FAILED}"

    def network_path(self, trial_id: str) -> Path:
        return self.root / "networks" / trial_id[:2] / f"{trial_id}.safetensors"

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
        finished: set[str] = set()
        failed: set[str] = set()
        trials = self.root / "trials"
        for folder in os.scandir(trials) if trials.is_dir() else ():
            for entry in os.scandir(folder.path) if folder.is_dir() else ():
                name = entry.name
                if name.startswith("."):
                    continue
                if name.endswith(FAILED):
                    failed.add(name.removesuffix(FAILED))
                elif name.endswith(RECORD):
                    finished.add(name.removesuffix(RECORD))
        return finished, failed - finished

    def write_record(self, record: TrialRecord) -> None:
        """Keep a finished trial; if it is there already, that one stays."""
        path = self.record_path(record.spec.id)
        make_folder(path.parent)
        if path.exists():
            return
        record.write(path)
        self._append_to_index(summary(record))
        self.failure_path(record.spec.id).unlink(missing_ok=True)

    def write_failure(self, trial_id: str, spec: dict[str, Any], traceback: str) -> None:
        path = self.failure_path(trial_id)
        make_folder(path.parent)
        content = {"id": trial_id, "spec": spec, "traceback": traceback}
        write_atomically(path, (json.dumps(content) + "\n").encode())

    def write_network(self, trial_id: str, content: bytes) -> None:
        path = self.network_path(trial_id)
        make_folder(path.parent)
        write_atomically(path, content)

    def write_checkpoint(self, trial_id: str, content: bytes) -> None:
        write_atomically(self.work(trial_id).resume, content)

    def remove_checkpoint(self, trial_id: str) -> None:
        self.work(trial_id).resume.unlink(missing_ok=True)

    def begun(self) -> set[str]:
        """Trials that have a checkpoint and no record."""
        names = (path.name.split(".")[0] for path in (self.root / "work").glob("*.resume.safetensors"))
        return {trial_id for trial_id in names if not self.is_done(trial_id)}

    def under_way(self) -> list[tuple[str, int, float | None]]:
        """Of every trial that is begun: its id, the loops behind it and its bounty, as far as it is kept."""
        found = []
        for trial_id in sorted(self.begun()):
            with contextlib.suppress(CheckpointError):  # finished meanwhile, or damaged
                state = self.work(trial_id).state()
                found.append((trial_id, state["loop"], state["bounty"]))
        return found

    def at_work(self) -> int:
        """How many groups are being trained by any process right now: locks that somebody holds."""
        held = 0
        for path in (self.root / "work").glob("*.lock"):
            with contextlib.suppress(FileNotFoundError), path.open() as file:
                try:
                    fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
                except BlockingIOError:
                    held += 1
        return held

    def sweep(self) -> None:
        """Remove what kills left: checkpoints of finished trials, and files half-written an hour ago."""
        for path in (self.root / "work").glob("*.resume.safetensors"):
            if self.is_done(path.name.split(".")[0]):
                path.unlink(missing_ok=True)
        for path in self.root.rglob(f".*{PARTIAL}"):
            with contextlib.suppress(OSError):
                if time.time() - path.stat().st_mtime > PARTIAL_SECONDS:
                    path.unlink()

    def failures(self) -> list[dict[str, Any]]:
        """What went wrong, by trial; a torn file says nothing and is passed over."""
        found = []
        for trial_id in sorted(self.ids()[1]):
            with contextlib.suppress(OSError, ValueError):
                found.append(json.loads(self.failure_path(trial_id).read_text()))
        return found

    def record(self, trial_id: str) -> TrialRecord:
        """The whole record of a trial, curve included."""
        path = self.record_path(trial_id)
        try:
            record = TrialRecord.from_dict(json.loads(path.read_text()))
        except OSError as error:
            raise InputError(f"cannot read {path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, AttributeError, InputError) as error:
            raise InputError(f"{path} is not a whole record ({error}); {self._anew(path)}") from None
        if record.spec.id != trial_id or not record.finished:
            raise InputError(f"{path} does not hold the trial it is named after; {self._anew(path)}")
        return record

    def _anew(self, path: Path) -> str:
        return f"remove it, and `study run {self.root.name}` trains that trial again"

    def records(self) -> Iterator[TrialRecord]:
        for trial_id in sorted(self.ids()[0]):
            yield self.record(trial_id)

    def summaries(self) -> list[dict[str, Any]]:
        """One line for every finished trial, from the index; what it lacks is read and added."""
        finished, _ = self.ids()
        lines = self._index()
        for trial_id in sorted(finished - set(lines)):
            lines[trial_id] = summary(self.record(trial_id))
            self._append_to_index(lines[trial_id])
        return [lines[trial_id] for trial_id in sorted(finished)]

    def _index(self) -> dict[str, dict[str, Any]]:
        """The index by id; a torn line is passed over, since the record behind it is whole or missing."""
        lines: dict[str, dict[str, Any]] = {}
        path = self.root / "index.jsonl"
        for line in path.read_bytes().splitlines() if path.exists() else ():
            try:
                one = json.loads(line)
                lines[one["id"]] = one
            except (ValueError, KeyError, TypeError):
                continue
        return lines

    def _append_to_index(self, line: dict[str, Any]) -> None:
        # One write to a file opened for appending: processes that share a study do not mix their lines.
        text = "\n" + json.dumps(line, separators=(",", ":")) + "\n"
        # A line that finds no room is made again from its record.
        with contextlib.suppress(OSError):
            handle = os.open(self.root / "index.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
            try:
                os.write(handle, text.encode())
            finally:
                os.close(handle)


def summary(record: TrialRecord) -> dict[str, Any]:
    """What lists and tables need of a record: all but the curve."""
    spec = record.spec
    return {
        "id": spec.id,
        "architecture": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "seed": spec.seed,
        "dataset": spec.dataset,
        "train_fraction": spec.train_fraction,
        "learning_rate": spec.learning_rate,
        "meta_loops": spec.meta_loops,
        "bounty": record.bounty,
        "bounty_loop": record.bounty_loop,
        "test_accuracy": record.test_accuracy,
        "accepted": sum(entry.accepted for entry in record.curve),
        "diverged": sum(entry.diverged for entry in record.curve),
        "inert": list(record.inert),
        "loops": record.loop,
        "dendrites": record.growth["added"] if record.growth else None,
        "parameters": record.parameters,
        "flops": record.flops,
        "seconds": round(record.seconds, 3),
        "backend": record.numerics.get("backend"),
    }
