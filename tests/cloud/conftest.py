"""No test of the cloud may reach one: dummy credentials, and an endpoint on this very machine or none."""

import ipaddress
import logging
import os
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlparse

import pytest

NOWHERE = "http://127.0.0.1:9"
"""The port of the discard service: nothing listens there."""


@pytest.fixture(autouse=True)
def only_loopback(monkeypatch) -> Iterator[None]:
    """Every test begins without credentials of anybody's, and fails if its endpoint is not loopback."""
    for name in [name for name in os.environ if name.startswith(("AWS_", "S3_"))]:
        monkeypatch.delenv(name)
    given = {
        "AWS_ACCESS_KEY_ID": "dummy",
        "AWS_SECRET_ACCESS_KEY": "dummy-secret",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_ENDPOINT_URL": NOWHERE,
    }
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    yield
    assert os.environ.get("AWS_ENDPOINT_URL"), "no endpoint: boto3 would go to AWS"
    for name in [name for name in os.environ if name.startswith("AWS_ENDPOINT_URL")]:
        host = urlparse(os.environ[name]).hostname
        assert host, f"{name} is no address"
        assert ipaddress.ip_address(host).is_loopback, f"the endpoint {host} is not loopback"


@pytest.fixture(scope="session")
def moto_server() -> Iterator[str]:
    """moto's server for all of AWS, on loopback; its address."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    yield "http://{}:{}".format(*server.get_host_and_port())
    server.stop()


@pytest.fixture
def aws(moto_server, only_loopback, monkeypatch) -> Iterator[str]:
    """An empty AWS: its address, which AWS_ENDPOINT_URL holds."""
    from moto.core.models import DEFAULT_ACCOUNT_ID
    from moto.moto_api._internal import moto_api_backend

    assert DEFAULT_ACCOUNT_ID == "123456789012"
    moto_api_backend.reset()
    monkeypatch.setenv("AWS_ENDPOINT_URL", moto_server)
    if other_s3 := os.environ.get("TEST_S3_ENDPOINT"):
        _use_s3_server(other_s3, monkeypatch)
    yield moto_server
    moto_api_backend.reset()


def _use_s3_server(endpoint: str, monkeypatch) -> None:
    """S3 from another server than moto's (scripts/test_s3.py starts one), emptied first."""
    import boto3

    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", endpoint)
    for name, own in (
        ("AWS_ACCESS_KEY_ID", "TEST_S3_ACCESS_KEY"),
        ("AWS_SECRET_ACCESS_KEY", "TEST_S3_SECRET_KEY"),
    ):
        monkeypatch.setenv(name, os.environ[own])
    s3 = boto3.resource("s3")
    for bucket in s3.buckets.all():
        bucket.object_versions.delete()
        for upload in bucket.multipart_uploads.all():
            upload.abort()
        bucket.delete()


@pytest.fixture
def service(aws, monkeypatch) -> Iterator[Any]:
    """A SageMaker whose jobs are real processes, with the bucket that the launch kit uses."""
    import boto3
    from launch_kit import BUCKET
    from simulator.service import Service

    clients = {name: boto3.client(name) for name in ("s3", "logs")}
    clients["s3"].create_bucket(Bucket=BUCKET)
    service = Service(clients)
    service.install(monkeypatch)
    yield service
    service.close()


@pytest.fixture(scope="session", autouse=True)
def service_models_once() -> Iterator[None]:
    """boto3 reads megabytes of JSON for every session; here each file is read once."""
    import functools

    from botocore.loaders import JSONFileLoader

    loader, load_file = JSONFileLoader(), JSONFileLoader.load_file
    load = functools.cache(lambda path: load_file(loader, path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda self, path: load(path))
        yield


@pytest.fixture
def plan() -> Any:
    """Of a study that nobody trained, in four packs."""
    from cloud_study import plan_of_nothing

    return plan_of_nothing()


@pytest.fixture
def cloud(aws, plan) -> Any:
    """An AWS in which that plan was launched; jobs are made by the tests."""
    from cloud_study import PLACE
    from home_kit import Cloud

    made = Cloud()
    made.launch(plan, PLACE)
    return made


@pytest.fixture
def names(plan) -> list[str]:
    """The first job of each pack."""
    from cloud_study import PLACE

    return [PLACE.job_name(pack.id, 1) for pack in plan.packs]
