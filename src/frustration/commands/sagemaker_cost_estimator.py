"""sagemaker-cost-estimator: what a study will cost, and what its jobs have cost."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, real, run, whole
from frustration.commands.sagemaker_flags import add_common, add_place, only_study, settings_of
from frustration.errors import InputError, did_you_mean

if TYPE_CHECKING:
    from frustration.cloud.costs import CostReport
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.prices import Price
    from frustration.cloud.settings import Settings

NAME = "sagemaker-cost-estimator"
ROWS = 10

MORE = """\
Of a study that was launched: billable seconds x instances x rate of all its jobs, failed ones included,
and what is planned for the packs that are still to be done. Of one that was not (a file, a preset or a
study in results/): hours and dollars from a calibration on this machine.

Rates: a small dated table comes with the program (it has ml.g4dn.xlarge in us-east-1); every other one is
yours to give, with --price or --prices. A type whose rate is not known is an error. The service's billable
time has the saving of spot capacity in it. Storage and requests to S3 are not counted here.

examples:
  sagemaker-cost-estimator paper-98 --before --price ml.c5.4xlarge=USD
  sagemaker-cost-estimator paper-98 --price ml.c5.4xlarge=USD --output costs.json
  sagemaker-cost-estimator --jobs requested-jobs.txt"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return run(NAME, lambda arguments: _estimate(_parser().read(arguments)), argv)


def _parser() -> Parser:
    result = Parser(
        NAME, "What a study will cost on SageMaker, or what its jobs have cost so far.", more=lambda: MORE
    )
    result.add_argument("study", nargs="?", metavar="STUDY|FILE.toml", help="default: the only one there is")
    result.add_argument("--before", action="store_true", help="from a calibration here; AWS is not asked")
    result.add_argument("--jobs", type=Path, metavar="FILE", help="a list of jobs, one name a line")
    result.add_argument("--json", action="store_true", help="print the report as JSON")
    result.add_argument("--output", type=Path, metavar="FILE", help="write the report as JSON too")
    group = result.add_argument_group("rates")
    group.add_argument(
        "--price",
        action="append",
        default=[],
        metavar="TYPE=USD",
        help="an hour; REGION/TYPE=USD for one region only",
    )
    group.add_argument("--prices", type=Path, metavar="FILE", help="a table like the one that is built in")
    group = result.add_argument_group("before the launch")
    group.add_argument("--instance-type", metavar="TYPE", help="INSTANCE_TYPE (default: ml.c5.4xlarge)")
    group.add_argument("--hours", type=real(0, above=True), default=4.0, metavar="H", help="done within (4)")
    group.add_argument("--instances", type=whole(1, 10_000), default=4, metavar="N", help="at a time (4)")
    group.add_argument(
        "--speed",
        type=real(0, above=True),
        default=1.0,
        metavar="X",
        help="of an instance's core (1: as here)",
    )
    add_place(result)
    add_common(result)
    return result


def _estimate(options: argparse.Namespace) -> int:
    if options.jobs and (options.study or options.before):
        raise InputError("--jobs takes no study and no --before: it names the jobs itself")
    return _before(options) if options.before else _after(options)


def _after(options: argparse.Namespace) -> int:
    from frustration.cloud.clients import client
    from frustration.cloud.costs import report
    from frustration.cloud.describe import describe_all
    from frustration.cloud.joblist import read
    from frustration.commands.progress.download import Bar

    settings = settings_of(options, ("region",) if options.jobs else ("region", "bucket"))
    sagemaker = client(settings, "sagemaker")
    names: list[str] = []
    walls: list[float] | None = None
    kind = ""
    if options.jobs:
        names = read(options.jobs)
    else:
        names, walls, kind = _of_study(options, settings, sagemaker)
    with Bar("jobs") as bar:
        described = describe_all(sagemaker, names, lambda done: bar.at(done, len(names)))
    found = report(names, described, lambda kind: _price(options, settings, kind), walls, kind)
    content = {"study": options.study, "region": settings.region, **found.to_dict()}
    if options.output:
        _keep(options.output, content)
    if options.json:
        print(json.dumps(content, indent=1))
    else:
        _say(found)
    return 1 if found.unknown or found.unbilled else 0


def _of_study(
    options: argparse.Namespace, settings: Settings, sagemaker: Any
) -> tuple[list[str], list[float], str]:
    """Its jobs, the seconds of the packs that are still to be done, and on what they were planned."""
    from frustration.cloud.clients import client
    from frustration.cloud.jobs import by_pack, done_packs, list_jobs
    from frustration.cloud.place import Place

    s3 = client(settings, "s3")
    options.study = options.study or only_study(s3, settings)
    place = Place.of(settings, options.study)
    plan = _plan(s3, settings, place)
    jobs = list(list_jobs(sagemaker, place))
    packs = by_pack(jobs)
    done = done_packs(s3, place, packs)
    left = [
        pack.wall_seconds
        for pack in plan.packs
        if pack.id not in done and not (pack.id in packs and packs[pack.id].running)
    ]
    return [job.name for job in jobs], left, plan.instance_type


def _plan(s3: Any, settings: Settings, place: Any) -> CloudPlan:
    from frustration.cloud.plan import read_plan
    from frustration.commands.sagemaker_flags import studies_in

    plan = read_plan(s3, place)
    if plan is None:
        there = studies_in(s3, settings)
        hint = did_you_mean(place.study, there)
        raise InputError(
            f"no study {place.study} was launched to {place.uri(place.root)}{hint}; "
            f"--before says what it would cost"
        )
    return plan


