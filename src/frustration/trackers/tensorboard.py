"""TensorBoard (extra `tensorboard`): a folder of events per trial, below the folder of the run."""

from __future__ import annotations

import re
from typing import Any

from frustration.errors import last_line
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec
from frustration.trackers.base import Run, not_installed
from frustration.trackers.numbers import loops, name_of, numbers, outcome


class TensorBoardTracker:
    """Curves by loop; what a trial came to stands at its last one."""

    where = ""

    def __init__(self) -> None:
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError:
            raise not_installed("tensorboard", extra="tensorboard") from None
        self._writer: Any = SummaryWriter

    def start(self, run: Run) -> None:
        self._folder = run.folder / "tensorboard"
        self.where = f"tensorboard: `tensorboard --logdir {self._folder}` shows the runs"

    def loop(self, spec: TrialSpec, entry: LoopEntry, bounty: float | None) -> None:
        pass

    def trial(self, record: TrialRecord) -> None:
        with self._open(record.spec) as writer:
            for step, found in loops(record):
                for name, value in found.items():
                    writer.add_scalar(name, value, step)
            for name, value in numbers(outcome(record)).items():
                writer.add_scalar(f"final/{name}", value, record.loop)
            writer.add_text("trial", f"{record.spec.id}, inert: {', '.join(record.inert) or 'none'}")

    def failed(self, spec: TrialSpec, traceback: str) -> None:
        with self._open(spec) as writer:
            writer.add_text("error", last_line(traceback))

    def end(self, interrupted: bool) -> None:
        pass

    def _open(self, spec: TrialSpec) -> Any:
        name = re.sub(r"[^\w.@+-]+", "_", name_of(spec)).strip("_")
        return self._writer(log_dir=str(self._folder / f"{name}-{spec.id[:8]}"))
