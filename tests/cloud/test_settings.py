"""Settings: flags over the environment over .env; what is missing is named at once, no secret is told."""

import json

import boto3
import pytest
from botocore.client import BaseClient
from botocore.exceptions import EndpointConnectionError

from frustration.cloud.clients import CloudError, bucket_remarks, client
from frustration.cloud.settings import Settings, masked
from frustration.errors import InputError

ROLE = "arn:aws:iam::123456789012:role/trainer"
ALL = ("role", "region", "bucket")


@pytest.fixture
def env(tmp_path):
    """An .env file of these lines."""

    def write(*lines: str):
        path = tmp_path / ".env"
        path.write_text("\n".join(lines) + "\n")
        return path

    return write


def test_a_flag_wins_over_the_environment_and_that_over_the_file(env):
    file = env(
        "S3_BUCKET_NAME=from-file",
        "AWS_REGION=eu-west-1",
        "S3_PREFIX=from-file",
        f"AWS_SAGEMAKER_ROLE={ROLE}",
    )
    around = {"S3_PREFIX": "from-environment", "AWS_REGION": "eu-west-2"}
    found = Settings.read({"region": "eu-west-3", "bucket": None}, ALL, file, around)
    assert (found.bucket, found.prefix, found.region, found.role) == (
        "from-file",
        "from-environment",
        "eu-west-3",
        ROLE,
    )


def test_all_that_is_missing_is_named_in_one_error(env):
    with pytest.raises(InputError) as error:
        Settings.read({}, ALL, env("S3_PREFIX=x"), {})
    for name in ("AWS_SAGEMAKER_ROLE", "AWS_REGION", "S3_BUCKET_NAME", ".env"):
        assert name in str(error.value)


def test_an_empty_value_is_no_value(env):
    with pytest.raises(InputError, match="S3_BUCKET_NAME"):
        Settings.read({}, ("bucket",), env("S3_BUCKET_NAME="), {"S3_BUCKET_NAME": " "})


@pytest.mark.parametrize(
    "lines, said",
    [
        (["USE_SPOT_INSTANCES=perhaps"], "USE_SPOT_INSTANCES must be true or false"),
        (["MAX_RUN_SECONDS=soon"], "MAX_RUN_SECONDS must be a whole number"),
        (["MAX_RUN_SECONDS=0"], "MAX_RUN_SECONDS must be a whole number"),
        (["MAX_RUN_SECONDS=200", "MAX_WAIT_SECONDS=100"], "cannot be less"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(env, lines, said):
    with pytest.raises(InputError, match=said):
        Settings.read({}, (), env(*lines), {})


def test_a_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(InputError, match="there is no file"):
        Settings.read({}, (), tmp_path / "none.env", {})


def test_keys_of_the_file_reach_boto3_and_no_text(env):
    found = Settings.read(
        {}, (), env("AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=sesame"), {"AWS_REGION": "us-east-1"}
    )
    signer = client(found, "s3")._request_signer._credentials
    assert (signer.access_key, signer.secret_key) == ("AKID", "sesame")
    assert "sesame" not in repr(found)
    assert "AKID" not in repr(found)


def test_halves_of_two_pairs_of_keys_never_meet(env):
    file = env("AWS_ACCESS_KEY_ID=AKID", "AWS_SECRET_ACCESS_KEY=sesame")
    assert Settings.read({}, (), file, {"AWS_ACCESS_KEY_ID": "OTHER"}).credentials == {}


def test_account_ids_are_masked_wherever_they_stand():
    text = f"{ROLE} 123456789012.dkr.ecr.us-east-1.amazonaws.com in account 123456789012: no"
    assert "123456789012" not in masked(text)
    assert masked("digest a123456789012b 1234567890123") == "digest a123456789012b 1234567890123"


def test_certificates_are_always_verified():
    """True, or the path of the authorities that the environment names; False would be off."""
    for service in ("s3", "sagemaker", "logs"):
        assert client(Settings(region="us-east-1"), service)._endpoint.http_session._verify


@pytest.mark.parametrize(
    "operation", ["HeadBucket", "GetPublicAccessBlock", "GetBucketPolicyStatus", "GetBucketAcl"]
)
def test_a_lost_connection_while_the_bucket_is_looked_at_is_one_sentence(aws, monkeypatch, operation):
    boto3.client("s3", region_name="us-east-1").create_bucket(Bucket="private")
    call = BaseClient._make_api_call

    def breaks_off(self, name, parameters):
        if name == operation:
            raise EndpointConnectionError(endpoint_url="https://api\n")
        return call(self, name, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", breaks_off)
    settings = Settings(region="us-east-1", bucket="private")
    with pytest.raises(CloudError, match=r'private.*: Could not connect to the endpoint URL: "https://api "'):
        bucket_remarks(client(settings, "s3"), settings)


def test_a_public_bucket_and_one_in_another_region_are_pointed_out(aws):
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="private")
    s3.create_bucket(Bucket="open")
    everybody = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "s3:GetObject",
        "Resource": "arn:aws:s3:::open/*",
    }
    s3.put_bucket_policy(
        Bucket="open", Policy=json.dumps({"Version": "2012-10-17", "Statement": [everybody]})
    )
    s3.create_bucket(Bucket="listed", ACL="public-read")
    far = boto3.client("s3", region_name="eu-west-1")
    far.create_bucket(Bucket="far", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})

    def remarks(bucket):
        settings = Settings(region="us-east-1", bucket=bucket)
        return " ".join(bucket_remarks(client(settings, "s3"), settings))

    assert remarks("private") == ""
    assert "is public" in remarks("open")
    assert "is public" in remarks("listed")
    assert "eu-west-1" in remarks("far")
    with pytest.raises(InputError, match="there is no bucket"):
        remarks("nowhere")