def _before(options: argparse.Namespace) -> int:
    """Calibrate here, pack as the launcher would, and multiply."""
    from frustration.cloud.instances import cores
    from frustration.cloud.offer import offer_of_costs, table
    from frustration.cloud.packing import Budget, Machine
    from frustration.cloud.settings import Settings
    from frustration.engine.backends import backend_named
    from frustration.study.estimate import estimate
    from frustration.study.run import prepare

    flags = {"region": options.region, "instance_type": options.instance_type}
    settings = Settings.read(flags, ("region",), options.env_file)
    kind = settings.instance_type
    study = _study(options)
    price = _price(options, settings, kind)
    prepared = prepare(study, device="cpu", twins=False)
    backend = backend_named(prepared.backend, prepared.device)
    costs = estimate(prepared.layouts, prepared.data, backend, 1, study.networks).costs
    machine = Machine(instance_type=kind, cores=cores(kind), speed=options.speed)
    budget = Budget(hours=options.hours, instances=options.instances)
    offer = offer_of_costs(list(costs), machine, price.usd_per_hour, budget)
    content = {
        "study": study.name,
        "region": settings.region,
        "before": True,
        "trials": study.size,
        "instance_type": kind,
        "jobs": offer.jobs,
        "instance_hours": round(offer.hours, 4),
        "hours_from_first_to_last": round(offer.elapsed, 4),
        "usd": str(offer.dollars),
        "prices": [_price_dict(price)],
    }
    if options.output:
        _keep(options.output, content)
    if options.json:
        print(json.dumps(content, indent=1))
        return 0
    print(f"{study.name}: {study.size:,} trials")
    print(table([offer]))
    print(f"rate: {_source(price)}")
    print("Hours follow from a calibration on this machine; starting up is not counted, spot costs less.")
    return 0


def _study(options: argparse.Namespace) -> Any:
    from frustration.study.definition import Study
    from frustration.study.presets import preset, preset_names
    from frustration.study.store import Store

    name = options.study
    if name is None:
        raise InputError("--before needs a study: a file, a preset, or one in results/")
    if Path(name).is_file() or name.endswith(".toml"):
        return Study.from_file(Path(name))
    if (options.results / name / "study.toml").exists():
        return Store(options.results / name).study()
    if name in preset_names():
        return preset(name)
    raise InputError(
        f'"{name}" is no file, preset or study in {options.results}{did_you_mean(name, preset_names())}; '
        f"presets are {', '.join(preset_names())}"
    )


def _price(options: argparse.Namespace, settings: Settings, kind: str) -> Price:
    from frustration.cloud.prices import overrides, price

    return price(settings.region, kind, overrides(options.price, options.prices))


def _say(found: CostReport) -> None:
    from tabulate import tabulate

    rows = [
        [status, count, _money(usd)]
        for status, (count, usd) in sorted(found.by_status().items(), key=lambda row: -row[1][1])
    ]
    print(tabulate(rows, ["status", "jobs", "USD"], disable_numparse=True) if rows else "no job was launched")
    if found.jobs:
        print(f"\ncostliest of {len(found.jobs):,}:")
        heads = ["job", "status", "instance", "training s", "billable s", "USD"]
        print(tabulate([_row(one) for one in found.jobs[:ROWS]], heads, disable_numparse=True))
    print(f"\nbilled: {_money(found.usd)} for {found.instance_hours:,.2f} instance hours")
    if found.running:
        print(
            f"running: {len(found.running):,} jobs, at most about {_money(found.so_far_usd)} so far "
            f"(the clock at the full rate; the bill follows when they end)"
        )
    if found.saved_usd:
        print(f"saved by spot capacity: {_money(found.saved_usd)}")
    if found.planned_usd is not None and found.planned_packs:
        print(
            f"still planned: {found.planned_packs:,} packs, {found.planned_hours:,.2f} hours, "
            f"{_money(found.planned_usd)} at the full rate"
        )
    if found.span_hours is not None:
        print(f"from the first job's creation to the last one's end: {found.span_hours:,.2f} hours")
    for price in {one.price.instance: one.price for one in found.jobs}.values():
        print(f"rate: {_source(price)}")
    for one in found.unbilled:
        print(f"{one.facts.name} ended, but the service names no billable time: it is not in the sum")
    for name in found.unknown:
        print(f"{name}: the service knows no such job; what it cost is not in the sum")


def _row(one: Any) -> list[Any]:
    facts = one.facts
    kind = facts.instance_type + (f" x {facts.instances}" if facts.instances > 1 else "")
    numbers = [
        "-" if value is None else f"{value:,}" for value in (facts.training_seconds, facts.billable_seconds)
    ]
    return [facts.name, facts.status, kind, *numbers, "-" if one.usd is None else _money(one.usd)]


def _money(usd: Decimal) -> str:
    return f"${usd:,.2f}" if usd >= Decimal("0.01") or not usd else f"${usd:.6f}"


def _source(price: Price) -> str:
    dated = f", {price.as_of}" if price.as_of else ""
    return f"{price.instance} ${price.usd_per_hour} an hour ({price.source}{dated})"


def _price_dict(price: Price) -> dict[str, str]:
    return {
        "instance_type": price.instance,
        "usd_per_hour": str(price.usd_per_hour),
        "source": price.source,
        "as_of": price.as_of,
    }


def _keep(path: Path, content: dict[str, Any]) -> None:
    from frustration.files import write_atomically

    write_atomically(path, (json.dumps(content, indent=1) + "\n").encode())
    print(f"wrote {path}", file=sys.stderr)
