"""The jobs of a study as the service lists them, and the state of each pack that follows from them.

The best status wins, not the latest: a good result is never hidden by a later attempt that failed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from frustration.cloud.clients import ABSENT, answered, spoken
from frustration.cloud.place import Place

RANK = {"Completed": 3, "InProgress": 2, "Stopping": 2, "Stopped": 1, "Failed": 1}
UNDER_WAY = ("InProgress", "Stopping")
_NAME = re.compile(r"(?P<pack>[0-9a-f]{10})-a(?P<attempt>[0-9]{2,3})")


class State(StrEnum):
    """Where a pack stands, in words."""

    HERE = "here already"
    DONE = "done"
    RUNNING = "running"
    STOPPED = "stopped"
    FAILED = "failed"
    DAMAGED = "damaged"
    INCOMPLETE = "incomplete"
    NO_ARCHIVE = "no archive"
    UNLAUNCHED = "not launched"


@dataclass(frozen=True, kw_only=True)
class Job:
    """One training job, from a listing."""

    name: str
    pack: str
    attempt: int
    status: str
    """InProgress, Completed, Failed, Stopping or Stopped."""
    created: datetime
    ended: datetime | None = None

    @property
    def runs(self) -> bool:
        return self.status in UNDER_WAY


@dataclass(frozen=True)
class PackJobs:
    """All attempts at one pack, in their order."""

    jobs: tuple[Job, ...]

    @property
    def best(self) -> Job:
        """The first of the best status, so that a rerun never takes the place of the original."""
        return max(self.jobs, key=lambda job: (RANK.get(job.status, 0), -job.attempt))

    @property
    def attempts(self) -> int:
        """The highest number that any attempt has; the next one is above it."""
        return max(job.attempt for job in self.jobs)

    @property
    def running(self) -> Job | None:
        return next((job for job in reversed(self.jobs) if job.runs), None)

    @property
    def outcome(self) -> tuple[State, Job]:
        """Of a pack that is not done: where it stands, and the job that this is about."""
        if running := self.running:
            return State.RUNNING, running
        if self.completed:
            return State.NO_ARCHIVE, self.best
        return State.STOPPED if self.latest.status == "Stopped" else State.FAILED, self.latest

    @property
    def latest(self) -> Job:
        return self.jobs[-1]

    @property
    def completed(self) -> tuple[Job, ...]:
        return tuple(job for job in self.jobs if job.status == "Completed")


def parse_name(place: Place, name: str) -> tuple[str, int] | None:
    """(pack, attempt) of a job of this study; None for anything else."""
    if not name.startswith(place.job_prefix):
        return None
    match = _NAME.fullmatch(name.removeprefix(place.job_prefix))
    return (match["pack"], int(match["attempt"])) if match else None


def list_jobs(sagemaker: Any, place: Place) -> Iterator[Job]:
    """Every job of the study. Pages may be empty and not the last: the service filters after it pages."""
    for summary in job_summaries(sagemaker, place.job_prefix):
        parsed = parse_name(place, summary["TrainingJobName"])
        if parsed:
            yield Job(
                name=summary["TrainingJobName"],
                pack=parsed[0],
                attempt=parsed[1],
                status=summary["TrainingJobStatus"],
                created=summary["CreationTime"],
                ended=summary.get("TrainingEndTime"),
            )


def job_summaries(sagemaker: Any, contains: str) -> Iterator[dict[str, Any]]:
    """ListTrainingJobs to its very end."""
    with spoken("cannot list the training jobs"):
        pages = sagemaker.get_paginator("list_training_jobs").paginate(
            NameContains=contains, PaginationConfig={"PageSize": 100}
        )
        for page in pages:
            yield from page["TrainingJobSummaries"]


def by_pack(jobs: Iterable[Job]) -> dict[str, PackJobs]:
    """Pack -> its attempts."""
    found: dict[str, list[Job]] = {}
    for job in jobs:
        found.setdefault(job.pack, []).append(job)
    return {pack: PackJobs(tuple(sorted(of, key=lambda job: job.attempt))) for pack, of in found.items()}


def has_archive(s3: Any, place: Place, job: str) -> bool:
    """Whether the job's model.tar.gz is there: only then is its work done."""
    where = {"Bucket": place.bucket, "Key": place.archive(job)}
    return (
        answered(f"cannot look for the archive of {job}", lambda: s3.head_object(**where), ABSENT) is not None
    )


def done_packs(s3: Any, place: Place, packs: dict[str, PackJobs]) -> dict[str, Job]:
    """Pack -> the first completed job that has its archive."""
    return {
        pack: job
        for pack, of in packs.items()
        if (job := next((job for job in of.completed if has_archive(s3, place, job.name)), None))
    }
