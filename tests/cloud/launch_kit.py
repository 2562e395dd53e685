"""What tests of launching share: a study that is trained in a second, and the command as a user gives it."""

import io
import json
import tarfile
from pathlib import Path
from typing import Any

import boto3

from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, read_plan
from frustration.cloud.settings import Settings
from frustration.commands.sagemaker_launch import main
from frustration.study.definition import Study
from frustration.study.run import prepare, run_study
from frustration.study.store import Store

BUCKET = "bench"
PLACE = Place(BUCKET, "frustration", "away")
SETTINGS = Settings(
    role="arn:aws:iam::123456789012:role/trainer", region="us-east-1", bucket=BUCKET, image="train:1-py312"
)
FLAGS = (
    *("--region", SETTINGS.region, "--bucket", BUCKET, "--role", SETTINGS.role),
    *("--instance-type", "ml.c5.xlarge", "--price", "ml.c5.xlarge=0.2", "--wheels", "none"),
    *("--poll", "0.1", "--checkpoint-seconds", "0.05", "--max-run-seconds", "3600"),
)

STUDY = {
    "name": '"away"',
    "architectures": '["[1*2]", "[1*4]"]',
    "modes": '["none", "hidden"]',
    "trials": "2",
    "meta_loops": "2",
    "train_fraction": "0.02",
}
"""Full MNIST by name, but 1,000 training images: a loop takes milliseconds."""


def toml(**changed: str) -> str:
    return "\n".join(f"{key} = {value}" for key, value in {**STUDY, **changed}.items()) + "\n"


def study(**changed: str) -> Study:
    return Study.from_toml(toml(**changed))


def launch(folder: Path, *flags: str, **changed: str) -> int:
    """`sagemaker-launch away.toml` with packs of one architecture each; returns the exit code."""
    file = folder / "away.toml"
    file.write_text(toml(**changed))
    return main([str(file), *FLAGS, *apart(), *flags])


def apart() -> tuple[str, ...]:
    """Hours so few that every group becomes a job of its own."""
    return ("--hours", "1e-9", "--instances", "100")


def plan(place: Place = PLACE) -> CloudPlan:
    found = read_plan(boto3.client("s3"), place)
    assert found
    return found


def trained_here(root: Path, **changed: str) -> Store:
    """The same study, uninterrupted and on this machine."""
    store = Store(root)
    run_study(prepare(study(**changed)), store, workers=1)
    return store


def archive(job: str, place: Place = PLACE) -> dict[str, bytes]:
    """The files of a model.tar.gz by their names."""
    body = boto3.client("s3").get_object(Bucket=BUCKET, Key=place.archive(job))["Body"].read()
    with tarfile.open(fileobj=io.BytesIO(body)) as tar:
        files = {member.name.removeprefix("./"): tar.extractfile(member) for member in tar}
        return {name: file.read() for name, file in files.items() if file}


def put_archive(job: str, place: Place = PLACE) -> None:
    """As if the job had left one."""
    boto3.client("s3").put_object(Bucket=BUCKET, Key=place.archive(job), Body=b"results")


def come_to(service: Any, status: str, *jobs: str) -> None:
    """End jobs without instances; those that complete leave an archive."""
    for job in jobs or tuple(name for name, now in service.statuses().items() if now == "InProgress"):
        service.settle(job, status)
        if status == "Completed":
            put_archive(job)


def bits(files: dict[str, bytes]) -> dict[str, Any]:
    """Records and networks of archives or stores, without the time that they took."""
    found: dict[str, Any] = {}
    for name, content in files.items():
        kind, _, rest = name.removeprefix("study/").partition("/")
        if kind == "trials":
            found[rest] = {**json.loads(content), "seconds": None, "sha256": None}
        elif kind == "networks":
            found[rest] = content
    return found


def files_of(store: Store) -> dict[str, bytes]:
    return {
        str(path.relative_to(store.root)): path.read_bytes()
        for folder in ("trials", "networks")
        for path in (store.root / folder).rglob("*")
        if path.is_file()
    }


def lying(prefix: str = "") -> set[str]:
    pages = boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
    return {one["Key"] for page in pages for one in page.get("Contents", [])}
