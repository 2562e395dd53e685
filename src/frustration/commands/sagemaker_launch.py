"""sagemaker-launch: run a study in as few SageMaker jobs as the limits on hours and instances allow."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from frustration.commands import sagemaker_launch_flags as flags
from frustration.commands.arguments import INTERRUPTED
from frustration.commands.options import command
from frustration.commands.sagemaker_flags import estimator_of
from frustration.errors import FrustrationError, InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud
    from frustration.cloud.estimator import Estimator, Offer
    from frustration.cloud.launch import Launch, Launcher, LaunchState
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings


def _launch(options: flags.LaunchOptions) -> int:
    settings = flags.settings_of(options)
    cloud = _connect(options, settings)
    study = flags.study_of(options, cloud)

    from frustration.cloud.launch import Launch

    parts = {"settings": settings, "cloud": cloud, "study": study}
    estimator = estimator_of(options, settings, study)
    launch = Launch(**{**options.given(Launch), **parts, "estimator": estimator})
    if options.dry_run:
        return _dry_run(options, launch)
    assert cloud  # only a dry run does without
    return _really(options, launch, cloud)


def _connect(options: flags.LaunchOptions, settings: Settings) -> Cloud | None:
    """None where a dry run cannot or must not ask AWS."""
    if options.offline:
        return None
    if settings.bucket == flags.NO_BUCKET:
        _note("no bucket is given, so AWS was not asked; shown as if nothing had been launched")
        return None
    from frustration.cloud.account import Cloud

    cloud = Cloud(settings=settings)
    try:
        cloud.say_remarks()
    except FrustrationError as error:
        if not options.dry_run:
            raise
        _note(f"AWS could not be asked ({error}); shown as if nothing had been launched")
        return None
    return cloud


def _dry_run(options: flags.LaunchOptions, launch: Launch) -> int:
    from frustration.cloud.settings import masked
    from frustration.terminal.cloud_launch import compared, requests, standing

    plan = launch.plan(write=False)
    stands = launch.state(plan)
    chosen = launch.offer(stands.todo)
    made = [launch.request(task) for task in stands.todo]
    trials = frozenset(trial for task in stands.todo for trial in task.pack.trials)
    if options.json:
        report = {
            "study": launch.study.name,
            "trials": len(trials),
            "jobs": len(made),
            "instance_type": launch.settings.instance_type,
            "instance_hours": round(chosen.hours, 4),
            "elapsed_hours": round(chosen.elapsed, 4),
            "usd_per_hour": str(chosen.rate),
            "usd": str(chosen.dollars),
            "requests": made,
        }
        print(masked(json.dumps(report, indent=1)))
        return 0
    _say(standing(plan, stands))
    _note(*launch.warnings(stands.todo))
    if made:
        _say(requests(launch.place, stands.todo, made))
        others = (kind for kind in _others(options, launch.estimator) if kind != chosen.machine.instance_type)
        offers = [chosen, *(launch.estimator.offer_on(kind, trials) for kind in others)]
        _say(compared(offers, flags.is_published_grid(launch.study)))
    print("\nnothing was written, nothing was launched")
    return 0


def _others(options: flags.LaunchOptions, estimator: Estimator) -> Sequence[str]:
    """The instances that the user names; if none, the published one where its price is known."""
    if options.compare is not None:
        return options.compare
    try:
        estimator.price(flags.COMPARED)
    except InputError:
        return ()
    return (flags.COMPARED,)


def _really(options: flags.LaunchOptions, launch: Launch, cloud: Cloud) -> int:
    from frustration.cloud.bundle import upload
    from frustration.cloud.launch import Launcher
    from frustration.terminal.cloud_launch import cost, standing

    plan = launch.plan(write=False)
    stands = launch.state(plan)
    _say(standing(plan, stands))
    if stands.todo:
        offer = launch.offer(stands.todo)
        _say([cost(offer)])
        _note(*launch.warnings(stands.todo))
        _ask_leave(options, offer)
        plan = launch.plan(write=True)
        stands = launch.state(plan)
        # Another launcher may have planned meanwhile, and have other ideas about what is worth its money.
        _ask_leave(options, launch.offer(stands.todo))
    if not stands.todo and not (options.wait and stands.running):
        return 1 if stands.exhausted else 0
    for folder, files in launch.bundle.by_folder(launch.place, _note):
        if put := upload(cloud.s3, launch.place, folder, files):
            _say([f"{launch.place.uri(folder)}: {put} files uploaded"])
    launcher = Launcher(launch, cloud.sagemaker, options.instances, options.poll, lambda line: _say([line]))
    try:
        launcher.submit(stands.todo)
        if options.wait:
            stands = _wait(launcher, plan)
            _say(standing(plan, stands))
    except KeyboardInterrupt:
        print(f"interrupted: {launcher.progress}", file=sys.stderr)
        return INTERRUPTED
    except FrustrationError:
        print(launcher.progress, file=sys.stderr)
        raise
    name = launch.study.name
    print(f"{len(launcher.launched)} jobs launched, {len(launcher.elsewhere)} by other launchers")
    print(f"sagemaker-status {name} watches them, sagemaker-results-parser {name} fetches results")
    return 1 if stands.exhausted else 0


def _wait(launcher: Launcher, plan: CloudPlan) -> LaunchState:
    """Until every pack is done or has no attempt left; what fails is launched again."""
    # What was to be run again has been: from here on a good result is a good result.
    launcher.launch.force_rerun = False
    pause = threading.Event()
    while (stands := launcher.launch.state(plan)).open:
        launcher.submit(stands.todo)
        # Also after a launch: the service may take a while to list what it has just taken.
        pause.wait(launcher.poll_seconds)
    return stands


def _ask_leave(options: flags.LaunchOptions, offer: Offer) -> None:
    """Above the budget nothing is launched unless the user says so."""
    if offer.dollars > options.budget and not options.yes:
        raise InputError(
            f"about ${offer.dollars} are more than the budget of ${options.budget}; say --yes, or "
            f"raise --budget. Nothing was launched"
        )


def _say(lines: Iterable[str]) -> None:
    for line in lines:
        print(line, flush=True)


def _note(*lines: str) -> None:
    for line in lines:
        print(f"note: {line}", file=sys.stderr, flush=True)


main = command(flags.LaunchOptions, _launch)
