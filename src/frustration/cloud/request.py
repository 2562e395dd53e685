"""The request to SageMaker for one attempt at one pack."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frustration.cloud.instances import image_of
from frustration.cloud.place import Place
from frustration.cloud.plan import Pack
from frustration.cloud.settings import Settings

CODE_FOLDER = "/opt/ml/input/data/code"
ENTRYPOINT = ("python3", f"{CODE_FOLDER}/train.py")
"""Our own: Python is process 1 then, and SIGTERM reaches it. Under AWS's launcher it never does."""
VOLUME_GB = 30
CHECKPOINT_SECONDS = 60.0
SERVICE_RETRIES = 3
"""For errors of the service itself; it does not count them as attempts."""


@dataclass(frozen=True, kw_only=True)
class Uploaded:
    """Digests under which code and data are stored in S3."""

    code: str
    data: str


def request(
    settings: Settings,
    place: Place,
    pack: Pack,
    attempt: int,
    uploaded: Uploaded,
    *,
    checkpoint_seconds: float,
    device: str = "cpu",
    rerun: bool = False,
) -> dict[str, Any]:
    """The parameters of CreateTrainingJob. A rerun starts from nothing, a retry from the checkpoints."""
    spot = settings.spot
    waiting = {"MaxWaitTimeInSeconds": settings.max_wait_seconds} if spot else {}
    work = f"{pack.id}-a{attempt:02d}" if rerun else pack.id
    return {
        "TrainingJobName": place.job_name(pack.id, attempt),
        "RoleArn": settings.role,
        "AlgorithmSpecification": {
            "TrainingImage": image_of(settings),
            "TrainingInputMode": "File",
            "ContainerEntrypoint": list(ENTRYPOINT),
        },
        "HyperParameters": {
            "study": place.study,
            "pack": pack.id,
            "trials": str(len(pack.trials)),
            "device": device,
            "checkpoint-seconds": f"{checkpoint_seconds:g}",
        },
        "InputDataConfig": [
            _channel("code", place.uri(place.code(uploaded.code))),
            _channel("data", place.uri(place.data(uploaded.data))),
            _channel("plan", place.uri(place.plan(pack.generation))),
        ],
        "OutputDataConfig": {"S3OutputPath": place.uri(place.output)},
        "ResourceConfig": {
            "InstanceType": settings.instance_type,
            "InstanceCount": 1,
            "VolumeSizeInGB": VOLUME_GB,
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": settings.max_run_seconds, **waiting},
        "EnableManagedSpotTraining": spot,
        "CheckpointConfig": {"S3Uri": place.uri(place.checkpoints(work))},
        # Left on, it writes thousands of files beside each result.
        "ProfilerConfig": {"DisableProfiler": True},
        "RetryStrategy": {"MaximumRetryAttempts": SERVICE_RETRIES},
        "Environment": {"PYTHONUNBUFFERED": "1"},
        "Tags": [
            {"Key": "frustration:study", "Value": place.study},
            {"Key": "frustration:pack", "Value": pack.id},
            {"Key": "frustration:code", "Value": uploaded.code},
        ],
    }


def _channel(name: str, uri: str) -> dict[str, Any]:
    return {
        "ChannelName": name,
        "DataSource": {
            "S3DataSource": {
                "S3DataType": "S3Prefix",
                "S3Uri": uri,
                "S3DataDistributionType": "FullyReplicated",
            }
        },
    }
