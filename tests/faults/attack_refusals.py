"""Attacks by a service: AWS refuses a call or the connection breaks, at any call of any command."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import random
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore import exceptions
from botocore.client import BaseClient
from tally import Tally

from frustration.commands import main

sys.path.append(str(Path(__file__).parents[1] / "cloud"))
import launch_kit
from cloud_study import PLACE, plan_of_nothing
from home_kit import BUCKET, FLAGS, Cloud, moto_job

from frustration.cloud.place import Place

LAUNCH = "sagemaker-launch"
COMMANDS = (
    ("sagemaker-status", "away"),
    ("sagemaker-status",),
    ("sagemaker-stop", "away", "--yes"),
    ("sagemaker-estimate-storage",),
    ("sagemaker-results-parser", "away"),
    ("sagemaker-get-training-logs", "away"),
    ("sagemaker-clean", "away"),
    ("sagemaker-reconstruct-jobs", "away"),
    (LAUNCH, "new.toml"),
)
CALLS = 12
"""The most of a command that may be refused; where it makes fewer, nothing happened to it."""
JOBS = 2
"""Of a study that is launched; of every second launch it is one of these that goes wrong."""
CODES = ("AccessDenied", "ThrottlingException", "ValidationException", "InternalError", "ExpiredToken", "404")
LOST: tuple[Callable[[], Exception], ...] = (
    lambda: exceptions.EndpointConnectionError(endpoint_url="https://api\n.example"),
    lambda: exceptions.ConnectionClosedError(endpoint_url="https://api"),
    lambda: exceptions.ReadTimeoutError(endpoint_url="https://api"),
    lambda: exceptions.SSLError(endpoint_url="https://api", error="bad certificate\nverify failed\n"),
    lambda: exceptions.ResponseStreamingError(error="incomplete\x1b[2J read"),
    lambda: exceptions.NoCredentialsError(),
)


def run(seed: int, count: int) -> Tally:
    """`count` commands, each with one call that goes wrong."""
    tally = Tally()
    with _aws():
        for number in range(count):
            draw = random.Random(f"{seed}.{number}")
            _attack(tally, draw, f"{seed}.{number}")
    return tally


def _attack(tally: Tally, draw: random.Random, name: str) -> None:
    command, place = draw.choice(COMMANDS), draw.randrange(CALLS)
    launches = command[0] == LAUNCH
    at_a_job = launches and draw.random() < 0.5
    lost = draw.random() < 0.6
    error = draw.choice(LOST)() if lost else _refusal(draw)
    asked: list[str] = []
    call = BaseClient._make_api_call

    def goes_wrong(self: Any, operation: str, parameters: Any) -> Any:
        if at_a_job and operation != "CreateTrainingJob":
            return call(self, operation, parameters)
        asked.append(operation)
        if len(asked) == (place % JOBS if at_a_job else place) + 1:
            raise error
        if operation == "StopTrainingJob":
            return {}  # moto has none
        return call(self, operation, parameters)

    said = io.StringIO()
    study = f"new-{name.replace('.', '-')}"
    words = [*command, *((*launch_kit.FLAGS, *launch_kit.apart()) if launches else FLAGS)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        Path("new.toml").write_text(launch_kit.toml(name=f'"{study}"'))
        tally.tried += 1
        what = f"{name}: {' '.join(command)}: call {place + 1}: {error!r}"
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                with patch.context() as broken:
                    broken.setattr(BaseClient, "_make_api_call", goes_wrong)
                    code = main(words)
                begun = _running(study)
                again = main(words) if launches else 0
        except Exception:  # whatever it is, a user would have seen a traceback
            tally.count("tracebacks", f"{what}: {traceback.format_exc(limit=-3)}")
            return
    sentence = said.getvalue()
    if "Traceback" in sentence or "unexpected " in sentence or "\x1b" in sentence:
        tally.count("tracebacks", f"{what}: {sentence}")
    elif launches and (again or _running(study) != JOBS or (code == 0 and begun != JOBS)):
        tally.count("believed", f"{what}: {begun} jobs, {_running(study)} after another launch: {sentence}")
    elif code and sentence.strip():
        tally.count("noticed", what)
    elif len(asked) <= place:
        tally.count("harmless", what)
    else:  # who may not ask is not told; but a connection that broke has said neither yes nor no
        tally.count("believed" if lost else "harmless", f"{what} at {asked[place]}: {sentence}")


def _running(study: str) -> int:
    """How many jobs the service has of a study; from now on they run, and do not end without an archive."""
    prefix = Place(BUCKET, "frustration", study).job_prefix
    found = boto3.client("sagemaker").list_training_jobs(NameContains=prefix, MaxResults=100)
    for name in (one["TrainingJobName"] for one in found["TrainingJobSummaries"]):
        job = moto_job(name)
        job.training_job_status, job.secondary_status = "InProgress", "Training"
        job.training_end_time = None
    return len(found["TrainingJobSummaries"])


def _refusal(draw: random.Random) -> Exception:
    code = draw.choice(CODES)
    answer = {"Error": {"Code": code, "Message": "no\nsuch \x1b[31mluck"}, "ResponseMetadata": {}}
    return exceptions.ClientError(answer, "Operation")


@contextlib.contextmanager
def _aws() -> Iterator[None]:
    """moto's server, in which a plan was launched whose jobs have logs and no archives."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    given = {
        **dict.fromkeys(("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"), "dummy"),
        **dict.fromkeys(("AWS_REGION", "AWS_DEFAULT_REGION"), "us-east-1"),
        **dict.fromkeys(("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"), os.devnull),
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ENDPOINT_URL": "http://{}:{}".format(*server.get_host_and_port()),
    }
    try:
        with pytest.MonkeyPatch.context() as patch:
            for name, value in given.items():
                patch.setenv(name, value)
            cloud, plan = Cloud(), plan_of_nothing()
            cloud.launch(plan, PLACE)
            states = ("InProgress", "Failed", "Completed", "InProgress")
            for pack, state in zip(plan.packs, states, strict=True):
                cloud.job(PLACE.job_name(pack.id, 1), state)
                cloud.stream(PLACE.job_name(pack.id, 1), ["a line", "another"])
            yield
    finally:
        server.stop()
