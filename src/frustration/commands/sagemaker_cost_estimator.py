"""sagemaker-cost-estimator: what a study will cost, and what its jobs have cost."""

from __future__ import annotations

import json
import sys
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, Size, cloud_of, estimator_of, named_study
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud
    from frustration.cloud.costs import CostReport
    from frustration.cloud.prices import Price

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


class CostOptions(Size, InCloud):
    """What a study will cost on SageMaker, or what its jobs have cost so far."""

    command = "sagemaker-cost-estimator"
    epilog = MORE

    study: str | None = argument("default: the only one there is", None, metavar="STUDY|FILE.toml")
    before: bool = option("from a calibration here; AWS is not asked", False)
    jobs: Path | None = option("a list of jobs, one name a line", read=Path, metavar="FILE")
    json: bool = option("print the report as JSON", False)
    output: Path | None = option("write the report as JSON too", read=Path, metavar="FILE")


def _estimate(options: CostOptions) -> int:
    if options.jobs and (options.study or options.before):
        raise InputError("--jobs takes no study and no --before: it names the jobs itself")
    return _before(options) if options.before else _after(options)


def _after(options: CostOptions) -> int:
    from frustration.cloud.costs import report
    from frustration.cloud.describe import describe_all
    from frustration.original.job_list import read
    from frustration.terminal.bar import Bar

    cloud = cloud_of(options, *(("region",) if options.jobs else ()))
    study, walls, planned_for = None, None, ""
    if options.jobs:
        names = read(options.jobs)
    else:
        study, names, walls, planned_for = _of_study(options, cloud)
    with Bar("jobs") as bar:
        described = describe_all(cloud.sagemaker, names, lambda done: bar.at(done, len(names)))
    found = report(names, described, options.price_in(cloud.settings.region), walls, planned_for)
    content = {"study": study, "region": cloud.settings.region, **found.to_dict()}
    if not _hand_over(options, content):
        _say(found)
    return 1 if found.unknown or found.unbilled else 0


def _of_study(options: CostOptions, cloud: Cloud) -> tuple[str, list[str], list[float], str]:
    """Its name, jobs, the seconds of the packs that are still to be done, and on what they were planned."""
    from frustration.cloud.jobs import by_pack, done_packs, list_jobs

    place = cloud.place(options.study)
    plan = cloud.plan(place)
    jobs = list(list_jobs(cloud.sagemaker, place))
    packs = by_pack(jobs)
    gone = {*done_packs(cloud.s3, place, packs), *(pack for pack, of in packs.items() if of.running)}
    left = [pack.wall_seconds for pack in plan.packs if pack.id not in gone]
    return place.study, [job.name for job in jobs], left, plan.instance_type


def _before(options: CostOptions) -> int:
    """Calibrate here, pack as the launcher would, and multiply."""
    from frustration.cloud.offer import table
    from frustration.cloud.settings import Settings

    if options.study is None:
        raise InputError("--before needs a study: a file, a preset, or one in results/")
    flags = {"region": options.region, "instance_type": options.instance_type}
    settings = Settings.read(flags, ("region",), options.env_file)
    study = named_study(options.study, options.results, None)
    estimator = estimator_of(options, settings, study)
    price = estimator.price(settings.instance_type)
    trials = frozenset(spec.id for spec in study.specs(estimator.digests))
    offer = estimator.offer_on(settings.instance_type, trials)
    content = {
        "study": study.name,
        "region": settings.region,
        "before": True,
        "trials": study.size,
        "instance_type": settings.instance_type,
        "jobs": offer.jobs,
        "instance_hours": round(offer.hours, 4),
        "hours_from_first_to_last": round(offer.elapsed, 4),
        "usd": str(offer.dollars),
        "prices": [price.to_dict()],
    }
    if not _hand_over(options, content):
        print(f"{study.name}: {study.size:,} trials")
        print(table([offer]))
        print(f"rate: {_source(price)}")
        print("Hours follow from a calibration on this machine; starting up is not counted, spot costs less.")
    return 0


def _hand_over(options: CostOptions, content: dict[str, Any]) -> bool:
    """Write and print the report as JSON where that is asked for; whether it was printed."""
    from frustration.files import write_atomically

    text = json.dumps(content, indent=1)
    if options.output:
        write_atomically(options.output, f"{text}\n".encode())
        print(f"wrote {options.output}", file=sys.stderr)
    if options.json:
        print(text)
    return bool(options.json)


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


main = command(CostOptions, _estimate)
