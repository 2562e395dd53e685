"""Files of probes: `probes/<aa>/<id>.json` of a study, each written in one step. Without torch."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from frustration.errors import FrustrationError, InputError
from frustration.files import make_folder, read_file, try_lock, write_atomically
from frustration.sealed_json import seal, unseal
from frustration.typed import OBJECT, PERCENT, TEXT, Table, check, real, whole

PROBE_SCHEMA = 1
FOLDER = "probes"
SUFFIX = ".json"
PROBE: Final[Table] = {
    "probe_schema": whole(1),
    "id": TEXT.optional(),
    "architecture": TEXT.optional(),
    "mode": TEXT.optional(),
    "trial": whole().optional(),
    "seed": whole().optional(),
    "dataset": TEXT.optional(),
    "train_fraction": real(0, 1).optional(),
    "learning_rate": real(0).optional(),
    "network": TEXT.optional(),
    "parameters": whole().optional(),
    "test_accuracy": PERCENT.or_null().optional(),
    "measures": OBJECT,
}


class ProbeFileError(FrustrationError):
    """A probe file that is torn, or from a newer version."""

    def __init__(self, sentence: str, newer: bool = False) -> None:
        super().__init__(sentence)
        self.newer = newer


@dataclass(frozen=True)
class ProbeFiles:
    """The probe files of the study in `root`."""

    root: Path

    def path(self, trial_id: str) -> Path:
        return self.root / FOLDER / trial_id[:2] / f"{trial_id}{SUFFIX}"

    def ids(self) -> list[str]:
        """Of the trials that have a file, in order."""
        found = (self.root / FOLDER).glob(f"*/*{SUFFIX}")
        return sorted(path.name.removesuffix(SUFFIX) for path in found if not path.name.startswith("."))

    def read(self, trial_id: str) -> dict[str, Any] | None:
        """What is there, None if nothing is; ProbeFileError where it cannot be read."""
        path = self.path(trial_id)
        try:
            content, _ = unseal(read_file(path))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProbeFileError(f"cannot read {path}: {error.strerror}") from None
        except InputError as error:
            raise ProbeFileError(
                f"{path} is torn ({error}); remove it, and `frustration probe {self.root.name}` measures "
                f"that network again"
            ) from None
        schema = content.get("probe_schema")
        if schema != PROBE_SCHEMA:
            newer = isinstance(schema, int) and schema > PROBE_SCHEMA
            raise ProbeFileError(
                f"{path} is a probe of schema {ascii(schema)[:20]}; this version reads schema {PROBE_SCHEMA}",
                newer,
            )
        try:
            check(content, PROBE, "it")
        except InputError as error:
            raise ProbeFileError(f"{path} is not a probe that this version writes ({error})") from None
        if content.get("id", trial_id) != trial_id:
            raise ProbeFileError(f"{path} is about another trial than the one that it is named after")
        return content

    def write(self, content: dict[str, Any]) -> None:
        path = self.path(content["id"])
        make_folder(path.parent)
        text = seal({"probe_schema": PROBE_SCHEMA, **content}, sort_keys=True)
        write_atomically(path, (text + "\n").encode())

    @contextlib.contextmanager
    def claimed(self, trial_id: str) -> Iterator[bool]:
        """Whether this process alone may measure a network, while the block runs."""
        path = self.path(trial_id).with_name(f".{trial_id}.lock")
        make_folder(path.parent)
        lock = try_lock(path)
        if lock is None:
            yield False
            return
        with lock:
            try:
                yield True
            finally:
                path.unlink(missing_ok=True)


def is_current(content: dict[str, Any] | None, measure: str, settings: dict[str, Any]) -> bool:
    """Whether a measure was taken as it is wanted."""
    taken = (content or {}).get("measures", {}).get(measure)
    return isinstance(taken, dict) and taken.get("settings") == settings
