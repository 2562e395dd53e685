"""sagemaker-get-training-logs: download the complete logs of all jobs of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from frustration.commands.options import command, option
from frustration.commands.sagemaker_flags import OneCloudStudy, cloud_of
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud

MORE = """\
Every stream of every job is read to its end, one file each: DIR/JOB/STREAM.log, an event a line with its
time in UTC. A job that was interrupted has one stream for every start. Run it again, also after a kill:
it continues where it was, and fetches only what is new. Account ids are masked.

Exit code 1: some log could not be downloaded; which one and why is printed.

examples:
  sagemaker-get-training-logs paper-98                  to results/paper-98/logs
  sagemaker-get-training-logs --jobs requested-jobs.txt --output logs
  sagemaker-logs-parser paper-98                        the curves that are in them"""


class LogsOptions(OneCloudStudy):
    """Download the complete logs of a study's jobs from CloudWatch."""

    command = "sagemaker-get-training-logs"
    epilog = MORE

    jobs: Path | None = option("these jobs, one name a line", read=Path, metavar="FILE")
    output: Path | None = option("default: results/STUDY/logs", read=Path, metavar="DIR")


def _get(options: LogsOptions) -> int:
    from frustration.cloud.logs import download
    from frustration.files import make_folder
    from frustration.terminal.bar import Bar

    if options.jobs and options.study:
        raise InputError("--jobs takes no study: it names the jobs itself")
    cloud = cloud_of(options, *(("region",) if options.jobs else ()))
    study, over = _jobs(options, cloud)
    folder = options.output or options.results / study / "logs"
    if not over:
        print(f"no job of {study} was launched")
        return 0
    make_folder(folder)
    with Bar("jobs") as bar:
        found = download(cloud.logs, list(over), folder, lambda done: bar.at(done, len(over)))
    streams, events, new = (sum(getattr(one, what) for one in found) for what in ("streams", "events", "new"))
    print(f"{len(found):,} jobs, {streams:,} streams, {events:,} events ({new:,} new) in {folder}")
    problems = [one for one in found if one.problem]
    for one in problems:
        print(f"  {one.job}: {one.problem}")
    running = sum(not ended for ended in over.values())
    if running:
        print(f"{running:,} jobs are still running; run this again to get the rest")
    return 1 if problems else 0


def _jobs(options: LogsOptions, cloud: Cloud) -> tuple[str, dict[str, bool]]:
    """The study, and job -> whether it is over; one that the service does not know any more is."""
    from frustration.cloud.jobs import list_jobs

    if options.jobs:
        from frustration.cloud.describe import describe_all
        from frustration.original.job_list import read

        names = read(options.jobs)
        known = describe_all(cloud.sagemaker, names)
        return "", {name: name not in known or not known[name].runs for name in names}
    place = cloud.place(options.study)
    jobs = sorted(list_jobs(cloud.sagemaker, place), key=lambda job: job.name)
    return place.study, {job.name: not job.runs for job in jobs}


main = command(LogsOptions, _get)
