"""What tests of the way back share: a study that was trained here, as if jobs had sent it to S3."""

import gzip
import io
import json
import tarfile
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3

from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, Pack, write_plan
from frustration.original.cloud_forms import comprehensive_text, results_text
from frustration.study.definition import Study
from frustration.study.store import Store

ACCOUNT = "123456789012"
REGION = "us-east-1"
BUCKET = "bench"
ROLE = f"arn:aws:iam::{ACCOUNT}:role/trainer"
FLAGS = ["--region", REGION, "--bucket", BUCKET]
IMAGE = f"{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/train:1"

STUDY = """
name = "away"
architectures = ["[1*2]", "[1*4]"]
modes = ["none", "hidden"]
trials = 2
meta_loops = 2
train_fraction = 0.02
"""


def study_of(**changed: Any) -> Study:
    from dataclasses import replace

    return replace(Study.from_toml(STUDY), **changed)


def plan_of(study: Study, store: Store, packs: int = 2, place: Place | None = None) -> CloudPlan:
    """One pack after the other of the finished trials of a store."""
    place = place or Place(BUCKET, "frustration", study.name)
    records = [store.record(trial) for trial in sorted(store.ids()[0])]
    digests = {(one.spec.dataset, one.spec.train_fraction): one.spec.dataset_digest for one in records}
    order = [spec.id for spec in study.specs(digests)]
    size = -(-len(order) // packs)
    parts = [tuple(order[at : at + size]) for at in range(0, len(order), size)]
    made = [Pack(id=place.pack_id(part), trials=part, core_seconds=10.0, wall_seconds=20.0) for part in parts]
    return CloudPlan(study=study, digests=digests, packs=tuple(made), instance_type="ml.c5.xlarge")


def archive(members: Mapping[str, bytes] | Iterable[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    """A model.tar.gz with these members."""
    if isinstance(members, Mapping):
        members = [(named(name, len(content)), content) for name, content in members.items()]
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w") as tar,
    ):
        for info, content in members:
            tar.addfile(info, io.BytesIO(content))
    return packed.getvalue()


def named(name: str, size: int = 0, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = size, kind, link
    return info


def sent_home(store: Store, trials: Iterable[str]) -> dict[str, bytes]:
    """The members of the archive of a job that trained these trials."""
    trials = list(trials)
    members = {}
    for trial in trials:
        for path in (store.record_path(trial), store.network_path(trial)):
            members[f"./study/{path.relative_to(store.root)}"] = path.read_bytes()
    records = [store.record(trial) for trial in trials]
    members["./results.txt"] = results_text(records).encode()
    members["./comprehensive_results.json"] = comprehensive_text(records).encode()
    return members


class Cloud:
    """moto's AWS, and the states of jobs that it cannot have by itself."""

    def __init__(self) -> None:
        self.s3, self.sagemaker, self.logs = (
            boto3.client(name, region_name=REGION) for name in ("s3", "sagemaker", "logs")
        )
        self.s3.create_bucket(Bucket=BUCKET)

    def launch(self, plan: CloudPlan, place: Place) -> None:
        assert write_plan(self.s3, place, plan, 1)

    def job(
        self,
        name: str,
        status: str = "Completed",
        output: str = f"s3://{BUCKET}/frustration/studies/away/output",
        content: bytes | None = None,
        **facts: Any,
    ) -> None:
        """A job in this state; `content` is its model.tar.gz, `facts` are attributes of moto's job."""
        self.sagemaker.create_training_job(
            TrainingJobName=name,
            RoleArn=ROLE,
            AlgorithmSpecification={"TrainingImage": IMAGE, "TrainingInputMode": "File"},
            OutputDataConfig={"S3OutputPath": output},
            ResourceConfig={"InstanceType": "ml.c5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 10},
            StoppingCondition={"MaxRuntimeInSeconds": 3600},
        )
        job = moto_job(name)
        job.training_job_status = status
        phases = {"InProgress": "Training", "Completed": "Completed", "Failed": "Failed"}
        job.secondary_status = phases.get(status, status)
        if status in ("InProgress", "Stopping"):
            job.training_end_time = None
        for fact, value in facts.items():
            setattr(job, fact, value)
        if content is not None:
            bucket, _, prefix = output.removeprefix("s3://").partition("/")
            key = f"{prefix}/{name}/output/model.tar.gz".lstrip("/")
            self.s3.put_object(Bucket=bucket, Key=key, Body=content)

    def stream(self, job: str, lines: Iterable[str], number: int = 1) -> None:
        """A stream of the job's log, ten events a second from an hour ago on."""
        group, stream = "/aws/sagemaker/TrainingJobs", f"{job}/algo-1-{1_760_000_000 + number}"
        groups = self.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]
        if not groups:
            self.logs.create_log_group(logGroupName=group)
        self.logs.create_log_stream(logGroupName=group, logStreamName=stream)
        began = datetime.now(UTC) - timedelta(hours=1)
        events = [
            {"timestamp": int((began.timestamp() + at / 10) * 1000), "message": line or " "}
            for at, line in enumerate(lines)
        ]
        for at in range(0, len(events), 5_000):
            self.logs.put_log_events(
                logGroupName=group, logStreamName=stream, logEvents=events[at : at + 5_000]
            )


def moto_job(name: str) -> Any:
    from moto.sagemaker.models import sagemaker_backends

    return sagemaker_backends[ACCOUNT][REGION].training_jobs[name]


def changed_record(content: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    record = json.loads(content)
    change(record)
    return json.dumps(record).encode()


def files_in(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
