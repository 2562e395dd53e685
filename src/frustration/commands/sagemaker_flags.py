"""What the sagemaker commands share: flags that say where and at what price, and which study is meant."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.arguments import real, whole
from frustration.commands.options import InResults, Options, argument, option

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud
    from frustration.cloud.estimator import Estimator
    from frustration.cloud.prices import Price
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study


class InCloud(InResults):
    """Where studies are in the cloud."""

    heading = "where it is stored (flags over the environment over .env)"

    region: str | None = option("AWS_REGION, such as us-east-1", metavar="NAME")
    bucket: str | None = option("S3_BUCKET_NAME", metavar="NAME")
    prefix: str | None = option("S3_PREFIX: the folder in the bucket", metavar="PATH")
    env_file: Path | None = option("the settings (default: aws/sagemaker/.env)", read=Path, metavar="FILE")


class OneCloudStudy(InCloud):
    """A study in the cloud; its name is optional if it is the only one."""

    study: str | None = argument("default: the only one there is", None, metavar="STUDY")


class Rates(Options):
    """What an instance costs an hour, where the table does not say it."""

    heading = "what it may cost"

    price: tuple[str, ...] | None = option(
        "an hour; REGION/TYPE=USD for one region only", action="append", metavar="TYPE=USD"
    )
    prices: Path | None = option("a table like the one that is built in", read=Path, metavar="FILE")

    def price_in(self, region: str) -> Callable[[str], Price]:
        """What an hour of an instance costs there: by these flags, or by the table."""
        from frustration.cloud.prices import overrides, price

        given = overrides(self.price or (), self.prices)
        return lambda instance: price(region, instance, given)


class Size(Rates):
    """How trials are packed into jobs, and on what they train."""

    heading = "how many jobs, and on what"

    hours: float = option("finish within (4)", 4.0, read=real(0, above=True), metavar="H")
    instances: int = option("at a time (4)", 4, read=whole(1, 10_000), metavar="N")
    instance_type: str | None = option("INSTANCE_TYPE (default: ml.c5.4xlarge)", metavar="TYPE")
    cores: int | None = option(
        "physical cores (default: from the type's name)", read=whole(1, 1024), metavar="N"
    )
    speed: float = option(
        "speed of an instance's core, relative to one here (default: 1)",
        1.0,
        read=real(0, above=True),
        metavar="X",
    )


def cloud_of(options: InCloud, *need: str) -> Cloud:
    """The account selected by flags, environment and .env; by default a region and a bucket are required."""
    from frustration.cloud.account import Cloud
    from frustration.cloud.settings import Settings

    flags = {"region": options.region, "bucket": options.bucket, "prefix": options.prefix}
    return Cloud(settings=Settings.read(flags, need or ("region", "bucket"), options.env_file))


def estimator_of(options: Size, settings: Settings, study: Study) -> Estimator:
    """The estimator that these flags configure."""
    from frustration.cloud.estimator import Estimator
    from frustration.cloud.packing import Budget
    from frustration.terminal.bar import measuring

    # A quarter is left for starting, and for an instance that is slower than was thought.
    longest = 0.75 * settings.max_run_seconds
    return Estimator(
        study=study,
        settings=settings,
        budget=Budget(hours=options.hours, instances=options.instances, longest_seconds=longest),
        price=options.price_in(settings.region),
        cores=options.cores,
        speed=options.speed,
        progress=measuring,
    )


def named_study(name: str, results: Path, cloud: Cloud | None) -> Study:
    """A file, a study in results/, a preset, or, if AWS is asked, one that is in S3."""
    from frustration.cloud.plan import read_plan
    from frustration.study.named import study_named

    def in_s3() -> Study | None:
        plan = read_plan(cloud.s3, cloud.place(name)) if cloud else None
        return plan.study if plan else None

    return study_named(name, results, in_s3)[0]
