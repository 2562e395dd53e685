"""Weights & Biases (extra `tracking`): one of its runs per trial, and all of a study in one group.

A trial is written when it is finished, for thousands cannot be open at once. Without credentials it stays
on this machine (offline; `wandb sync` sends it later). The host, the user, the program and the machine's
load are not reported.
"""

from __future__ import annotations

import netrc
import os
from typing import Any

from frustration.errors import last_line
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec
from frustration.trackers.base import Run, not_installed
from frustration.trackers.numbers import loops, name_of, outcome, settings_of

PROJECT = "frustration-engine"


class WandbTracker:
    """WANDB_PROJECT, WANDB_ENTITY, WANDB_MODE and WANDB_API_KEY are obeyed."""

    where = ""

    def __init__(self) -> None:
        try:
            import wandb
        except ImportError:
            raise not_installed("wandb", extra="tracking") from None
        self._wandb: Any = wandb
        self._run: Run | None = None

    def start(self, run: Run) -> None:
        self._run = run

    def loop(self, spec: TrialSpec, entry: LoopEntry, bounty: float | None) -> None:
        pass

    def trial(self, record: TrialRecord) -> None:
        with self._open(record.spec) as run:
            for step, found in loops(record):
                run.log(found, step=step)
            run.summary.update(outcome(record))
            self._say_where(run)

    def failed(self, spec: TrialSpec, traceback: str) -> None:
        run = self._open(spec)
        run.summary["error"] = last_line(traceback)
        run.finish(exit_code=1)

    def end(self, interrupted: bool) -> None:
        pass

    def _say_where(self, run: Any) -> None:
        assert self._run is not None
        if run.offline:
            folder = self._run.folder / "wandb"
            self.where = f"wandb: the runs are in {folder}; `wandb sync {folder}/offline-run-*` sends them"
        else:
            self.where = f"wandb: {run.project_url}"

    def _open(self, spec: TrialSpec) -> Any:
        assert self._run is not None
        wandb = self._wandb
        settings = wandb.Settings(
            console="off",
            silent=True,
            disable_git=True,
            disable_code=True,
            disable_job_creation=True,
            save_code=False,
            x_disable_stats=True,
            x_disable_meta=True,
            host="",
            username="",
            email="",
        )
        return wandb.init(
            project=os.environ.get("WANDB_PROJECT") or PROJECT,
            group=self._run.name,
            name=name_of(spec),
            id=spec.id,
            resume="allow",
            config=settings_of(spec),
            dir=str(self._run.folder),
            mode=os.environ.get("WANDB_MODE") or ("online" if _has_credentials() else "offline"),
            reinit="create_new",
            settings=settings,
        )


def _has_credentials() -> bool:
    if os.environ.get("WANDB_API_KEY"):
        return True
    try:
        return netrc.netrc().authenticators("api.wandb.ai") is not None
    except (OSError, netrc.NetrcParseError):
        return False
