"""The flags of sagemaker-launch, and the study, settings and wheels that they name."""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, real, whole
from frustration.commands.sagemaker_flags import Cloud, add_rates, add_size, finished, named_study
from frustration.commands.sagemaker_launch_work import COMPARED
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.bundle import Wheels
    from frustration.cloud.launch import LaunchState, Task
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study

BATCH = Path("aws/sagemaker/current_batch_configurations.txt")
PUBLISHED_GRID = "paper-98"
CHECKPOINT_SECONDS = 60.0
ROWS = 12
NO_ROLE, NO_BUCKET = "arn:aws:iam::000000000000:role/ROLE", "BUCKET"
"""What a dry run shows where none is given."""

EXAMPLES = """\
examples:
  sagemaker-launch paper-98 --dry-run --price ml.c5.4xlarge=USD    what it would cost; nothing is written
  sagemaker-launch studies/example.toml --hours 2 --instances 8    at most eight jobs of about two hours
  sagemaker-launch --trials 5                                      the architectures in aws/sagemaker

Run again, it launches what is missing or has failed, and nothing else. sagemaker-results-parser brings the
results back."""


def parser(name: str) -> Parser:
    result = Parser(
        name,
        "Send a study to SageMaker: a file, a preset, a study in results/, or one that was launched before.",
        more=lambda: EXAMPLES,
    )
    result.add_argument(
        "study", nargs="?", metavar="STUDY|FILE.toml", help=f"default: the architectures in {BATCH}"
    )
    group = result.add_argument_group("what is studied, over what the file says")
    group.add_argument("--modes", nargs="+", metavar="MODE", help="train --help explains them")
    group.add_argument("--trials", type=whole(1), metavar="N", help="trials in every cell of the grid")
    group.add_argument("--meta-loops", type=whole(1), metavar="N", help="loops of every trial")
    group.add_argument("--name", metavar="NAME", help="the study's name")
    group.add_argument("--batch", type=Path, metavar="FILE", help="a file with one architecture a line")
    add_size(result.add_argument_group("how many jobs, and on what"))
    _add_money(result)
    group = result.add_argument_group("how")
    group.add_argument("--dry-run", action="store_true", help="print requests and cost; write nothing")
    group.add_argument("--offline", action="store_true", help="with --dry-run: ask AWS nothing")
    group.add_argument("--json", action="store_true", help="with --dry-run: all of it as JSON")
    group.add_argument("--wait", action="store_true", help="until all is done; what fails is launched again")
    group.add_argument(
        "--force-rerun", action="store_true", help="run again what is done, beside its results"
    )
    group.add_argument(
        "--max-attempts", type=whole(1, 99), default=3, metavar="N", help="at one pack (default: 3)"
    )
    group.add_argument(
        "--poll",
        type=real(0, above=True),
        default=30.0,
        metavar="SECONDS",
        help="between looks (default: 30)",
    )
    group.add_argument(
        "--checkpoint-seconds",
        type=real(0, above=True),
        default=CHECKPOINT_SECONDS,
        metavar="SECONDS",
        help="between two copies of the work to S3 (default: 60)",
    )
    group.add_argument(
        "--wheels", metavar="DIR", help="wheels for the container, or none (default: the locked ones)"
    )
    group = result.add_argument_group("where it trains (flags over the environment over .env)")
    group.add_argument("--role", metavar="ARN", help="AWS_SAGEMAKER_ROLE")
    group.add_argument(
        "--image", metavar="URI", help="SAGEMAKER_IMAGE (default: AWS's for PyTorch; sdk: as AWS's SDK says)"
    )
    group.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        default="cpu",
        help="what trains there (default: cpu)",
    )
    group.add_argument("--spot", metavar="BOOL", help="USE_SPOT_INSTANCES (default: true)")
    group.add_argument("--max-run-seconds", metavar="N", help="MAX_RUN_SECONDS (default: a day)")
    group.add_argument("--max-wait-seconds", metavar="N", help="MAX_WAIT_SECONDS (default: two days)")
    return finished(result)


def _add_money(result: Parser) -> None:
    group = result.add_argument_group("what it may cost")
    add_rates(group)
    group.add_argument("--compare", nargs="*", metavar="TYPE", help=f"beside it (default: {COMPARED})")
    group.add_argument(
        "--budget", type=_dollars, default=Decimal(10), metavar="USD", help="above it, --yes is needed (10)"
    )
    group.add_argument("--yes", action="store_true", help="launch whatever it costs")


def settings_of(options: argparse.Namespace) -> Settings:
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


def study_of(options: argparse.Namespace, cloud: Cloud | None) -> Study:
    """The study that is meant."""
    changes: dict[str, Any] = {
        name: value for name in ("trials", "meta_loops") if (value := getattr(options, name)) is not None
    }
    if options.modes:
        changes["modes"] = tuple(options.modes)
    if options.study and options.batch:
        raise InputError("give a study or a --batch file, not both")
    study = named_study(options, cloud) if options.study else _batch(options.batch or BATCH)
    study = replace(study, **changes)
    if options.name:
        study = replace(study, name=options.name)
    elif not options.study:
        fixed = hashlib.sha256(replace(study, trials=1).to_toml().encode()).hexdigest()
        study = replace(study, name=f"batch-{fixed[:8]}")
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


def wheels(options: argparse.Namespace, settings: Settings) -> Wheels:
    """What the container installs."""
    from frustration.cloud.bundle import given_wheels, locked_wheels
    from frustration.cloud.instances import image_of, python_of

    if options.wheels == "none":
        return given_wheels(())
    if options.wheels:
        found = sorted(Path(options.wheels).glob("*.whl"))
        if not found:
            raise InputError(f"--wheels {options.wheels}: there is no wheel in that folder")
        return given_wheels(found)
    return locked_wheels(python_of(image_of(settings)))


def jobs_table(place: Place, tasks: Sequence[Task]) -> str:
    """The jobs that are to be launched; of many, the first."""
    from tabulate import tabulate

    rows = [
        [
            place.job_name(task.pack.id, task.attempt),
            len(task.pack.trials),
            f"{task.pack.wall_seconds / 3600:.2f}",
        ]
        for task in tasks[:ROWS]
    ]
    text = tabulate(rows, ["job", "trials", "hours"], disable_numparse=True)
    return f"{text}\nand {len(tasks) - ROWS} more" if len(tasks) > ROWS else text


def standing_lines(plan: CloudPlan, stands: LaunchState) -> list[str]:
    """Where the packs of a plan stand, and what is the matter with some of them."""
    trials = len(plan.pack_of)
    counts = [(len(stands.done), "done"), (len(stands.running), "running"), (len(stands.todo), "to launch")]
    words = ", ".join(f"{count} {what}" for count, what in counts if count)
    lines = [f"{plan.study.name}: {trials:,} trials in {len(plan.packs)} packs: {words or 'nothing to do'}"]
    lines += [
        f"{job.name} completed, but its model.tar.gz is missing: not done" for job in stands.lost.values()
    ]
    lines += [
        f"{of.latest.name}: {of.latest.status} after {of.attempts} attempts; not tried again "
        f"(--max-attempts {of.attempts + 1} or --force-rerun does)"
        for of in stands.exhausted.values()
    ]
    return lines


def _dollars(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation:
        value = Decimal("NaN")
    if value.is_finite() and value >= 0:
        return value
    raise argparse.ArgumentTypeError(f"{text} is not an amount of dollars")
