"""Where probes lie: `probes/<aa>/<id>.json` of a study, each written in one step. Without torch."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frustration.errors import FrustrationError
from frustration.files import make_folder, try_lock, write_atomically

PROBE_SCHEMA = 1
FOLDER = "probes"
SUFFIX = ".json"


class ProbeFileError(FrustrationError):
    """A probe file that is torn, or from a newer version."""


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
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        except OSError as error:
            raise ProbeFileError(f"cannot read {path}: {error.strerror}") from None
        except ValueError:
            raise ProbeFileError(
                f"{path} is torn; remove it, and `probe {self.root.name}` measures that network again"
            ) from None
        schema = content.get("probe_schema") if isinstance(content, dict) else None
        if schema != PROBE_SCHEMA or not isinstance(content.get("measures"), dict):
            raise ProbeFileError(
                f"{path} is a probe of schema {schema}; this version reads schema {PROBE_SCHEMA}"
            )
        return dict(content)

    def write(self, content: dict[str, Any]) -> None:
        path = self.path(content["id"])
        make_folder(path.parent)
        text = json.dumps({"probe_schema": PROBE_SCHEMA, **content}, allow_nan=False, sort_keys=True)
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
