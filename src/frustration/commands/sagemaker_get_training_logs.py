"""sagemaker-get-training-logs: the logs of all jobs of a study, complete."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import Parser, run
from frustration.commands.sagemaker_flags import add_common, add_place, only_study, settings_of
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.settings import Settings

NAME = "sagemaker-get-training-logs"

MORE = """\
Every stream of every job is read to its end, one file each: DIR/JOB/STREAM.log, an event a line with its
time in UTC. A job that was interrupted has one stream for every start. Run it again, also after a kill:
it goes on where it was, and fetches only what is new. Account ids are masked.

Exit code 1: some log could not be had; which one and why is printed.

examples:
  sagemaker-get-training-logs paper-98                  to results/paper-98/logs
  sagemaker-get-training-logs --jobs requested-jobs.txt --output logs
  sagemaker-logs-parser paper-98                        the curves that are in them"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return run(NAME, lambda arguments: _get(_parser().read(arguments)), argv)


def _parser() -> Parser:
    result = Parser(NAME, "Download the complete logs of a study's jobs from CloudWatch.", more=lambda: MORE)
    result.add_argument("study", nargs="?", metavar="STUDY", help="default: the only one there is")
    result.add_argument("--jobs", type=Path, metavar="FILE", help="these jobs, one name a line")
    result.add_argument("--output", type=Path, metavar="DIR", help="default: results/STUDY/logs")
    add_place(result)
    add_common(result)
    return result


def _get(options: argparse.Namespace) -> int:
    from frustration.cloud.clients import client
    from frustration.cloud.logs import download
    from frustration.commands.progress.download import Bar
    from frustration.files import make_folder

    if options.jobs and options.study:
        raise InputError("--jobs takes no study: it names the jobs itself")
    settings = settings_of(options, ("region",) if options.jobs else ("region", "bucket"))
    over = _jobs(options, settings)
    folder = options.output or options.results / (options.study or "") / "logs"
    if not over:
        print(f"no job of {options.study} was launched")
        return 0
    make_folder(folder)
    with Bar("jobs") as bar:
        found = download(
            client(settings, "logs"),
            over,
            folder,
            over.__getitem__,
            lambda done: bar.at(done, len(over)),
        )
    streams, events, new = (sum(getattr(one, what) for one in found) for what in ("streams", "events", "new"))
    print(f"{len(found):,} jobs, {streams:,} streams, {events:,} events ({new:,} new) in {folder}")
    problems = [one for one in found if one.problem]
    for one in problems:
        print(f"  {one.job}: {one.problem}")
    running = sum(not ended for ended in over.values())
    if running:
        print(f"{running:,} jobs are still running; run this again to get the rest")
    return 1 if problems else 0


def _jobs(options: argparse.Namespace, settings: Settings) -> dict[str, bool]:
    """Job -> whether it is over; one that the service does not know any more is."""
    from frustration.cloud.clients import client
    from frustration.cloud.jobs import RUNNING, list_jobs
    from frustration.cloud.place import Place

    sagemaker: Any = client(settings, "sagemaker")
    if options.jobs:
        from frustration.cloud.describe import describe_all
        from frustration.cloud.joblist import read

        names = read(options.jobs)
        known = describe_all(sagemaker, names)
        return {name: name not in known or known[name].status not in RUNNING for name in names}
    options.study = options.study or only_study(client(settings, "s3"), settings)
    jobs = list_jobs(sagemaker, Place.of(settings, options.study))
    return {job.name: job.status not in RUNNING for job in sorted(jobs, key=lambda job: job.name)}
