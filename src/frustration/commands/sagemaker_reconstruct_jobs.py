"""sagemaker-reconstruct-jobs: write a list of jobs, as the service knows them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.options import command, option
from frustration.commands.sagemaker_flags import OneCloudStudy, cloud_of
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.architecture import Architecture
    from frustration.cloud.account import Cloud
    from frustration.cloud.describe import Facts

DEFAULT = Path("requested-jobs.txt")

MORE = """\
No command of this program needs such a list: each asks the service itself. It is for scripts that read
requested-jobs.txt, and for jobs of the original project. A list that is there is added to, never replaced.

Of every pack (or cell, of the original's jobs) only the best job is listed: one that completed before one
that runs, that before one that failed. --all lists every attempt, as a sum of costs needs it.

examples:
  sagemaker-reconstruct-jobs paper-98
  sagemaker-reconstruct-jobs --original --prefix psa-simplemlp --all
  sagemaker-cost-estimator --jobs requested-jobs.txt"""


class JobsOptions(OneCloudStudy):
    """Write a list of a study's jobs, one name a line."""

    command = "sagemaker-reconstruct-jobs"
    epilog = MORE

    original: bool = option("jobs named psa-ARCH-MODE-TIME instead", False)
    all: bool = option("every attempt, not only the best one", False)
    output: Path = option("default: requested-jobs.txt", DEFAULT, read=Path, metavar="FILE")


def _reconstruct(options: JobsOptions) -> int:
    from frustration.original.job_list import write

    if options.original and options.study:
        raise InputError("--original takes no study: the jobs of that layout belong to none")
    cloud = cloud_of(options)
    names = _original(options, cloud) if options.original else _of_study(options, cloud)
    if not names:
        print("the service knows no such job; nothing was written")
        return 1
    new = write(options.output, names)
    print(f"{len(names):,} jobs, {new:,} of them new in {options.output}")
    return 0


def _of_study(options: JobsOptions, cloud: Cloud) -> list[str]:
    from frustration.cloud.jobs import by_pack, list_jobs

    packs = by_pack(list_jobs(cloud.sagemaker, cloud.place(options.study)))
    if options.all:
        return sorted(job.name for of in packs.values() for job in of.jobs)
    return sorted(of.best.name for of in packs.values())


def _original(options: JobsOptions, cloud: Cloud) -> list[str]:
    """By creation; only jobs whose output goes to this bucket and prefix."""
    from frustration.cloud.jobs import RANK
    from frustration.original.cloud_layout import known_to_service, parse

    jobs = sorted(known_to_service(cloud).values(), key=lambda one: one.created)
    if options.all:
        return [job.name for job in jobs]
    best: dict[tuple[Architecture, str], Facts] = {}
    for job in jobs:
        parsed = parse(job.name)
        assert parsed is not None  # no other is known
        held = best.get(parsed.cell)
        if held is None or RANK.get(job.status, 0) >= RANK.get(held.status, 0):
            best[parsed.cell] = job
    return [job.name for job in jobs if job in best.values()]


main = command(JobsOptions, _reconstruct)
