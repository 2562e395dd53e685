"""The current state of a study in the cloud: packs, running jobs, finished trials, failures."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from frustration.cloud.account import Cloud
from frustration.cloud.describe import Facts, describe_all
from frustration.cloud.download import objects
from frustration.cloud.jobs import Job, PackJobs, State, by_pack, done_packs, list_jobs
from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan

_FINISHED = re.compile(r"trials/[0-9a-f]{2}/(?P<id>[0-9a-f]{16})\.json")


@dataclass(frozen=True, kw_only=True)
class PackState:
    """One pack at this moment."""

    pack: str
    state: State
    trials: int
    finished: int
    """Trials of it that are in its archive or among its checkpoints."""
    attempts: int
    planned_seconds: float
    job: str = ""
    """The job that the state is about."""
    facts: Facts | None = None
    """Of a running or failed job."""

    @property
    def reason(self) -> str:
        return self.facts.why if self.facts else ""

    def elapsed(self, now: datetime) -> float:
        """Seconds since the job was created."""
        return (now - self.facts.created).total_seconds() if self.facts else 0.0


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """All packs of a study."""

    study: str
    packs: tuple[PackState, ...]
    now: datetime

    @property
    def counts(self) -> Counter[str]:
        return Counter(pack.state for pack in self.packs)

    @property
    def trials(self) -> int:
        return sum(pack.trials for pack in self.packs)

    @property
    def finished(self) -> int:
        return sum(pack.finished for pack in self.packs)

    @property
    def running(self) -> tuple[PackState, ...]:
        return tuple(pack for pack in self.packs if pack.state == State.RUNNING)

    @property
    def broken(self) -> tuple[PackState, ...]:
        """What does not run and is not done although it was launched."""
        broken = (State.STOPPED, State.FAILED, State.NO_ARCHIVE)
        return tuple(pack for pack in self.packs if pack.state in broken)

    @property
    def complete(self) -> bool:
        return all(pack.state == State.DONE for pack in self.packs)

    def to_dict(self) -> dict[str, Any]:
        return {
            "study": self.study,
            "as_of": self.now.isoformat(timespec="seconds"),
            "packs": dict(self.counts),
            "trials": self.trials,
            "finished_trials": self.finished,
            "jobs": [
                {
                    "pack": pack.pack,
                    "state": pack.state,
                    "job": pack.job or None,
                    "attempts": pack.attempts,
                    "trials": pack.trials,
                    "finished_trials": pack.finished,
                    "phase": pack.facts.phase if pack.facts else None,
                    "interruptions": pack.facts.interruptions if pack.facts else 0,
                    "reason": pack.reason or None,
                }
                for pack in self.packs
            ],
        }


@dataclass(kw_only=True, eq=False)
class Watch:
    """Asks again and again; what is done or ended is asked about once."""

    cloud: Cloud
    place: Place
    plan: CloudPlan
    _done: dict[str, Job] = field(default_factory=dict)
    _ended: dict[str, Facts] = field(default_factory=dict)

    def look(self) -> Snapshot:
        packs = by_pack(list_jobs(self.cloud.sagemaker, self.place))
        undone = {pack: of for pack, of in packs.items() if pack not in self._done}
        self._done |= done_packs(self.cloud.s3, self.place, undone)
        finished = self._finished()
        wanted = [self._state(pack, of)[1] for pack, of in packs.items() if pack not in self._done]
        unknown = [name for name in wanted if name not in self._ended]
        facts = {**self._ended, **describe_all(self.cloud.sagemaker, unknown)}
        self._ended |= {name: one for name, one in facts.items() if one.ended is not None}
        states = []
        for pack in self.plan.packs:
            state, job = self._state(pack.id, packs.get(pack.id))
            done = len(pack.trials) if state == State.DONE else len(finished & set(pack.trials))
            states.append(
                PackState(
                    pack=pack.id,
                    state=state,
                    trials=len(pack.trials),
                    finished=done,
                    attempts=packs[pack.id].attempts if pack.id in packs else 0,
                    planned_seconds=pack.wall_seconds,
                    job=job,
                    facts=facts.get(job),
                )
            )
        return Snapshot(study=self.place.study, packs=tuple(states), now=datetime.now(UTC))

    def _state(self, pack: str, of: PackJobs | None) -> tuple[State, str]:
        """(state, job)"""
        if pack in self._done:
            return State.DONE, self._done[pack].name
        if of is None:
            return State.UNLAUNCHED, ""
        state, job = of.outcome
        return state, job.name

    def _finished(self) -> set[str]:
        """Trials whose records are among the checkpoints, by one listing."""
        root = f"{self.place.root}checkpoints/"
        found = set()
        for one in objects(self.cloud.s3, self.place.bucket, root):
            work, _, rest = one["Key"].removeprefix(root).partition("/")
            if work and (match := _FINISHED.fullmatch(rest)):
                found.add(match["id"])
        return found
