"""SageMaker's training service for tests: moto's server for the interface, real processes for the jobs.

moto's jobs are completed at once. Here they have the states of real ones, and what a real service does to its
clients happens: a quota, throttling, names that are taken, listings that page before they filter, spot
instances that are reclaimed, time limits, jobs that are stopped, archives that never arrive.
"""

import json
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from moto.core.responses import ActionResult, EmptyResult
from moto.core.utils import utcnow
from moto.sagemaker.exceptions import ResourceInUseException, SagemakerClientError, ValidationError
from moto.sagemaker.models import SageMakerModelBackend
from moto.sagemaker.responses import SageMakerResponse
from simulator.limits import problems
from simulator.machine import GROUP, SYNC_SECONDS, Machine, has_namespaces

GRACE_SECONDS = 10.0
"""AWS gives 120 from SIGTERM to SIGKILL."""
PAGE = 10
"""What ListTrainingJobs gives where nobody asks for more."""


class LimitExceeded(SagemakerClientError):
    code = "ResourceLimitExceeded"


class Throttled(SagemakerClientError):
    code = "ThrottlingException"


@dataclass(kw_only=True)
class Interruption:
    """A spot instance that is taken away once `when` says so."""

    when: Callable[[Machine], bool]
    hard: bool = False
    """Without any warning: SIGKILL, and nothing more is uploaded."""
    meanwhile: Callable[[], None] = lambda: None
    """What happens before the next instance starts."""


@dataclass
class Service:
    """The service; install() puts it in place of moto's."""

    clients: dict[str, Any]
    quota: int = 100
    namespaces: bool = field(default_factory=has_namespaces)
    runs: bool = True
    """Whether jobs have instances at all; if not, they stay in progress."""
    throttle: int = 0
    """How many of the next calls are refused because there were too many."""
    time_of: Callable[[Machine, float], float] = lambda machine, seconds: seconds
    """What the time limit of a job is held against."""
    archives: bool = True
    """Whether model.tar.gz arrives."""
    interruptions: list[Interruption] = field(default_factory=list)
    requests: dict[str, dict[str, Any]] = field(default_factory=dict)
    refused: list[str] = field(default_factory=list)
    """The short names of the errors that launchers were given."""
    jobs: dict[str, Any] = field(default_factory=dict)
    _lock: threading.RLock = field(default_factory=threading.RLock)
    _threads: list[threading.Thread] = field(default_factory=list)
    _over: threading.Event = field(default_factory=threading.Event)

    def install(self, monkeypatch: Any) -> None:
        create = SageMakerResponse.create_training_job
        service = self

        def stop(response: Any) -> Any:
            return service.stop(response._get_param("TrainingJobName"))

        monkeypatch.setattr(
            SageMakerResponse, "create_training_job", lambda response: service.create(response, create)
        )
        monkeypatch.setattr(SageMakerResponse, "stop_training_job", stop, raising=False)
        monkeypatch.setattr(SageMakerModelBackend, "list_training_jobs", _list_training_jobs)
        self.clients["logs"].create_log_group(logGroupName=GROUP)

    def close(self) -> None:
        """End every job and wait for it."""
        self._over.set()
        for thread in self._threads:
            thread.join(30)
        assert not any(thread.is_alive() for thread in self._threads)

    def wait(self, seconds: float = 300) -> None:
        """Until no job is running any more."""
        deadline = time.monotonic() + seconds
        while any(thread.is_alive() for thread in list(self._threads)):
            assert time.monotonic() < deadline, f"jobs still run: {self.statuses()}"
            time.sleep(0.02)

    def statuses(self) -> dict[str, str]:
        return {name: job.training_job_status for name, job in self.jobs.items()}

    def settle(self, name: str, status: str) -> None:
        """End a job that has no instance."""
        job = self.jobs[name]
        job.training_job_status = job.secondary_status = status
        job.training_end_time = utcnow()

    def create(self, response: Any, create: Callable[[Any], Any]) -> ActionResult:
        request = json.loads(response.body)
        name = request["TrainingJobName"]
        with self._lock:
            self._check(request)
            result: ActionResult = create(response)
            job = response.sagemaker_backend.training_jobs[name]
            self.requests[name], self.jobs[name] = request, job
            job.training_job_status, job.secondary_status = "InProgress", "Starting"
            job.secondary_status_transitions, job.final_metric_data_list = [], []
            job.training_start_time = job.training_end_time = None
            thread = threading.Thread(target=self._live, args=(job, request), daemon=True)
            if self.runs:
                self._threads.append(thread)
                thread.start()
        return result

    def _check(self, request: dict[str, Any]) -> None:
        if self.throttle > 0:
            self.throttle -= 1
            self._refuse(Throttled("Rate exceeded"))
        wrong = problems("sagemaker", "CreateTrainingJob", request)
        limits = request["StoppingCondition"]
        waits, spot = "MaxWaitTimeInSeconds" in limits, request.get("EnableManagedSpotTraining", False)
        if waits != spot or (spot and limits["MaxWaitTimeInSeconds"] < limits["MaxRuntimeInSeconds"]):
            wrong.append("spot training and MaxWaitTimeInSeconds do not fit")
        if wrong:
            self._refuse(ValidationError("; ".join(wrong)))
        if request["TrainingJobName"] in self.jobs:
            self._refuse(ResourceInUseException("Training job names must be unique within an AWS account"))
        active = sum(status in ("InProgress", "Stopping") for status in self.statuses().values())
        if active >= self.quota:
            kind = request["ResourceConfig"]["InstanceType"]
            self._refuse(
                LimitExceeded(
                    f"The account-level service limit '{kind} for training job usage' is {self.quota} "
                    f"Instances, with current utilization of {active} Instances and a request delta of 1 "
                    f"Instances, in account 123456789012"
                )
            )

    def _refuse(self, error: SagemakerClientError) -> None:
        self.refused.append(getattr(error, "code", type(error).__name__))
        raise error

    def stop(self, name: str) -> EmptyResult:
        job = self.jobs[name]
        if job.training_job_status != "InProgress":
            raise ValidationError(f"The training job is in status {job.training_job_status}")
        job.training_job_status = job.secondary_status = "Stopping"
        return EmptyResult()

    def _live(self, job: Any, request: dict[str, Any]) -> None:
        """One job from Starting to its end, on one instance after another."""
        trained, number = 0.0, 0
        spot = request.get("EnableManagedSpotTraining", False)
        while True:
            number += 1
            machine = Machine(self.clients, request, self.namespaces)
            _step(job, "Starting")
            _step(job, "Downloading")
            machine.stage()
            machine.start(f"{job.training_job_name}/algo-1-{1_760_000_000 + number}")
            _step(job, "Training")
            job.training_start_time = job.training_start_time or utcnow()
            began = time.monotonic()
            limit = request["StoppingCondition"]["MaxRuntimeInSeconds"] - trained
            why = self._watch(job, machine, limit, spot)
            trained += time.monotonic() - began
            if not isinstance(why, Interruption):
                break
            _step(job, "Interrupted")
            machine.close()
            why.meanwhile()
        self._finish(job, machine, why, trained, spot)

    def _watch(self, job: Any, machine: Machine, limit: float, spot: bool) -> str | Interruption:
        """Until the process has ended; returns why it had to, or nothing."""
        began, synced, deadline = time.monotonic(), 0.0, float("inf")
        why: str | Interruption = ""
        while machine.process.poll() is None:
            now = time.monotonic()
            if now - synced > SYNC_SECONDS:
                machine.sync()
                synced = now
            if self._over.is_set():
                machine.signal(signal.SIGKILL)
            if not why and (
                why := self._reason(job, machine, limit - self.time_of(machine, now - began), spot)
            ):
                hard = isinstance(why, Interruption) and why.hard
                machine.signal(signal.SIGKILL if hard else signal.SIGTERM)
                if hard:
                    machine.process.wait()
                    return why
                deadline = now + GRACE_SECONDS
            elif now > deadline:
                machine.signal(signal.SIGKILL)
            time.sleep(0.01)
        machine.sync()
        return why

    def _reason(self, job: Any, machine: Machine, left: float, spot: bool) -> str | Interruption:
        if job.training_job_status == "Stopping":
            return "Stopped"
        if left < 0:
            return "MaxRuntimeExceeded"
        with self._lock:
            if spot and self.interruptions and self.interruptions[0].when(machine):
                return self.interruptions.pop(0)
        return ""

    def _finish(self, job: Any, machine: Machine, why: str, trained: float, spot: bool) -> None:
        code = machine.process.wait()
        final = "Stopped" if why else "Completed" if code == 0 else "Failed"
        if final != "Failed" and self.archives:
            _step(job, "Uploading")
            machine.upload_model()
        if final == "Failed":
            job.failure_reason = f"AlgorithmError: {machine.failure() or f'exit code {code}'}"[:1024]
        machine.close()
        job.training_time_in_seconds = int(trained + 1)
        # The share that spot capacity costs is this simulator's own; AWS's changes from day to day.
        job.billable_time_in_seconds = max(1, int(trained * (0.3 if spot else 1)))
        _step(job, why if why == "MaxRuntimeExceeded" else final)
        job.training_end_time = utcnow()
        job.training_job_status = final


