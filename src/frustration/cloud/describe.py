"""What the service reports about one job: state, reason, instance type and billable time."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from frustration.cloud.clients import code_of, spoken
from frustration.cloud.jobs import UNDER_WAY
from frustration.cloud.parallel import side_by_side
from frustration.cloud.settings import masked

PARALLEL = 8
_UNKNOWN = re.compile("not found|could not find", re.IGNORECASE)
"""How the service words a job that it does not know: by a ValidationException like any other."""


@dataclass(frozen=True, kw_only=True)
class Facts:
    """One job. Account ids are masked in every text."""

    name: str
    status: str
    phase: str
    """Starting, Downloading, Training, Interrupted, Uploading, ..., as the service names them."""
    reason: str
    """Why it failed; empty where it did not."""
    instance_type: str
    instances: int
    spot: bool
    output: str
    """`s3://BUCKET/...`: where its archive goes, without the job's own folder."""
    interruptions: int
    """How often spot capacity was taken away so far."""
    training_seconds: int | None
    billable_seconds: int | None
    """With the saving of spot capacity in it; None where the service does not say it (yet)."""
    retained_seconds: int
    """Billed for keeping the instances warm afterwards."""
    created: datetime
    started: datetime | None
    ended: datetime | None

    @property
    def runs(self) -> bool:
        return self.status in UNDER_WAY

    @property
    def why(self) -> str:
        """The first line of the reason."""
        return next(iter(self.reason.strip().splitlines()), "")


def describe(sagemaker: Any, name: str) -> Facts | None:
    """None where the service does not know the job (any more)."""
    from botocore.exceptions import ClientError

    with spoken(f"cannot ask about the job {name}"):
        try:
            found = sagemaker.describe_training_job(TrainingJobName=name)
        except ClientError as error:
            if code_of(error) == "ResourceNotFound" or _UNKNOWN.search(str(error)):
                return None
            raise
    return facts(found)


def describe_all(
    sagemaker: Any, names: Iterable[str], progress: Callable[[int], None] = lambda done: None
) -> dict[str, Facts]:
    """Name -> facts, several at a time; jobs that the service does not know are left out."""
    found: dict[str, Facts | None] = {}

    def keep(name: str, one: Facts | None) -> None:
        found[name] = one
        progress(len(found))

    side_by_side(lambda name: describe(sagemaker, name), names, keep, PARALLEL)
    return {name: one for name, one in found.items() if one}


def facts(found: dict[str, Any]) -> Facts:
    """From what DescribeTrainingJob answered."""
    resources = found.get("ResourceConfig", {})
    groups = resources.get("InstanceGroups", [])
    transitions = found.get("SecondaryStatusTransitions", [])
    warm = found.get("WarmPoolStatus") or {}
    return Facts(
        name=found["TrainingJobName"],
        status=found.get("TrainingJobStatus", ""),
        phase=found.get("SecondaryStatus", ""),
        reason=masked(found.get("FailureReason") or ""),
        instance_type=resources.get("InstanceType") or (groups[0]["InstanceType"] if groups else ""),
        instances=resources.get("InstanceCount") or sum(group["InstanceCount"] for group in groups) or 1,
        spot=bool(found.get("EnableManagedSpotTraining")),
        output=(found.get("OutputDataConfig") or {}).get("S3OutputPath", ""),
        interruptions=sum(step.get("Status") == "Interrupted" for step in transitions),
        training_seconds=found.get("TrainingTimeInSeconds"),
        billable_seconds=found.get("BillableTimeInSeconds"),
        retained_seconds=warm.get("ResourceRetainedBillableTimeInSeconds") or 0,
        created=found["CreationTime"],
        started=found.get("TrainingStartTime"),
        ended=found.get("TrainingEndTime"),
    )
