"""Download one object of S3 to a file: complete, with the announced size, or not at all."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from frustration.archive import LIMITS, HostileArchive
from frustration.cloud.clients import ABSENT, CloudError, code_of, spoken
from frustration.cloud.settings import masked
from frustration.errors import FrustrationError
from frustration.files import StorageError

CHUNK = 2**18
TRIES = 4
"""botocore tries to connect again by itself, but not when a transfer ends half-way."""


class NoObject(FrustrationError):
    """There is nothing under this key."""


def fetch(
    s3: Any,
    bucket: str,
    key: str,
    path: Path,
    *,
    arrived: Callable[[int], None] = lambda count: None,
    stop: threading.Event | None = None,
    limit: int = LIMITS.packed_bytes,
) -> None:
    """Download; `arrived` gets every count of bytes, and a negative one when a try starts over."""
    from botocore.exceptions import BotoCoreError, ClientError

    stop = stop or threading.Event()
    for left in reversed(range(TRIES)):
        got = 0
        try:
            with path.open("wb") as file, spoken(f"cannot read s3://{bucket}/{key}"):
                try:
                    found = s3.get_object(Bucket=bucket, Key=key)
                except ClientError as error:
                    if code_of(error) in ABSENT:
                        raise NoObject(f"there is no s3://{bucket}/{key}") from None
                    raise
                if found["ContentLength"] > limit:
                    raise HostileArchive(f"it has {found['ContentLength']:,} bytes; {limit:,} are allowed")
                try:
                    for chunk in found["Body"].iter_chunks(CHUNK):
                        if stop.is_set():
                            raise KeyboardInterrupt
                        file.write(chunk)
                        got += len(chunk)
                        arrived(len(chunk))
                except BotoCoreError as error:
                    broken = error
                else:
                    return
        except OSError as error:
            raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
        arrived(-got)
        if not left:
            raise CloudError(masked(f"s3://{bucket}/{key} breaks off after {got:,} bytes: {broken}"))


def folders(s3: Any, bucket: str, prefix: str) -> Iterator[str]:
    """The names that follow `prefix` up to the next "/", without listing their contents."""
    with spoken(f"cannot list s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        for page in pages:
            for one in page.get("CommonPrefixes", ()):
                yield one["Prefix"].removesuffix("/").rpartition("/")[2]


def objects(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Everything under a prefix: Key, Size, LastModified, StorageClass."""
    with spoken(f"cannot list s3://{bucket}/{prefix}"):
        for page in s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            yield from page.get("Contents", ())
