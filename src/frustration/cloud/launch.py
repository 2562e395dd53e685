"""Launching: each missing pack becomes exactly one job, even with several launchers at once.

Three things make that safe. The plan is written by a conditional put, so all launchers mean the same packs. A
job's name follows from its pack and attempt, and the service takes no name twice. And nothing is remembered
here: every launch asks the service anew, so one that was broken off leaves nothing to be repaired.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from frustration.cloud.account import Cloud
from frustration.cloud.bundle import Bundle, wheels_for
from frustration.cloud.clients import CloudError, code_of, message_of, said
from frustration.cloud.estimator import Estimator, Offer
from frustration.cloud.jobs import Job, PackJobs, by_pack, done_packs, list_jobs
from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, Pack, read_plan, write_plan
from frustration.cloud.request import CHECKPOINT_SECONDS, request
from frustration.cloud.settings import Settings
from frustration.engine.growth.outlook import outlooks
from frustration.errors import InputError
from frustration.study.definition import Study

FULL = ("ResourceLimitExceeded", "ThrottlingException", "Throttling", "TooManyRequestsException")
"""Not now, but later: the account's instances are all in use, or it asks too often."""
TAKEN = "ResourceInUse"
RACES = 5
"""How often a plan is read again because another launcher wrote one meanwhile."""


@dataclass(frozen=True, kw_only=True)
class Task:
    """One attempt at one pack that is to be launched."""

    pack: Pack
    attempt: int
    rerun: bool = False
    """Of a pack that is done: from the beginning, beside the result that is there."""


@dataclass(frozen=True, kw_only=True)
class LaunchState:
    """Where the packs of a plan stand."""

    done: Mapping[str, Job]
    """Pack -> the job with its archive."""
    running: Mapping[str, Job]
    exhausted: Mapping[str, PackJobs]
    """All attempts used up, without a result."""
    lost: Mapping[str, Job]
    """Completed, they say, but without an archive: not done."""
    todo: tuple[Task, ...]

    @property
    def open(self) -> bool:
        """Whether waiting can still bring something."""
        return bool(self.todo or self.running)


@dataclass(kw_only=True)
class Launch:
    """One launch of one study."""

    settings: Settings
    cloud: Cloud | None
    """None: as if nothing had been launched yet."""
    study: Study
    estimator: Estimator
    max_attempts: int = 3
    """At each pack."""
    force_rerun: bool = False
    device: str = "cpu"
    checkpoint_seconds: float = CHECKPOINT_SECONDS
    wheels: str | None = None
    """A folder of wheels, `none`, or None: the locked ones."""

    @cached_property
    def place(self) -> Place:
        return Place.of(self.settings, self.study.name)

    @cached_property
    def bundle(self) -> Bundle:
        return Bundle.of(self.study.datasets, wheels_for(self.wheels, self.settings))

    def plan(self, write: bool) -> CloudPlan:
        """What all launchers of this study share; extended by trials that no plan holds yet."""
        digests = self.estimator.digests
        ids = frozenset(spec.id for spec in self.study.specs(digests))
        for _ in range(RACES):
            plan = read_plan(self.cloud.s3, self.place) if self.cloud else None
            planned = frozenset(plan.pack_of) if plan else frozenset()
            if planned - ids:
                raise InputError(
                    f"{self.place.uri(self.place.root)} holds another study of this name, or a larger one "
                    f"({len(planned - ids):,} of its trials are not in yours); give yours another --name, "
                    f"or launch that one by its name alone: sagemaker-launch {self.study.name}"
                )
            if plan and planned == ids:
                return self._agreed(plan)
            generation = plan.generations + 1 if plan else 1
            addition = CloudPlan(
                study=self.study,
                digests=dict(digests),
                packs=self.estimator.packs(ids - planned, self.place),
                instance_type=self.settings.instance_type,
            ).of_generation(generation)
            if not write or (self.cloud and write_plan(self.cloud.s3, self.place, addition, generation)):
                return self._agreed(plan.joined(addition) if plan else addition)
        raise CloudError(f"other launchers keep changing the plan of {self.study.name}; try again")

    def _agreed(self, plan: CloudPlan) -> CloudPlan:
        self.estimator.planned_for = plan.instance_type
        return plan

    def state(self, plan: CloudPlan) -> LaunchState:
        """Ask the service and S3 where everything stands, and say what is to be launched."""
        known = {pack.id for pack in plan.packs}
        jobs: dict[str, PackJobs] = {}
        done: dict[str, Job] = {}
        if self.cloud:
            listed = by_pack(list_jobs(self.cloud.sagemaker, self.place))
            jobs = {pack: of for pack, of in listed.items() if pack in known}
            done = done_packs(self.cloud.s3, self.place, jobs)
        running, exhausted, lost, todo = {}, {}, {}, []
        for pack in plan.packs:
            of = jobs.get(pack.id)
            attempt = of.attempts + 1 if of else 1
            if of and of.running:
                running[pack.id] = of.running
                continue
            if pack.id in done:
                if self.force_rerun:
                    todo.append(Task(pack=pack, attempt=attempt, rerun=True))
                continue
            if of and of.completed:
                lost[pack.id] = of.best
            if of and attempt > self.max_attempts and not self.force_rerun:
                exhausted[pack.id] = of
            else:
                todo.append(Task(pack=pack, attempt=attempt))
        return LaunchState(done=done, running=running, exhausted=exhausted, lost=lost, todo=tuple(todo))

    def request(self, task: Task) -> dict[str, Any]:
        """The parameters of CreateTrainingJob."""
        return request(
            self.settings,
            self.place,
            task.pack,
            task.attempt,
            self.bundle.digests,
            checkpoint_seconds=self.checkpoint_seconds,
            device=self.device,
            rerun=task.rerun,
        )

    def offer(self, tasks: Sequence[Task]) -> Offer:
        """What these jobs cost."""
        return self.estimator.offer([task.pack for task in tasks])

    def warnings(self, tasks: Sequence[Task]) -> Iterator[str]:
        """Of loops that are too few for growth, and of jobs that are longer than they may be."""
        yield from outlooks(self.study.specs(self.estimator.digests))
        longest = max((self.estimator.wall_seconds(task.pack) for task in tasks), default=0.0)
        if longest > (limit := self.settings.max_run_seconds):
            yield (
                f"the longest job takes about {longest / 3600:.1f} hours, and MAX_RUN_SECONDS ends it after "
                f"{limit / 3600:.1f}: it continues in further attempts (--max-attempts)"
            )


