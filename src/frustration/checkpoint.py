"""The files of a trial under way: the LKG for other programs, and the state that exact resume needs.

`NAME.safetensors` holds the LKG alone, under the names of SimpleMLP's state dict. `NAME.resume.safetensors`
holds the LKG too, and every other thing the next loop depends on; where the two disagree it wins. Its curve
is a file of its own, `NAME.curve.jsonl`, to which every loop adds a line. All carry digests, so that a
flipped bit is noticed and not trained on. docs/file-formats.md has the details.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from frustration.checkpoint_fields import read_state
from frustration.curve_file import NOTHING_KEPT
from frustration.curve_file import SUFFIX as CURVE
from frustration.engine.trial import Trial
from frustration.errors import InputError
from frustration.files import StorageError, set_aside, write_atomically
from frustration.protocols import AnyNetwork
from frustration.saved import Saved, pack_lkg, pack_resume, unpack_lkg, unpack_resume
from frustration.sealed import CheckpointError, header_of, read


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of one trial: `stem` is models/mnist_lkg."""

    stem: Path
    model_dir: Path | None = None
    """The folder that `clean` is to be told of; None: the folder of the files."""

    @property
    def lkg(self) -> Path:
        return self.stem.with_name(self.stem.name + ".safetensors")

    @property
    def resume(self) -> Path:
        return self.stem.with_name(self.stem.name + ".resume.safetensors")

    @property
    def curve(self) -> Path:
        return self.stem.with_name(self.stem.name + CURVE)

    @property
    def record(self) -> Path:
        return self.stem.with_name(self.stem.name + ".record.json")

    @property
    def failure(self) -> Path:
        return self.stem.with_name(self.stem.name + ".failed.json")

    def save(self, trial: Trial, lkg_too: bool) -> None:
        """Keep a trial between two loops. The resume file comes first: a kill between the two is harmless."""
        if not self.curve.exists():  # nothing is kept yet, or somebody has removed it
            trial.kept = NOTHING_KEPT
        checkpoint = pack_resume(trial)
        checkpoint.write(self.resume, self.curve)
        trial.kept = checkpoint.end
        if lkg_too:
            self.save_lkg(trial)

    def save_lkg(self, trial: Trial, durable: bool = False) -> None:
        write_atomically(self.lkg, pack_lkg(trial), durable=durable)

    def make_room(self) -> None:
        """Rename folders, pipes and links to nowhere in the places of these files."""
        for path in (self.lkg, self.resume, self.curve, self.record, self.failure):
            if os.path.lexists(path) and not path.is_file():
                set_aside(path)

    def remove_results(self) -> None:
        """Remove the LKG, the record and the curve of another trial that was here before."""
        _remove(self.lkg, self.record, self.curve)

    def remove_failure(self) -> None:
        """Before the trial is trained again."""
        if self.failure.exists():  # a file system that is read-only refuses to remove what is not there
            _remove(self.failure)

    def lkg_holds(self, network: AnyNetwork) -> bool:
        """Whether the LKG file is there, is whole, and is this network."""
        try:
            return self.lkg.exists() and np.array_equal(unpack_lkg(self.lkg).lkg.vector, network.vector)
        except CheckpointError:
            return False

    def resumed(self) -> Trial:
        """The trial in the resume file, as it stands there."""
        trial = unpack_resume(read(self.resume), self.curve).trial
        if trial is None:
            raise CheckpointError(f"{self.resume} holds no trial")
        return trial

    def state(self) -> dict[str, Any]:
        """The metadata of the resume file, without its tensors: for inspection, not to resume."""
        try:
            return read_state(header_of(self.resume).get("state", ""))
        except CheckpointError as error:
            raise CheckpointError(f"{self.resume} cannot be read: {error}") from None

    def load(self) -> Saved | None:
        """The saved state, or None; CheckpointError says what is damaged and what can be done."""
        if self.resume.exists():
            try:
                return unpack_resume(read(self.resume), self.curve)
            except CheckpointError as error:
                raise CheckpointError(f"{self.resume} is damaged ({error}); {self._way_on()}") from None
            except InputError as error:  # a mode of a package that is not installed any more, say
                raise CheckpointError(
                    f"{self.resume} cannot be continued: {error}; {self._way_on()}"
                ) from None
        if self.lkg.exists():
            try:
                return unpack_lkg(self.lkg)
            except CheckpointError as error:
                raise CheckpointError(f"{self.lkg} cannot be read ({error}); {self._anew()}") from None
        return None

    def removed_by(self, path: Path) -> str:
        """The command that removes one of the files; with the LKG file go the others."""
        model_dir = self.model_dir or self.stem.parent
        where = "" if model_dir == Path("models") else f" --model-dir {shlex.quote(str(model_dir))}"
        return f"`poetry run clean{where} {shlex.quote(str(path.relative_to(model_dir)))}`"

    def _way_on(self) -> str:
        """What can be done about a damaged resume file."""
        try:
            unpack_lkg(self.lkg)
        except CheckpointError:
            return self._anew()
        return (
            f"remove it ({self.removed_by(self.resume)}) and training resumes from the LKG in "
            f"{self.lkg.name}, or start anew with --fresh"
        )

    def _anew(self) -> str:
        return f"start anew with --fresh, or remove it with {self.removed_by(self.lkg)}"


def _remove(*paths: Path) -> None:
    for path in paths:
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise StorageError(f"cannot remove {path}: {error.strerror}") from None
