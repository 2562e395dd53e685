"""sagemaker-get-training-logs: the logs of all jobs of a study, complete."""

from __future__ import annotations

import argparse
from pathlib import Path

from frustration.commands.arguments import Parser
from frustration.commands.sagemaker_flags import ONLY_ONE, Cloud, command, finished
from frustration.errors import InputError

NAME = "sagemaker-get-training-logs"

MORE = """\
Every stream of every job is read to its end, one file each: DIR/JOB/STREAM.log, an event a line with its
time in UTC. A job that was interrupted has one stream for every start. Run it again, also after a kill:
it continues where it was, and fetches only what is new. Account ids are masked.

Exit code 1: some log could not be had; which one and why is printed.

examples:
  sagemaker-get-training-logs paper-98                  to results/paper-98/logs
  sagemaker-get-training-logs --jobs requested-jobs.txt --output logs
  sagemaker-logs-parser paper-98                        the curves that are in them"""


def _parser() -> Parser:
    result = Parser(NAME, "Download the complete logs of a study's jobs from CloudWatch.", more=lambda: MORE)
    result.add_argument("study", nargs="?", metavar="STUDY", help=ONLY_ONE)
    result.add_argument("--jobs", type=Path, metavar="FILE", help="these jobs, one name a line")
    result.add_argument("--output", type=Path, metavar="DIR", help="default: results/STUDY/logs")
    return finished(result)


def _get(options: argparse.Namespace) -> int:
    from frustration.cloud.logs import download
    from frustration.commands.progress.download import Bar
    from frustration.files import make_folder

    if options.jobs and options.study:
        raise InputError("--jobs takes no study: it names the jobs itself")
    cloud = Cloud.of(options, *(("region",) if options.jobs else ()))
    over = _jobs(options, cloud)
    folder = options.output or options.results / (options.study or "") / "logs"
    if not over:
        print(f"no job of {options.study} was launched")
        return 0
    make_folder(folder)
    with Bar("jobs") as bar:
        found = download(cloud.logs, over, folder, over.__getitem__, lambda done: bar.at(done, len(over)))
    streams, events, new = (sum(getattr(one, what) for one in found) for what in ("streams", "events", "new"))
    print(f"{len(found):,} jobs, {streams:,} streams, {events:,} events ({new:,} new) in {folder}")
    problems = [one for one in found if one.problem]
    for one in problems:
        print(f"  {one.job}: {one.problem}")
    running = sum(not ended for ended in over.values())
    if running:
        print(f"{running:,} jobs are still running; run this again to get the rest")
    return 1 if problems else 0


def _jobs(options: argparse.Namespace, cloud: Cloud) -> dict[str, bool]:
    """Job -> whether it is over; one that the service does not know any more is."""
    from frustration.cloud.jobs import RUNNING, list_jobs

    if options.jobs:
        from frustration.cloud.describe import describe_all
        from frustration.cloud.joblist import read

        names = read(options.jobs)
        known = describe_all(cloud.sagemaker, names)
        return {name: name not in known or known[name].status not in RUNNING for name in names}
    place = cloud.place(options.study)
    options.study = place.study
    jobs = sorted(list_jobs(cloud.sagemaker, place), key=lambda job: job.name)
    return {job.name: job.status not in RUNNING for job in jobs}


main = command(NAME, _parser, _get)
