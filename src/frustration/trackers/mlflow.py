"""MLflow (extra `mlflow`): one of its runs per trial, and all of a study in one experiment.

Without MLFLOW_TRACKING_URI runs are files in `mlruns` of the run's folder. MLflow's own telemetry is off.
"""

from __future__ import annotations

import os
import time
from typing import Any

from frustration.errors import last_line
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec
from frustration.trackers.base import Run, not_installed
from frustration.trackers.numbers import loops, name_of, numbers, outcome, settings_of

AT_ONCE = 1000
"""Metrics that MLflow takes in one call."""
LONGEST = 500
"""Characters of a parameter."""
SHOW = "`MLFLOW_ALLOW_FILE_STORE=true mlflow ui"
"""The extra installs mlflow-skinny, which has no such page: the whole mlflow shows it."""


class MlflowTracker:
    """MLFLOW_TRACKING_URI and MLflow's other variables are obeyed."""

    where = ""

    def __init__(self) -> None:
        os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            os.environ.setdefault("MLFLOW_ALLOW_FILE_STORE", "true")
        try:
            from mlflow import MlflowClient
            from mlflow.entities import Metric
        except ImportError:
            raise not_installed("mlflow", extra="mlflow") from None
        self._client_class: Any = MlflowClient
        self._metric: Any = Metric

    def start(self, run: Run) -> None:
        uri = os.environ.get("MLFLOW_TRACKING_URI")
        folder = (run.folder / "mlruns").resolve()
        self._client = self._client_class(tracking_uri=uri or folder.as_uri())
        there = self._client.get_experiment_by_name(run.name)
        self._experiment = there.experiment_id if there else self._client.create_experiment(run.name)
        shown = (
            uri or f"{folder}; {SHOW} --backend-store-uri {folder.as_uri()}` of the full mlflow shows them"
        )
        self.where = f'mlflow: the experiment "{run.name}" in {shown}'

    def loop(self, spec: TrialSpec, entry: LoopEntry, bounty: float | None) -> None:
        pass

    def trial(self, record: TrialRecord) -> None:
        run_id = self._open(record.spec)
        now = int(1000 * time.time())
        metrics = [
            self._metric(name, value, now, step)
            for step, found in loops(record)
            for name, value in found.items()
        ]
        metrics += [
            self._metric(f"final/{name}", value, now, record.loop)
            for name, value in numbers(outcome(record)).items()
        ]
        for at in range(0, len(metrics), AT_ONCE):
            self._client.log_batch(run_id, metrics=metrics[at : at + AT_ONCE])
        self._client.set_tag(run_id, "inert", ", ".join(record.inert))
        self._client.set_terminated(run_id)

    def failed(self, spec: TrialSpec, traceback: str) -> None:
        run_id = self._open(spec)
        self._client.set_tag(run_id, "error", last_line(traceback))
        self._client.set_terminated(run_id, status="FAILED")

    def end(self, interrupted: bool) -> None:
        pass

    def _open(self, spec: TrialSpec) -> str:
        tags = {"trial_id": spec.id, "mlflow.runName": name_of(spec), "mlflow.user": "frustration"}
        run_id: str = self._client.create_run(self._experiment, tags=tags).info.run_id
        for name, value in settings_of(spec).items():
            self._client.log_param(run_id, name, str(value)[:LONGEST])
        return run_id
