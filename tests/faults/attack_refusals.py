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

import pytest
from botocore import exceptions
from botocore.client import BaseClient
from tally import Tally

from frustration.commands import main

sys.path.append(str(Path(__file__).parents[1] / "cloud"))
from cloud_study import PLACE, plan_of_nothing
from home_kit import FLAGS, Cloud

COMMANDS = (
    ("sagemaker-status", "away"),
    ("sagemaker-status",),
    ("sagemaker-stop", "away", "--yes"),
    ("sagemaker-estimate-storage",),
    ("sagemaker-results-parser", "away"),
    ("sagemaker-get-training-logs", "away"),
    ("sagemaker-clean", "away"),
    ("sagemaker-reconstruct-jobs", "away"),
)
CALLS = 12
"""The most of a command that may be refused; where it makes fewer, nothing happened to it."""
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
    lost = draw.random() < 0.6
    error = draw.choice(LOST)() if lost else _refusal(draw)
    asked: list[str] = []
    call = BaseClient._make_api_call

    def goes_wrong(self: Any, operation: str, parameters: Any) -> Any:
        asked.append(operation)
        if len(asked) == place + 1:
            raise error
        if operation == "StopTrainingJob":
            return {}  # moto has none
        return call(self, operation, parameters)

    said = io.StringIO()
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(BaseClient, "_make_api_call", goes_wrong)
        tally.tried += 1
        what = f"{name}: {' '.join(command)}: call {place + 1}: {error!r}"
        try:
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
                code = main([*command, *FLAGS])
        except Exception:  # whatever it is, a user would have seen a traceback
            tally.count("tracebacks", f"{what}: {traceback.format_exc(limit=-3)}")
            return
    sentence = said.getvalue()
    if "Traceback" in sentence or "unexpected " in sentence or "\x1b" in sentence:
        tally.count("tracebacks", f"{what}: {sentence}")
    elif code and sentence.strip():
        tally.count("noticed", what)
    elif len(asked) <= place:
        tally.count("harmless", what)
    else:  # who may not ask is not told; but a connection that broke has said neither yes nor no
        tally.count("believed" if lost else "harmless", f"{what} at {asked[place]}: {sentence}")


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
