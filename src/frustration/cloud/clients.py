"""Connections to AWS, all made in one way, so that retries, endpoint and TLS are the same everywhere.

Credentials come from boto3's own chain or from .env. `AWS_ENDPOINT_URL` moves every service elsewhere;
nothing else does, and certificates are always verified.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Collection, Iterator
from typing import Any, TypeVar

from frustration.cloud.settings import Settings, masked
from frustration.errors import FrustrationError, InputError
from frustration.sinks import one_line

RETRIES = {"mode": "adaptive", "max_attempts": 10}
"""Throttling is absorbed here: botocore slows down as long as the service asks it to."""

ABSENT = ("NoSuchKey", "404")
"""Codes of S3 where there is no such object."""
T = TypeVar("T")


class CloudError(FrustrationError):
    """What AWS said no to, with account ids masked."""


def client(settings: Settings, service: str) -> Any:
    """A client of `service`: "s3", "sagemaker", "logs", ..."""
    import boto3
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError

    keys = settings.credentials
    try:
        session = boto3.Session(
            aws_access_key_id=keys.get("AWS_ACCESS_KEY_ID"),
            aws_secret_access_key=keys.get("AWS_SECRET_ACCESS_KEY"),
            aws_session_token=keys.get("AWS_SESSION_TOKEN"),
            region_name=settings.region,
            # Keys that .env holds win over a profile, as keys in the environment do.
            profile_name=None if keys else settings.profile or None,
        )
        return session.client(service, config=Config(retries=RETRIES, max_pool_connections=32))
    except (BotoCoreError, ValueError) as error:
        raise InputError(said(f"cannot connect to {service}", error)) from None


def code_of(error: Any) -> str:
    """The short name of a ClientError: "ResourceInUse", "404", ..."""
    return str(error.response.get("Error", {}).get("Code", ""))


def message_of(error: Any) -> str:
    """What the service said, without account ids."""
    return masked(one_line(error.response.get("Error", {}).get("Message", "")))


def said(what: str, error: Any) -> str:
    """One sentence: `what` could not be done, and what botocore says to it, which may be several lines."""
    return masked(one_line(f"{what}: {error}"))


@contextlib.contextmanager
def spoken(what: str) -> Iterator[None]:
    """Errors of AWS within the block become one sentence: `what` could not be done, and why."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        reason = message_of(error) or "no reason given"
        raise CloudError(f"{what}: {code_of(error)}: {reason}") from None
    except BotoCoreError as error:
        raise CloudError(said(what, error)) from None


def answered(what: str, ask: Callable[[], T], none_for: Collection[str]) -> T | None:
    """What AWS answers; None where its error has one of these codes, any other error being `spoken`."""
    from botocore.exceptions import ClientError

    with spoken(what):
        try:
            return ask()
        except ClientError as error:
            if code_of(error) in none_for:
                return None
            raise


def put_new(s3: Any, bucket: str, key: str, content: bytes, **more: str) -> bool:
    """Write an object where there is none; False where there is one: another launcher was faster."""
    where = {"Bucket": bucket, "Key": key, "IfNoneMatch": "*"}
    # 409: another conditional put of the same key is under way at this very moment.
    taken = ("PreconditionFailed", "ConditionalRequestConflict", "412", "409")
    put = answered(
        f"cannot write s3://{bucket}/{key}", lambda: s3.put_object(Body=content, **where, **more), taken
    )
    return put is not None


def bucket_remarks(s3: Any, settings: Settings) -> list[str]:
    """What the user should know about the bucket; InputError if it is not there or not theirs to use."""
    from botocore.exceptions import ClientError

    bucket = settings.bucket
    with spoken(f"cannot use the bucket {bucket}"):
        try:
            head = s3.head_bucket(Bucket=bucket)
        except ClientError as error:
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status == 404:
                raise InputError(f"there is no bucket {bucket}; make it, or set S3_BUCKET_NAME") from None
            if status == 403:
                raise InputError(f"these credentials may not use the bucket {bucket}") from None
            if status != 301:
                raise
            head = error.response
    headers = head.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    region = head.get("BucketRegion") or headers.get("x-amz-bucket-region")
    remarks = []
    if region and region != settings.region:
        remarks.append(
            f"the bucket {bucket} is in {region} but jobs run in {settings.region}: "
            f"SageMaker wants both in one region, and traffic between them is billed"
        )
    if _is_public(s3, bucket):
        remarks.append(f"the bucket {bucket} is public: anybody can read what this study puts there")
    return remarks


def _is_public(s3: Any, bucket: str) -> bool:
    """Whether its policy or its access list opens it to everybody, as far as we are allowed to look."""
    from botocore.exceptions import ClientError

    with spoken(f"cannot ask whether the bucket {bucket} is public"):
        with contextlib.suppress(ClientError):
            blocks = s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"]
            if blocks.get("IgnorePublicAcls") and blocks.get("RestrictPublicBuckets"):
                return False
        with contextlib.suppress(ClientError):
            if s3.get_bucket_policy_status(Bucket=bucket)["PolicyStatus"].get("IsPublic"):
                return True
        with contextlib.suppress(ClientError):
            grants = s3.get_bucket_acl(Bucket=bucket)["Grants"]
            groups = [grant.get("Grantee", {}).get("URI", "") for grant in grants]
            return any(uri.rpartition("/")[2] in ("AllUsers", "AuthenticatedUsers") for uri in groups)
    return False
