"""sagemaker-stop: stop the running jobs of a study, after listing them."""

from __future__ import annotations

from functools import partial

from frustration.commands.options import command, option
from frustration.commands.sagemaker_flags import OneCloudStudy, cloud_of
from frustration.errors import InputError, did_you_mean

MORE = """\
Without --yes it only lists. A job that is stopped saves its work within two minutes; the next
sagemaker-launch resumes from there, and sagemaker-results-parser takes what it has finished.

examples:
  sagemaker-stop paper-98
  sagemaker-stop paper-98 --yes
  sagemaker-stop paper-98 --job fe-paper-98-0123456789-a01 --yes"""


class StopOptions(OneCloudStudy):
    """List, and with --yes stop, the running jobs of one study."""

    command = "sagemaker-stop"
    epilog = MORE

    job: tuple[str, ...] | None = option("only this one", action="append", metavar="NAME")
    yes: bool = option("stop what is listed", False)


def _stop(options: StopOptions) -> int:
    from frustration.cloud.clients import answered
    from frustration.cloud.jobs import list_jobs

    cloud = cloud_of(options)
    place = cloud.place(options.study)
    running = [job for job in list_jobs(cloud.sagemaker, place) if job.status == "InProgress"]
    names = [job.name for job in running]
    for name in options.job or ():
        if name not in names:
            raise InputError(f"no running job of {place.study} is called {name}{did_you_mean(name, names)}")
    chosen = [job for job in running if not options.job or job.name in options.job]
    for job in chosen:
        print(f"{job.name}  created {job.created:%F %R}")
    if not (chosen and options.yes):
        print("nothing was stopped; --yes stops them" if chosen else f"no job of {place.study} is running")
        return 0
    stopped = 0
    for job in chosen:
        ask = partial(cloud.sagemaker.stop_training_job, TrainingJobName=job.name)
        if answered(f"cannot stop {job.name}", ask, ("ValidationException",)) is None:
            print(f"{job.name} has ended meanwhile")
        else:
            stopped += 1
    print(f"stopping {stopped} jobs")
    return 0


main = command(StopOptions, _stop)
