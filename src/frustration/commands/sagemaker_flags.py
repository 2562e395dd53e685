"""What the sagemaker commands share: the flags that say where, connections, and which study is meant."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import real, whole
from frustration.commands.options import InResults, Options, argument, option
from frustration.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study


class InCloud(InResults):
    """Where studies are in the cloud."""

    heading = "where it lies (flags over the environment over .env)"

    region: str | None = option("AWS_REGION, such as us-east-1", metavar="NAME")
    bucket: str | None = option("S3_BUCKET_NAME", metavar="NAME")
    prefix: str | None = option("S3_PREFIX: the folder in the bucket", metavar="PATH")
    env_file: Path | None = option("the settings (default: aws/sagemaker/.env)", read=Path, metavar="FILE")


class OneCloudStudy(InCloud):
    """A study in the cloud, which need not be named where there is only one."""

    study: str | None = argument("default: the only one there is", None, metavar="STUDY")


class Rates(Options):
    """What an instance costs an hour, where the table does not say it."""

    heading = "what it may cost"

    price: tuple[str, ...] | None = option(
        "an hour; REGION/TYPE=USD for one region only", action="append", metavar="TYPE=USD"
    )
    prices: Path | None = option("a table like the one that is built in", read=Path, metavar="FILE")


class Size(Rates):
    """How trials are packed into jobs, and on what they train."""

    heading = "how many jobs, and on what"

    hours: float = option("all done within (4)", 4.0, read=real(0, above=True), metavar="H")
    instances: int = option("at a time (4)", 4, read=whole(1, 10_000), metavar="N")
    instance_type: str | None = option("INSTANCE_TYPE (default: ml.c5.4xlarge)", metavar="TYPE")
    cores: int | None = option(
        "physical cores (default: from the type's name)", read=whole(1, 1024), metavar="N"
    )
    speed: float = option(
        "how many times as fast as a core here one of the instance is (default: 1)",
        1.0,
        read=real(0, above=True),
        metavar="X",
    )


@dataclass(kw_only=True)
class Cloud:
    """What a command talks to: connections are made when they are needed."""

    settings: Settings

    @classmethod
    def of(cls, options: InCloud, *need: str) -> Cloud:
        """By flags, environment and .env; without `need` a region and a bucket are needed."""
        from frustration.cloud.settings import Settings

        flags = {"region": options.region, "bucket": options.bucket, "prefix": options.prefix}
        return cls(settings=Settings.read(flags, need or ("region", "bucket"), options.env_file))

    @cached_property
    def s3(self) -> Any:
        return self._client("s3")

    @cached_property
    def sagemaker(self) -> Any:
        return self._client("sagemaker")

    @cached_property
    def logs(self) -> Any:
        return self._client("logs")

    def _client(self, service: str) -> Any:
        from frustration.cloud.clients import client

        return client(self.settings, service)

    def say_remarks(self) -> None:
        """What is to be known about the bucket, on stderr."""
        from frustration.cloud.clients import bucket_remarks

        for remark in bucket_remarks(self.s3, self.settings):
            print(f"note: {remark}", file=sys.stderr)

    @property
    def under(self) -> str:
        """The prefix of all keys."""
        return f"{self.settings.prefix}/" if self.settings.prefix else ""

    @property
    def where(self) -> str:
        return f"s3://{self.settings.bucket}/{self.settings.prefix}".rstrip("/")

    def studies(self) -> list[str]:
        """The names of the studies that are under the prefix."""
        from frustration.cloud.download import folders

        return sorted(folders(self.s3, self.settings.bucket, f"{self.under}studies/"))

    def only_study(self) -> str | None:
        """The name of the study under the prefix, None where there is none."""
        there = self.studies()
        if len(there) > 1:
            raise InputError(
                f"{len(there)} studies are in {self.where}: {', '.join(there)}; name one of them"
            )
        return there[0] if there else None

    def place(self, study: str | None) -> Place:
        """Where the named study lies, or the only one that there is."""
        from frustration.cloud.place import Place

        name = study or self.only_study()
        if name is None:
            raise InputError(f"no study was launched to {self.where}; sagemaker-launch STUDY launches one")
        return Place.of(self.settings, name)

    def plan(self, place: Place) -> CloudPlan:
        """What the launchers of a study agreed on."""
        from frustration.cloud.plan import read_plan

        plan = read_plan(self.s3, place)
        if plan is None:
            there = self.studies()
            lies = f"there are {', '.join(there)}" if there else "there is none"
            hint = did_you_mean(place.study, there)
            raise InputError(f"no study {place.study} was launched to {place.uri(place.root)}{hint}; {lies}")
        return plan


def named_study(name: str, results: Path, cloud: Cloud | None) -> Study:
    """A file, a study in results/, a preset, or, if AWS is asked, one that is in S3."""
    from frustration.cloud.place import Place
    from frustration.cloud.plan import read_plan
    from frustration.study.named import study_named

    def in_s3() -> Study | None:
        plan = read_plan(cloud.s3, Place.of(cloud.settings, name)) if cloud else None
        return plan.study if plan else None

    return study_named(name, results, in_s3)[0]
