"""What the sagemaker commands share: the flags that say where, connections, and which study is meant."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser
from frustration.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings

PLACE_FLAGS = ("region", "bucket", "prefix")


def add_place(parser: Parser) -> None:
    """--region, --bucket, --prefix, --env-file: where the study lies."""
    group = parser.add_argument_group("where it lies (flags over the environment over .env)")
    group.add_argument("--region", metavar="NAME", help="AWS_REGION, such as us-east-1")
    group.add_argument("--bucket", metavar="NAME", help="S3_BUCKET_NAME")
    group.add_argument("--prefix", metavar="PATH", help="S3_PREFIX: the folder in the bucket")
    group.add_argument(
        "--env-file", type=Path, metavar="FILE", help="the settings (default: aws/sagemaker/.env)"
    )


def add_common(parser: Parser) -> None:
    """--results, --debug, --help; the last to be added, for it writes the usage line."""
    parser.add_argument(
        "--results", type=Path, default=Path("results"), metavar="DIR", help="where studies lie (results/)"
    )
    parser.add_argument("--debug", action="store_true", help="errors with a traceback")
    parser.add_argument("-h", "--help", action="help", help="show this and end")
    names = [
        f"[{action.metavar}]" if action.nargs in ("?", "*") else str(action.metavar)
        for action in parser._get_positional_actions()
    ]
    parser.usage = " ".join([parser.prog, *names, "[flags]"])


def settings_of(options: argparse.Namespace, need: tuple[str, ...] = ("region", "bucket")) -> Settings:
    from frustration.cloud.settings import Settings

    flags = {name: getattr(options, name, None) for name in PLACE_FLAGS}
    return Settings.read(flags, need, options.env_file)


def studies_in(s3: Any, settings: Settings) -> list[str]:
    """The names of the studies that lie under the prefix."""
    from frustration.cloud.download import folders

    under = f"{settings.prefix}/" if settings.prefix else ""
    return sorted(folders(s3, settings.bucket, f"{under}studies/"))


def place_and_plan(s3: Any, settings: Settings, study: str | None) -> tuple[Place, CloudPlan]:
    """Where the named study lies, or the only one that there is, and what its launchers agreed on."""
    from frustration.cloud.place import Place
    from frustration.cloud.plan import read_plan

    name = study or only_study(s3, settings)
    place = Place.of(settings, name)
    plan = read_plan(s3, place)
    if plan is None:
        there = studies_in(s3, settings)
        lies = f"there are {', '.join(there)}" if there else "there is none"
        raise InputError(
            f"no study {name} was launched to {place.uri(place.root)}{did_you_mean(name, there)}; {lies}"
        )
    return place, plan


def only_study(s3: Any, settings: Settings) -> str:
    """The name of the study under the prefix; InputError where there is none or more than one."""
    there = studies_in(s3, settings)
    where = f"s3://{settings.bucket}/{settings.prefix}".rstrip("/")
    if not there:
        raise InputError(f"no study was launched to {where}; sagemaker-launch STUDY launches one")
    if len(there) > 1:
        raise InputError(f"{len(there)} studies lie in {where}: {', '.join(there)}; name one of them")
    return there[0]


def say_remarks(s3: Any, settings: Settings) -> None:
    """What is to be known about the bucket, on stderr."""
    from frustration.cloud.clients import bucket_remarks

    for remark in bucket_remarks(s3, settings):
        print(f"note: {remark}", file=sys.stderr)
