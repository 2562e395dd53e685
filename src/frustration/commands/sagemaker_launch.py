"""sagemaker-launch: a study becomes as few SageMaker jobs as its budget of hours and instances wants."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from frustration.commands import sagemaker_launch_flags as flags
from frustration.commands.arguments import INTERRUPTED, run
from frustration.commands.sagemaker_launch_work import Calibrated, Parcels
from frustration.errors import FrustrationError, InputError

if TYPE_CHECKING:
    from frustration.cloud.launch import LaunchState, Task
    from frustration.cloud.offer import Offer
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.request import Uploaded
    from frustration.cloud.settings import Settings

NAME = "sagemaker-launch"


def main(argv: Sequence[str] | None = None) -> int:
    return run(NAME, _launch, argv)


def _launch(arguments: list[str]) -> int:
    options = flags.parser(NAME).read(arguments)
    from frustration.cloud.place import Place

    settings = flags.settings_of(options)
    s3, sagemaker = _connect(options, settings)
    study = flags.study_of(options, settings, s3)
    place = Place.of(settings, study.name)
    work = Calibrated(options, settings, study, place)
    if options.dry_run:
        return _dry_run(options, settings, place, work, s3, sagemaker)
    return _really(options, settings, place, work, s3, sagemaker)


def _connect(options: argparse.Namespace, settings: Settings) -> tuple[Any, Any]:
    """S3 and SageMaker; None for both where a dry run cannot or must not ask them."""
    if options.offline:
        return None, None
    from frustration.cloud.clients import client

    s3, sagemaker = client(settings, "s3"), client(settings, "sagemaker")
    from frustration.commands.sagemaker_flags import say_remarks

    try:
        say_remarks(s3, settings)
    except FrustrationError as error:
        if not options.dry_run:
            raise
        _note(f"AWS could not be asked ({error}); shown as if nothing had been launched")
        return None, None
    return s3, sagemaker


def _agreed(work: Calibrated, s3: Any, write: bool) -> CloudPlan:
    from frustration.cloud.launch import agree

    kind = work.settings.instance_type
    plan = agree(s3, work.place, work.study, work.digests, work.packs, kind, write=write)
    work.planned_for = plan.instance_type
    return plan


def _standing(
    options: argparse.Namespace, place: Place, plan: CloudPlan, s3: Any, sagemaker: Any
) -> LaunchState:
    from frustration.cloud.launch import assess, standing

    if sagemaker is None:
        return assess(plan, {}, {}, options.max_attempts, options.force_rerun)
    return standing(sagemaker, s3, place, plan, options.max_attempts, options.force_rerun)


def _warn(work: Calibrated, tasks: Sequence[Task]) -> None:
    """Of loops that are too few for growth, and of jobs that are longer than they may be."""
    from frustration.engine.growth.outlook import outlooks

    for warning in outlooks(work.study.specs(work.digests)):
        _note(warning)
    longest = max((work.wall_seconds(task.pack) for task in tasks), default=0.0)
    if longest > work.settings.max_run_seconds:
        _note(
            f"the longest job takes about {longest / 3600:.1f} hours, and MAX_RUN_SECONDS ends it after "
            f"{work.settings.max_run_seconds / 3600:.1f}: it goes on in further attempts (--max-attempts)"
        )


def _offer(work: Calibrated, tasks: Sequence[Task]) -> Offer:
    from frustration.cloud.offer import offer

    walls = [work.wall_seconds(task.pack) for task in tasks]
    return offer(walls, work.machine, work.rate(work.settings.instance_type), work.options.instances)


def _dry_run(
    options: argparse.Namespace, settings: Settings, place: Place, work: Calibrated, s3: Any, sagemaker: Any
) -> int:
    from frustration.cloud.settings import masked

    plan = _agreed(work, s3, write=False)
    stands = _standing(options, place, plan, s3, sagemaker)
    make = _requests(options, settings, place, Parcels.of(options, settings, work).digests)
    chosen = _offer(work, stands.todo)
    requests = [make(task) for task in stands.todo]
    if options.json:
        report = {
            "study": place.study,
            "trials": sum(len(task.pack.trials) for task in stands.todo),
            "jobs": len(stands.todo),
            "instance_type": settings.instance_type,
            "instance_hours": round(chosen.hours, 4),
            "elapsed_hours": round(chosen.elapsed, 4),
            "usd_per_hour": str(chosen.rate),
            "usd": str(chosen.dollars),
            "requests": requests,
        }
        print(masked(json.dumps(report, indent=1)))
        return 0
    for line in _standing_lines(plan, stands):
        print(line)
    _warn(work, stands.todo)
    if requests:
        print(f"\nThe first of {len(requests)} requests (--json prints all):")
        print(masked(json.dumps(requests[0], indent=1)))
        print("\n" + flags.jobs_table(place, stands.todo))
        _say_offers(work, stands, chosen)
    print("\nnothing was written, nothing was launched")
    return 0


def _say_offers(work: Calibrated, stands: LaunchState, chosen: Offer) -> None:
    """The chosen instance beside others: a CPU beside a GPU by default."""
    from frustration.cloud.instances import is_gpu
    from frustration.cloud.offer import PUBLISHED, gpu_pays_above, offer_of_costs, table

    offers = [chosen]
    others = [
        kind for kind in flags.compared(work.options, work.rate) if kind != chosen.machine.instance_type
    ]
    costs = work.costs(frozenset(t for task in stands.todo for t in task.pack.trials)) if others else []
    offers += [offer_of_costs(costs, work.machine_of(kind), work.rate(kind), work.budget) for kind in others]
    print("\n" + table(offers))
    cpu = next((one for one in offers if not is_gpu(one.machine.instance_type)), None)
    gpu = next((one for one in offers if is_gpu(one.machine.instance_type)), None)
    if cpu and gpu:
        print(
            f"{gpu.machine.instance_type} is counted with its cores, its GPU idle. With --device cuda it "
            f"would be cheaper than {cpu.machine.instance_type} if its GPU did the work of more than "
            f"{gpu_pays_above(cpu, gpu):.1f} cores of this machine"
        )
    print(
        "Hours follow from a calibration on this machine, a group of trials on each physical core; --speed "
        "says how many times as fast a core of the instance is. Starting up is not counted; spot costs less."
    )
    if flags.is_published_grid(work.study):
        print(f"The published run of this grid: {PUBLISHED}")


def _really(
    options: argparse.Namespace, settings: Settings, place: Place, work: Calibrated, s3: Any, sagemaker: Any
) -> int:
    from frustration.cloud.bundle import upload
    from frustration.cloud.launch import ConcurrencyLimit, Launcher
    from frustration.cloud.offer import spelt

    plan = _agreed(work, s3=_ReadOnly(s3), write=False)
    stands = _standing(options, place, plan, s3, sagemaker)
    for line in _standing_lines(plan, stands):
        print(line, flush=True)
    if stands.todo:
        offer = _offer(work, stands.todo)
        _say(
            f"{offer.jobs} jobs, {offer.hours:.2f} hours of {offer.machine.instance_type}, "
            f"about ${offer.dollars} (${spelt(offer.rate)} an hour on demand; spot costs less, retries more)"
        )
        _warn(work, stands.todo)
        _ask_leave(options, offer)
        plan = _agreed(work, s3, write=True)
        stands = _standing(options, place, plan, s3, sagemaker)
        # Another launcher may have planned meanwhile, and have other ideas about what is worth its money.
        _ask_leave(options, _offer(work, stands.todo))
    if not stands.todo and not (options.wait and stands.running):
        return 1 if stands.exhausted else 0
    parcels = Parcels.of(options, settings, work)
    for folder, files in parcels.by_folder(place, _note):
        if put := upload(s3, place, folder, files):
            _say(f"{place.uri(folder)}: {put} files uploaded")
    make = _requests(options, settings, place, parcels.digests)
    room = ConcurrencyLimit(sagemaker, place, options.instances)
    launcher = Launcher(sagemaker, make, options.poll, room.has_room, _say)
    try:
        launcher.submit(stands.todo)
        if options.wait:
            stands = _wait(options, place, plan, launcher, s3, sagemaker)
    except KeyboardInterrupt:
        print(f"interrupted: {launcher.progress}", file=sys.stderr)
        return INTERRUPTED
    except FrustrationError:
        print(launcher.progress, file=sys.stderr)
        raise
    _say(f"{len(launcher.launched)} jobs launched, {len(launcher.elsewhere)} by other launchers")
    _say(
        f"sagemaker-status {place.study} watches them, sagemaker-results-parser {place.study} fetches results"
    )
    return 1 if stands.exhausted else 0


def _wait(
    options: argparse.Namespace, place: Place, plan: CloudPlan, launcher: Any, s3: Any, sagemaker: Any
) -> LaunchState:
    """Until every pack is done or has no attempt left; what fails is launched again."""
    import threading

    # What was to be run again has been: from here on a good result is a good result.
    options.force_rerun = False
    pause = threading.Event()
    while (stands := _standing(options, place, plan, s3, sagemaker)).open:
        launcher.submit(stands.todo)
        # Also after a launch: the service may take a while to list what it has just taken.
        pause.wait(options.poll)
    for line in _standing_lines(plan, stands):
        print(line, flush=True)
    return stands


def _ask_leave(options: argparse.Namespace, offer: Offer) -> None:
    """Above the budget nothing is launched unless the user says so."""
    if offer.dollars > options.budget and not options.yes:
        raise InputError(
            f"about ${offer.dollars} are more than the budget of ${options.budget}; say --yes, or raise "
            f"--budget. Nothing was launched"
        )


def _requests(
    options: argparse.Namespace, settings: Settings, place: Place, digests: Uploaded
) -> Callable[[Task], dict[str, Any]]:
    from frustration.cloud.request import request

    def make(task: Task) -> dict[str, Any]:
        return request(
            settings,
            place,
            task.pack,
            task.attempt,
            digests,
            checkpoint_seconds=options.checkpoint_seconds,
            device=options.device,
            rerun=task.rerun,
        )

    return make


def _standing_lines(plan: CloudPlan, stands: LaunchState) -> list[str]:
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


class _ReadOnly:
    """S3 for looking at a plan before the user has agreed to pay for it."""

    def __init__(self, s3: Any) -> None:
        self.get_object = s3.get_object


def _say(text: str) -> None:
    print(text, flush=True)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)
