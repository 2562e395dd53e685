"""The protocol of a tracker, for ours and those of other packages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from frustration.errors import InputError
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec


def not_installed(package: str, extra: str) -> InputError:
    """The sentence about a tracker whose package is missing."""
    return InputError(
        f"--tracker {package} needs the package {package}, which is not installed: "
        f'pip install "frustration-engine[{extra}]"'
    )


@dataclass(frozen=True, kw_only=True)
class Run:
    """What is about to be trained."""

    name: str
    """Of the study; of a session of `train`, its architecture."""
    folder: Path
    """Where the run keeps its own files; a tracker that writes may do so there."""
    specs: tuple[TrialSpec, ...]


class Tracker(Protocol):
    """Receives the events of a run in their order, always from the same thread.

    What it raises ends its part in the run, with a warning; the run continues.
    """

    def start(self, run: Run) -> None:
        """Once, before anything is trained."""

    def loop(self, spec: TrialSpec, entry: LoopEntry, bounty: float | None) -> None:
        """After every loop of every trial; `bounty` is the best validation accuracy so far, in percent."""

    def trial(self, record: TrialRecord) -> None:
        """When a trial is finished: its curve, its evidence, its result."""

    def failed(self, spec: TrialSpec, traceback: str) -> None:
        """When a trial of a study met an unexpected error."""

    def end(self, interrupted: bool) -> None:
        """Once, when all is done or interrupted."""
