"""The objects in S3 by kind, from one listing, with old versions and unfinished uploads."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from frustration.cloud.clients import answered
from frustration.cloud.download import objects

T = TypeVar("T")
DENIED = ("AccessDenied", "403", "NotImplemented", "MethodNotAllowed")
ARCHIVE = "archives"
CHECKPOINTS = "checkpoints"
PLANS = "plans"
SHARED = "code and data"
PROFILER = "output beside archives"
OTHER = "other"
_STUDY = re.compile(r"studies/(?P<study>[^/]+)/(?P<rest>.*)")
_ORIGINAL = re.compile(r"psa-[^/]+/(?P<rest>.*)")


@dataclass(kw_only=True)
class Usage:
    """Objects of one kind."""

    objects: int = 0
    bytes: int = 0

    @property
    def gib(self) -> float:
        return self.bytes / 2**30

    def add(self, size: int) -> None:
        self.objects += 1
        self.bytes += size


@dataclass(kw_only=True)
class StorageUsage:
    """Everything under a prefix."""

    kinds: dict[tuple[str, str], Usage] = field(default_factory=dict)
    """(study, kind) -> usage; the study is empty for what belongs to none."""
    old_versions: Usage | None = None
    """Replaced or deleted, and still billed; None where it cannot be seen."""
    unfinished: Usage | None = None
    """Uploads that were never finished; None where it cannot be seen."""

    @property
    def total(self) -> Usage:
        extra = [usage for usage in (self.old_versions, self.unfinished) if usage]
        kinds = [*self.kinds.values(), *extra]
        return Usage(objects=sum(p.objects for p in kinds), bytes=sum(p.bytes for p in kinds))

    def to_dict(self, price: float | None) -> dict[str, Any]:
        """`price`: dollars for a GiB and a month."""
        total = self.total
        return {
            "objects": total.objects,
            "bytes": total.bytes,
            "usd_per_month": None if price is None else round(total.gib * price, 6),
            "usd_per_gib_month": price,
            "kinds": [
                {"study": study or None, "kind": kind, **vars(part)}
                for (study, kind), part in sorted(self.kinds.items())
            ],
            "old_versions": self.old_versions and vars(self.old_versions),
            "unfinished_uploads": self.unfinished and vars(self.unfinished),
        }


def measure(
    s3: Any, bucket: str, prefix: str, under: str = "", progress: Callable[[int], None] = lambda done: None
) -> StorageUsage:
    """`prefix` ends with "/" or is empty; `under` narrows the listing to a part of it."""
    usage = StorageUsage()
    for number, one in enumerate(objects(s3, bucket, prefix + under), start=1):
        kind = kind_of(one["Key"].removeprefix(prefix))
        usage.kinds.setdefault(kind, Usage()).add(one["Size"])
        progress(number)
    usage.old_versions = _usage_of(_old_versions(s3, bucket, prefix + under))
    usage.unfinished = _usage_of(_unfinished(s3, bucket, prefix + under))
    return usage


def kind_of(key: str) -> tuple[str, str]:
    """(study, kind) of a key below the prefix."""
    if match := _STUDY.fullmatch(key):
        study, rest = match["study"], match["rest"]
        if re.fullmatch(r"plan(-[0-9]+)?\.json", rest):
            return study, PLANS
        if rest.startswith("checkpoints/"):
            return study, CHECKPOINTS
        if rest.startswith("output/"):
            return study, ARCHIVE if rest.endswith("/output/model.tar.gz") else PROFILER
        return study, OTHER
    if match := _ORIGINAL.fullmatch(key):
        return "", "original " + (ARCHIVE if match["rest"] == "output/model.tar.gz" else PROFILER)
    return "", SHARED if key.startswith(("code/", "data/")) else OTHER


def allowed(what: str, listing: Iterable[T]) -> list[T] | None:
    """All of a listing of AWS; None where these credentials may not see it."""
    return answered(f"cannot list {what}", lambda: list(listing), DENIED)


def _usage_of(sizes: Iterable[int]) -> Usage | None:
    found = allowed("what is stored in S3", sizes)
    return None if found is None else Usage(objects=len(found), bytes=sum(found))


def _old_versions(s3: Any, bucket: str, prefix: str) -> Iterator[int]:
    for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket, Prefix=prefix):
        for version in page.get("Versions", ()):
            if not version["IsLatest"]:
                yield version["Size"]


def _unfinished(s3: Any, bucket: str, prefix: str) -> Iterator[int]:
    for upload in uploads(s3, bucket, prefix):
        parts = s3.get_paginator("list_parts").paginate(
            Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"]
        )
        yield sum(part["Size"] for page in parts for part in page.get("Parts", ()))


def uploads(s3: Any, bucket: str, prefix: str) -> Iterator[dict[str, Any]]:
    """Uploads in several parts that were begun and neither finished nor given up."""
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket, Prefix=prefix):
        yield from page.get("Uploads", ())
