"""sagemaker-cost-estimator: what a study will cost, and what its jobs have cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, Size, cloud_of, estimator_of, named_study
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud

Report = tuple[dict[str, Any], Iterator[str]]
"""As JSON values, and in words."""

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
    from frustration.files import write_atomically

    if options.jobs and (options.study or options.before):
        raise InputError("--jobs takes no study and no --before: it names the jobs itself")
    content, lines = _before(options) if options.before else _after(options)
    text = json.dumps(content, indent=1)
    if options.output:
        write_atomically(options.output, f"{text}\n".encode())
        print(f"wrote {options.output}", file=sys.stderr)
    print(text if options.json else "\n".join(lines))
    return 1 if content.get("unknown_jobs") or content.get("jobs_without_billable_time") else 0


def _after(options: CostOptions) -> Report:
    from frustration.cloud.costs import report
    from frustration.cloud.describe import describe_all
    from frustration.original.job_list import read
    from frustration.terminal.bar import Bar
    from frustration.terminal.cloud_costs import costs

    cloud = cloud_of(options, *(("region",) if options.jobs else ()))
    study, walls, planned_for = None, None, ""
    if options.jobs:
        names = read(options.jobs)
    else:
        study, names, walls, planned_for = _of_study(options, cloud)
    with Bar("jobs") as bar:
        described = describe_all(cloud.sagemaker, names, lambda done: bar.at(done, len(names)))
    found = report(names, described, options.price_in(cloud.settings.region), walls, planned_for)
    return {"study": study, "region": cloud.settings.region, **found}, costs(found)


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


def _before(options: CostOptions) -> Report:
    """Calibrate here, pack as the launcher would, and multiply."""
    from frustration.cloud.settings import Settings
    from frustration.terminal.cloud_costs import estimate

    if options.study is None:
        raise InputError("--before needs a study: a file, a preset, or one in results/")
    flags = {"region": options.region, "instance_type": options.instance_type}
    settings = Settings.read(flags, ("region",), options.env_file)
    study = named_study(options.study, options.results, None)
    estimator = estimator_of(options, settings, study)
    price = estimator.price(settings.instance_type).to_dict()
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
        "prices": [price],
    }
    return content, estimate(study.name, study.size, offer, price)


main = command(CostOptions, _estimate)
