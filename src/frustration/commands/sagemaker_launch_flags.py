"""The flags of sagemaker-launch, and the study and settings that they select."""

from __future__ import annotations

import argparse
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.arguments import real, whole
from frustration.commands.options import Options, argument, option
from frustration.commands.sagemaker_flags import InCloud, Rates, Size, named_study
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study

BATCH = Path("aws/sagemaker/current_batch_configurations.txt")
PUBLISHED_GRID = "paper-98"
COMPARED = "ml.g4dn.xlarge"
"""What the published grid was trained on."""
NO_ROLE, NO_BUCKET = "arn:aws:iam::000000000000:role/ROLE", "BUCKET"
"""What a dry run shows where none is given."""

EXAMPLES = """\
examples:
  sagemaker-launch paper-98 --dry-run --price ml.c5.4xlarge=USD    what it would cost; nothing is written
  sagemaker-launch studies/example.toml --hours 2 --instances 8    at most eight jobs of about two hours
  sagemaker-launch --trials 5                                      the architectures in aws/sagemaker

Run again, it launches only missing and failed packs. sagemaker-results-parser downloads the results."""


def _dollars(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if value.is_finite() and value >= 0:
        return value
    raise argparse.ArgumentTypeError(f"{text} is not an amount of dollars")


class Studied(Options):
    heading = "what is studied, over what the file says"

    modes: tuple[str, ...] | None = option("train --help explains them", nargs="+", metavar="MODE")
    trials: int | None = option("trials in every cell of the grid", read=whole(1), metavar="N")
    meta_loops: int | None = option("loops of every trial", read=whole(1), metavar="N")
    name: str | None = option("the study's name", metavar="NAME")
    batch: Path | None = option("a file with one architecture a line", read=Path, metavar="FILE")


class Money(Rates):
    heading = "what it may cost"

    compare: tuple[str, ...] | None = option(f"beside it (default: {COMPARED})", nargs="*", metavar="TYPE")
    budget: Decimal = option("above it, --yes is needed (10)", Decimal(10), read=_dollars, metavar="USD")
    yes: bool = option("launch even above the budget", False)


class How(Options):
    heading = "how"

    dry_run: bool = option("print requests and cost; write nothing", False)
    offline: bool = option("with --dry-run: do not contact AWS", False)
    json: bool = option("with --dry-run: all of it as JSON", False)
    wait: bool = option("wait until all is done; relaunch failed packs", False)
    force_rerun: bool = option("run finished packs again, beside their results", False)
    max_attempts: int | None = option("per pack (default: 3)", read=whole(1, 99), metavar="N")
    poll: float = option("between checks (default: 30)", 30.0, read=real(0, above=True), metavar="SECONDS")
    checkpoint_seconds: float | None = option(
        "between copies of the work to S3 (default: 60)", read=real(0, above=True), metavar="SECONDS"
    )
    wheels: str | None = option("wheels for the container, or none (default: the locked ones)", metavar="DIR")


class Training(Options):
    heading = "where it trains (flags over the environment over .env)"

    role: str | None = option("AWS_SAGEMAKER_ROLE", metavar="ARN")
    image: str | None = option(
        "SAGEMAKER_IMAGE (default: AWS's for PyTorch; sdk: as AWS's SDK says)", metavar="URI"
    )
    device: str = option("what trains there (default: cpu)", "cpu", choices=("cpu", "cuda"))
    spot: str | None = option("USE_SPOT_INSTANCES (default: true)", metavar="BOOL")
    max_run_seconds: str | None = option("MAX_RUN_SECONDS (default: a day)", metavar="N")
    max_wait_seconds: str | None = option("MAX_WAIT_SECONDS (default: two days)", metavar="N")


class LaunchOptions(Studied, Size, Money, How, Training, InCloud):
    """Send a study to SageMaker: a file, a preset, a study in results/, or one that was launched before."""

    command = "sagemaker-launch"
    epilog = EXAMPLES

    study: str | None = argument(f"default: the architectures in {BATCH}", None, metavar="STUDY|FILE.toml")


def settings_of(options: LaunchOptions) -> Settings:
    """All settings; a dry run needs a region only, which the price and the image follow from."""
    from frustration.cloud.instances import is_gpu
    from frustration.cloud.settings import KEYS, Settings

    if options.offline and not options.dry_run:
        raise InputError("--offline is for --dry-run: nothing can be launched without asking AWS")
    need = ("region",) if options.dry_run else ("role", "region", "bucket")
    settings = Settings.read({name: getattr(options, name) for name in KEYS}, need, options.env_file)
    if options.device == "cuda" and not is_gpu(settings.instance_type):
        raise InputError(f"--device cuda: {settings.instance_type} has no GPU")
    return replace(settings, role=settings.role or NO_ROLE, bucket=settings.bucket or NO_BUCKET)


def study_of(options: LaunchOptions, cloud: Cloud | None) -> Study:
    """The study that is meant."""
    from frustration.study.definition import Study
    from frustration.study.named import quick_name

    if options.study and options.batch:
        raise InputError("give a study or a --batch file, not both")
    study = (
        named_study(options.study, options.results, cloud)
        if options.study
        else _batch(options.batch or BATCH)
    )
    study = replace(study, **options.given(Study))
    if not options.study and not options.name:
        study = quick_name(study, "batch")
    study.check()
    return study


def _batch(path: Path) -> Study:
    """The published modes, trials and loops of the architectures in a file, one a line."""
    from frustration.study.architecture_sets import architectures
    from frustration.study.presets import preset

    if not path.is_file():
        raise InputError(f"name a study, or write architectures into {path}, one a line")
    grid = preset(PUBLISHED_GRID)
    return replace(grid, name="batch", architectures=architectures([f"@{path.name}"], path.parent))


def is_published_grid(study: Study) -> bool:
    from frustration.study.presets import preset

    grid = preset(PUBLISHED_GRID)
    return replace(study, name=grid.name, networks=grid.networks) == grid