def _step(job: Any, status: str) -> None:
    now = utcnow()
    if job.secondary_status_transitions:
        job.secondary_status_transitions[-1]["EndTime"] = now
    job.secondary_status_transitions.append({"Status": status, "StartTime": now, "StatusMessage": ""})
    job.secondary_status, job.last_modified_time = status, now


def _list_training_jobs(
    backend: Any, next_token: str, max_results: int, name_contains: str, status_equals: str, **others: Any
) -> dict[str, Any]:
    """Newest first, and filtered after the page is cut: pages may be empty and not the last."""
    jobs = sorted(backend.training_jobs.values(), key=lambda job: job.creation_time, reverse=True)
    start, count = int(next_token or 0), int(max_results or PAGE)
    page = [
        job
        for job in jobs[start : start + count]
        if (not name_contains or name_contains in job.training_job_name)
        and (not status_equals or job.training_job_status == status_equals)
    ]
    summaries = [
        {
            "TrainingJobName": job.training_job_name,
            "TrainingJobArn": job.arn,
            "CreationTime": job.creation_time,
            "LastModifiedTime": job.last_modified_time,
            "TrainingJobStatus": job.training_job_status,
            "SecondaryStatus": job.secondary_status,
            **({"TrainingEndTime": job.training_end_time} if job.training_end_time else {}),
        }
        for job in page
    ]
    token = {"NextToken": str(start + count)} if start + count < len(jobs) else {}
    return {"TrainingJobSummaries": summaries, **token}