@dataclass
class Launcher:
    """Sends requests, and keeps what the account has no room for until it has.

    Whatever ends it, `launched` says how far it came, and the same launch again does the rest.
    """

    launch: Launch
    sagemaker: Any
    instances: int
    """How many jobs of the study may run at a time, by the user's own wish."""
    poll_seconds: float = 30.0
    say: Callable[[str], None] = print
    launched: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Names that another launcher had taken."""
    _pause: threading.Event = field(default_factory=threading.Event)
    _free: int = 0

    @property
    def progress(self) -> str:
        """What was launched so far, for the message after an interrupt."""
        if not self.launched:
            return "no job was launched; the same command launches what is missing"
        *before, last = self.launched
        others = f" and {len(before):,} before it" if before else ""
        return f"launched and running: {last}{others}; the same command launches what is missing"

    def submit(self, tasks: Sequence[Task]) -> None:
        """Launch all tasks in their order."""
        from botocore.exceptions import BotoCoreError, ClientError

        queue = list(tasks)
        told = ""
        while queue:
            if not self._has_room():
                if told != "room":
                    self.say(f"{len(queue)} jobs wait until others end (--instances)")
                    told = "room"
                self._pause.wait(self.poll_seconds)
                continue
            request = self.launch.request(queue[0])
            name = request["TrainingJobName"]
            try:
                self.sagemaker.create_training_job(**request)
            except ClientError as error:
                code, message = code_of(error), message_of(error)
                if code == TAKEN:
                    self.elsewhere.append(name)
                    self.say(f"{name}: another launcher was faster")
                    queue.pop(0)
                elif code in FULL:
                    _refuse_no_quota(code, message)
                    if code != told:
                        self.say(f"{len(queue)} jobs wait ({code}: {message})")
                        told = code
                    self._pause.wait(self.poll_seconds)
                else:
                    raise CloudError(f"SageMaker refuses {name}: {code}: {message}") from None
            except BotoCoreError as error:
                raise CloudError(said(f"it is not known whether {name} was launched", error)) from None
            else:
                told = ""
                self.launched.append(name)
                self.say(f"{name}: launched")
                queue.pop(0)

    def _has_room(self) -> bool:
        """Ask the service once for as many places as are free."""
        if self._free <= 0:
            jobs = list_jobs(self.sagemaker, self.launch.place)
            self._free = self.instances - sum(job.runs for job in jobs)
        self._free -= 1
        return self._free >= 0


def _refuse_no_quota(code: str, message: str) -> None:
    """An account without any quota never has room: waiting would be forever."""
    if code == "ResourceLimitExceeded" and " is 0 Instances" in message:
        raise CloudError(
            f"this account may not use that instance type at all ({message}); ask AWS for a quota, "
            f"or choose another INSTANCE_TYPE"
        )
