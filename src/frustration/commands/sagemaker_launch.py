"""sagemaker-launch: run a study in as few SageMaker jobs as the limits on hours and instances allow."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from frustration.commands import sagemaker_launch_flags as flags
from frustration.commands.arguments import INTERRUPTED
from frustration.commands.options import command
from frustration.commands.sagemaker_flags import estimator_of
from frustration.errors import FrustrationError, InputError

if TYPE_CHECKING:
    from frustration.cloud.account import Cloud
    from frustration.cloud.bundle import Parcels
    from frustration.cloud.estimator import Estimator
    from frustration.cloud.launch import LaunchState, Task
    from frustration.cloud.offer import Offer
    from frustration.cloud.place import Place
    from frustration.cloud.plan import CloudPlan
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study


def _launch(options: flags.LaunchOptions) -> int:
    settings = flags.settings_of(options)
    cloud = _connect(options, settings)
    launch = Launch(options, settings, cloud, flags.study_of(options, cloud))
    return launch.dry_run() if options.dry_run else launch.really()


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


@dataclass
class Launch:
    """One launch of one study."""

    options: flags.LaunchOptions
    settings: Settings
    cloud: Cloud | None
    study: Study

    def __post_init__(self) -> None:
        self.force_rerun = self.options.force_rerun

    @cached_property
    def place(self) -> Place:
        from frustration.cloud.place import Place

        return Place.of(self.settings, self.study.name)

    @cached_property
    def estimator(self) -> Estimator:
        return estimator_of(self.options, self.settings, self.study)

    @cached_property
    def parcels(self) -> Parcels:
        from frustration.cloud.bundle import Parcels

        return Parcels.of(self.study.datasets, flags.wheels(self.options, self.settings))

    def agreed(self, write: bool) -> CloudPlan:
        from frustration.cloud.launch import agree

        estimator, place = self.estimator, self.place
        s3 = self.cloud.s3 if self.cloud else None
        plan = agree(
            s3,
            place,
            self.study,
            estimator.digests,
            lambda trials: estimator.packs(trials, place),
            self.settings.instance_type,
            write=write,
        )
        estimator.planned_for = plan.instance_type
        return plan

    def standing(self, plan: CloudPlan) -> LaunchState:
        from frustration.cloud.launch import assess, standing

        limits = self.options.max_attempts, self.force_rerun
        if self.cloud is None:
            return assess(plan, {}, {}, *limits)
        return standing(self.cloud.sagemaker, self.cloud.s3, self.place, plan, *limits)

    def request(self, task: Task) -> dict[str, Any]:
        from frustration.cloud.request import request

        return request(
            self.settings,
            self.place,
            task.pack,
            task.attempt,
            self.parcels.digests,
            checkpoint_seconds=self.options.checkpoint_seconds,
            device=self.options.device,
            rerun=task.rerun,
        )

    def offer(self, tasks: Sequence[Task]) -> Offer:
        return self.estimator.offer([task.pack for task in tasks])

    def warn(self, tasks: Sequence[Task]) -> None:
        """Of loops that are too few for growth, and of jobs that are longer than they may be."""
        from frustration.engine.growth.outlook import outlooks

        for warning in outlooks(self.study.specs(self.estimator.digests)):
            _note(warning)
        longest = max((self.estimator.wall_seconds(task.pack) for task in tasks), default=0.0)
        if longest > (limit := self.settings.max_run_seconds):
            _note(
                f"the longest job takes about {longest / 3600:.1f} hours, and MAX_RUN_SECONDS ends it after "
                f"{limit / 3600:.1f}: it continues in further attempts (--max-attempts)"
            )

    def dry_run(self) -> int:
        from frustration.cloud.settings import masked

        plan = self.agreed(write=False)
        stands = self.standing(plan)
        chosen = self.offer(stands.todo)
        requests = [self.request(task) for task in stands.todo]
        if self.options.json:
            report = {
                "study": self.study.name,
                "trials": sum(len(task.pack.trials) for task in stands.todo),
                "jobs": len(stands.todo),
                "instance_type": self.settings.instance_type,
                "instance_hours": round(chosen.hours, 4),
                "elapsed_hours": round(chosen.elapsed, 4),
                "usd_per_hour": str(chosen.rate),
                "usd": str(chosen.dollars),
                "requests": requests,
            }
            print(masked(json.dumps(report, indent=1)))
            return 0
        _say(*flags.standing_lines(plan, stands))
        self.warn(stands.todo)
        if requests:
            print(f"\nThe first of {len(requests)} requests (--json prints all):")
            print(masked(json.dumps(requests[0], indent=1)))
            print("\n" + flags.jobs_table(self.place, stands.todo))
            self._say_offers(stands, chosen)
        print("\nnothing was written, nothing was launched")
        return 0

    def _say_offers(self, stands: LaunchState, chosen: Offer) -> None:
        """The chosen instance beside others: a CPU beside a GPU by default."""
        from frustration.cloud.instances import is_gpu
        from frustration.cloud.offer import PUBLISHED, gpu_pays_above, table

        trials = frozenset(trial for task in stands.todo for trial in task.pack.trials)
        others = [kind for kind in self._compared() if kind != chosen.machine.instance_type]
        offers = [chosen, *(self.estimator.offer_on(kind, trials) for kind in others)]
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
            "Hours follow from a calibration on this machine, a group of trials on each physical core; "
            "--speed says how many times as fast a core of the instance is. Starting up is not counted; spot "
            "costs less."
        )
        if flags.is_published_grid(self.study):
            print(f"The published run of this grid: {PUBLISHED}")

    def _compared(self) -> Sequence[str]:
        """The instances that the user names; if none, the published one where its price is known."""
        if self.options.compare is not None:
            return self.options.compare
        try:
            self.estimator.rate(flags.COMPARED)
        except InputError:
            return ()
        return (flags.COMPARED,)

    def really(self) -> int:
        from frustration.cloud.bundle import upload
        from frustration.cloud.launch import ConcurrencyLimit, Launcher
        from frustration.cloud.offer import spelt

        assert self.cloud is not None  # only a dry run does without
        plan = self.agreed(write=False)
        stands = self.standing(plan)
        _say(*flags.standing_lines(plan, stands))
        if stands.todo:
            offer = self.offer(stands.todo)
            _say(
                f"{offer.jobs} jobs, {offer.hours:.2f} hours of {offer.machine.instance_type}, about "
                f"${offer.dollars} (${spelt(offer.rate)} an hour on demand; spot costs less, retries more)"
            )
            self.warn(stands.todo)
            self._ask_leave(offer)
            plan = self.agreed(write=True)
            stands = self.standing(plan)
            # Another launcher may have planned meanwhile, and have other ideas about what is worth its money.
            self._ask_leave(self.offer(stands.todo))
        if not stands.todo and not (self.options.wait and stands.running):
            return 1 if stands.exhausted else 0
        for folder, files in self.parcels.by_folder(self.place, _note):
            if put := upload(self.cloud.s3, self.place, folder, files):
                _say(f"{self.place.uri(folder)}: {put} files uploaded")
        room = ConcurrencyLimit(self.cloud.sagemaker, self.place, self.options.instances)
        launcher = Launcher(self.cloud.sagemaker, self.request, self.options.poll, room.has_room, _say)
        try:
            launcher.submit(stands.todo)
            if self.options.wait:
                stands = self._wait(plan, launcher.submit)
        except KeyboardInterrupt:
            print(f"interrupted: {launcher.progress}", file=sys.stderr)
            return INTERRUPTED
        except FrustrationError:
            print(launcher.progress, file=sys.stderr)
            raise
        _say(
            f"{len(launcher.launched)} jobs launched, {len(launcher.elsewhere)} by other launchers",
            f"sagemaker-status {self.study.name} watches them, "
            f"sagemaker-results-parser {self.study.name} fetches results",
        )
        return 1 if stands.exhausted else 0

    def _wait(self, plan: CloudPlan, submit: Callable[[Sequence[Task]], None]) -> LaunchState:
        """Until every pack is done or has no attempt left; what fails is launched again."""
        import threading

        # What was to be run again has been: from here on a good result is a good result.
        self.force_rerun = False
        pause = threading.Event()
        while (stands := self.standing(plan)).open:
            submit(stands.todo)
            # Also after a launch: the service may take a while to list what it has just taken.
            pause.wait(self.options.poll)
        _say(*flags.standing_lines(plan, stands))
        return stands

    def _ask_leave(self, offer: Offer) -> None:
        """Above the budget nothing is launched unless the user says so."""
        if offer.dollars > self.options.budget and not self.options.yes:
            raise InputError(
                f"about ${offer.dollars} are more than the budget of ${self.options.budget}; say --yes, or "
                f"raise --budget. Nothing was launched"
            )


def _say(*lines: str) -> None:
    for line in lines:
        print(line, flush=True)


def _note(text: str) -> None:
    print(f"note: {text}", file=sys.stderr, flush=True)


main = command(flags.LaunchOptions, _launch)
