"""Launching: each missing pack becomes exactly one job, even with several launchers at once.

Three things make that safe. The plan is written by a conditional put, so all launchers mean the same packs. A
job's name follows from its pack and attempt, and the service takes no name twice. And nothing is remembered
here: every launch asks the service anew, so one that was broken off leaves nothing to be repaired.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from frustration.cloud.clients import CloudError, code_of, message_of, said
from frustration.cloud.jobs import RUNNING, Job, PackJobs, by_pack, done_packs, list_jobs
from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, Pack, read_plan, write_plan
from frustration.errors import InputError
from frustration.study.definition import Study

MAX_ATTEMPTS = 3
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


def agree(
    s3: Any,
    place: Place,
    study: Study,
    digests: Mapping[tuple[str, float], str],
    make_packs: Callable[[frozenset[str]], tuple[Pack, ...]],
    instance_type: str,
    write: bool = True,
) -> CloudPlan:
    """The plan that all launchers of this study share; extended by trials that no plan holds yet.

    `make_packs` is called with the ids of those trials only. `s3` is None: as if there were no plan yet.
    """
    ids = frozenset(spec.id for spec in study.specs(digests))
    for _ in range(RACES):
        plan = read_plan(s3, place) if s3 is not None else None
        planned = frozenset(plan.pack_of) if plan else frozenset()
        if planned - ids:
            raise InputError(
                f"{place.uri(place.root)} holds another study of this name, or a larger one "
                f"({len(planned - ids):,} of its trials are not in yours); give yours another --name, "
                f"or launch that one by its name alone: sagemaker-launch {place.study}"
            )
        if plan and planned == ids:
            return plan
        addition = CloudPlan(
            study=study,
            digests=dict(digests),
            packs=make_packs(ids - planned),
            instance_type=instance_type,
        )
        generation = plan.generations + 1 if plan else 1
        addition = addition.of_generation(generation)
        if not write or write_plan(s3, place, addition, generation):
            return plan.joined(addition) if plan else addition
    raise CloudError(f"other launchers keep changing the plan of {place.study}; try again")


def standing(
    sagemaker: Any,
    s3: Any,
    place: Place,
    plan: CloudPlan,
    max_attempts: int = MAX_ATTEMPTS,
    force_rerun: bool = False,
) -> LaunchState:
    """Ask the service and S3 where everything stands, and say what is to be launched."""
    known = {pack.id for pack in plan.packs}
    jobs = {pack: of for pack, of in by_pack(list_jobs(sagemaker, place)).items() if pack in known}
    done = done_packs(s3, place, jobs)
    return assess(plan, jobs, done, max_attempts, force_rerun)


def assess(
    plan: CloudPlan,
    jobs: Mapping[str, PackJobs],
    done: Mapping[str, Job],
    max_attempts: int = MAX_ATTEMPTS,
    force_rerun: bool = False,
) -> LaunchState:
    """The same from what is known already."""
    running, exhausted, lost, todo = {}, {}, {}, []
    for pack in plan.packs:
        of = jobs.get(pack.id)
        attempt = of.attempts + 1 if of else 1
        if of and of.running:
            running[pack.id] = of.running
            continue
        if pack.id in done:
            if force_rerun:
                todo.append(Task(pack=pack, attempt=attempt, rerun=True))
            continue
        if of and of.completed:
            lost[pack.id] = of.best
        if of and attempt > max_attempts and not force_rerun:
            exhausted[pack.id] = of
        else:
            todo.append(Task(pack=pack, attempt=attempt))
    return LaunchState(done=done, running=running, exhausted=exhausted, lost=lost, todo=tuple(todo))


@dataclass
class Launcher:
    """Sends requests, and keeps what the account has no room for until it has.

    Whatever ends it, `launched` says how far it came, and the same launch again does the rest.
    """

    sagemaker: Any
    make_request: Callable[[Task], dict[str, Any]]
    poll_seconds: float = 30.0
    has_room: Callable[[], bool] = lambda: True
    """Whether the user wants one more job to run at this moment."""
    say: Callable[[str], None] = print
    launched: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)
    """Names that another launcher had taken."""
    _pause: threading.Event = field(default_factory=threading.Event)

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
            if not self.has_room():
                if told != "room":
                    self.say(f"{len(queue)} jobs wait until others end (--instances)")
                    told = "room"
                self._pause.wait(self.poll_seconds)
                continue
            request = self.make_request(queue[0])
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


@dataclass
class ConcurrencyLimit:
    """How many jobs of the study may run at a time, by the user's own wish."""

    sagemaker: Any
    place: Place
    instances: int
    _free: int = 0

    def has_room(self) -> bool:
        """Ask the service once for as many places as are free."""
        if self._free <= 0:
            running = sum(job.status in RUNNING for job in list_jobs(self.sagemaker, self.place))
            self._free = self.instances - running
        self._free -= 1
        return self._free >= 0


def _refuse_no_quota(code: str, message: str) -> None:
    """An account without any quota never has room: waiting would be forever."""
    if code == "ResourceLimitExceeded" and " is 0 Instances" in message:
        raise CloudError(
            f"this account may not use that instance type at all ({message}); ask AWS for a quota, "
            f"or choose another INSTANCE_TYPE"
        )
