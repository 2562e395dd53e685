"""What the sagemaker commands share: the flags that say where, connections, and which study is meant."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, real, run, whole
from frustration.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study

PLACE_FLAGS = ("region", "bucket", "prefix")
ONLY_ONE = "default: the only one there is"


def command(
    name: str, parser: Callable[[], Parser], act: Callable[[argparse.Namespace], int]
) -> Callable[[Sequence[str] | None], int]:
    """A command from its parser and what it does; called with arguments it returns the exit code."""

    def main(argv: Sequence[str] | None = None) -> int:
        return run(name, lambda arguments: act(parser().read(arguments)), argv)

    return main


def finished(parser: Parser, place: bool = True) -> Parser:
    """Add the flags of all commands, those that say where the study lies among them, and the usage line."""
    if place:
        group = parser.add_argument_group("where it lies (flags over the environment over .env)")
        group.add_argument("--region", metavar="NAME", help="AWS_REGION, such as us-east-1")
        group.add_argument("--bucket", metavar="NAME", help="S3_BUCKET_NAME")
        group.add_argument("--prefix", metavar="PATH", help="S3_PREFIX: the folder in the bucket")
        group.add_argument(
            "--env-file", type=Path, metavar="FILE", help="the settings (default: aws/sagemaker/.env)"
        )
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where studies lie (results/)"
    )
    parser.add_argument("--debug", action="store_true", help="errors with a traceback")
    names = [
        f"[{action.metavar}]" if action.nargs in ("?", "*") else str(action.metavar)
        for action in parser._get_positional_actions()
    ]
    parser.usage = " ".join([parser.prog, *names, "[flags]"])
    return parser


def add_rates(group: argparse._ArgumentGroup) -> None:
    """What an instance costs an hour, where the table does not say it."""
    group.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="TYPE=USD",
        help="an hour; REGION/TYPE=USD for one region only",
    )
    group.add_argument("--prices", type=Path, metavar="FILE", help="a table like the one that is built in")


def add_size(group: argparse._ArgumentGroup) -> None:
    """How trials are packed into jobs, and on what they train."""
    positive = real(0, above=True)
    group.add_argument("--hours", type=positive, default=4.0, metavar="H", help="all done within (4)")
    group.add_argument("--instances", type=whole(1, 10_000), default=4, metavar="N", help="at a time (4)")
    group.add_argument("--instance-type", metavar="TYPE", help="INSTANCE_TYPE (default: ml.c5.4xlarge)")
    group.add_argument(
        "--cores", type=whole(1, 1024), metavar="N", help="physical cores (default: from the type's name)"
    )
    group.add_argument(
        "--speed",
        type=positive,
        default=1.0,
        metavar="X",
        help="how many times as fast as a core here one of the instance is (default: 1)",
    )


@dataclass(kw_only=True)
class Cloud:
    """What a command talks to: connections are made when they are needed."""

    settings: Settings

    @classmethod
    def of(cls, options: argparse.Namespace, *need: str) -> Cloud:
        """By flags, environment and .env; without `need` a region and a bucket are needed."""
        from frustration.cloud.settings import Settings

        flags = {name: getattr(options, name, None) for name in PLACE_FLAGS}
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


def named_study(options: argparse.Namespace, cloud: Cloud | None) -> Study:
    """A file, a study in results/, a preset, or, if AWS is asked, one that is in S3."""
    from frustration.cloud.place import Place
    from frustration.cloud.plan import read_plan
    from frustration.study.definition import Study
    from frustration.study.presets import preset, preset_names
    from frustration.study.store import Store

    name = options.study
    if Path(name).is_file() or name.endswith(".toml"):
        return Study.from_file(Path(name))
    for root in (Path(name), options.results / name):
        if (root / "study.toml").exists():
            return Store(root).study()
    if name in preset_names():
        return preset(name)
    if cloud and (plan := read_plan(cloud.s3, Place.of(cloud.settings, name))):
        return plan.study
    hint, in_s3 = did_you_mean(name, preset_names()), " and none in S3" if cloud else ""
    raise InputError(
        f'"{name}" is no file, no preset{hint}, no study in {options.results}{in_s3}; '
        f"presets are {', '.join(preset_names())}"
    )
