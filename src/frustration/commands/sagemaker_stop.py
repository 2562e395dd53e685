"""sagemaker-stop: stop the running jobs of a study, after listing them."""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from frustration.commands.arguments import Parser, run
from frustration.commands.sagemaker_flags import add_common, add_place, only_study, settings_of
from frustration.errors import InputError, did_you_mean

NAME = "sagemaker-stop"

MORE = """\
Without --yes it only lists. A job that is stopped saves its work within two minutes; the next
sagemaker-launch goes on from there, and sagemaker-results-parser takes what it has finished.

examples:
  sagemaker-stop paper-98
  sagemaker-stop paper-98 --yes
  sagemaker-stop paper-98 --job fe-paper-98-0123456789-a01 --yes"""


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    return run(NAME, lambda arguments: _stop(_parser().read(arguments)), argv)


def _parser() -> Parser:
    result = Parser(NAME, "List, and with --yes stop, the running jobs of one study.", more=lambda: MORE)
    result.add_argument("study", nargs="?", metavar="STUDY", help="default: the only one there is")
    result.add_argument("--job", action="append", default=[], metavar="NAME", help="only this one")
    result.add_argument("--yes", action="store_true", help="stop what is listed")
    add_place(result)
    add_common(result)
    return result


def _stop(options: argparse.Namespace) -> int:
    from botocore.exceptions import ClientError

    from frustration.cloud.clients import client, code_of, spoken
    from frustration.cloud.jobs import list_jobs
    from frustration.cloud.place import Place

    settings = settings_of(options)
    sagemaker = client(settings, "sagemaker")
    place = Place.of(settings, options.study or only_study(client(settings, "s3"), settings))
    running = [job for job in list_jobs(sagemaker, place) if job.status == "InProgress"]
    names = [job.name for job in running]
    for name in options.job:
        if name not in names:
            raise InputError(f"no running job of {place.study} is called {name}{did_you_mean(name, names)}")
    chosen = [job for job in running if not options.job or job.name in options.job]
    for job in chosen:
        print(f"{job.name}  created {job.created:%F %R}")
    if not chosen:
        print(f"no job of {place.study} is running")
        return 0
    if not options.yes:
        print("nothing was stopped; --yes stops them")
        return 0
    stopped = 0
    for job in chosen:
        with spoken(f"cannot stop {job.name}"):
            try:
                sagemaker.stop_training_job(TrainingJobName=job.name)
            except ClientError as error:
                if code_of(error) != "ValidationException":
                    raise
                print(f"{job.name} has ended meanwhile")
            else:
                stopped += 1
    print(f"stopping {stopped} jobs")
    return 0
