"""Download a study's records: every pack, from the jobs that tried it, into the ordinary store.

A pack's jobs are tried from the best on, until none of its trials is missing: a later job that failed hides
nothing, and what a stopped one left is taken too, at last from its checkpoints. What could not be had is
named with its reason.
"""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from frustration.archive import ArchiveError, members
from frustration.cloud.account import Cloud
from frustration.cloud.describe import describe
from frustration.cloud.download import NoObject, fetch, folders
from frustration.cloud.jobs import RANK, Job, PackJobs, State, by_pack, list_jobs, parse_name
from frustration.cloud.parallel import side_by_side
from frustration.cloud.place import Place
from frustration.cloud.plan import CloudPlan, Pack
from frustration.cloud.salvage import finished_in_checkpoints
from frustration.cloud.settings import masked
from frustration.errors import last_line
from frustration.files import make_folder
from frustration.spec import TrialSpec
from frustration.study.intake import take
from frustration.study.merge import merge, union
from frustration.study.store import Store

PARALLEL = 8
GONE = "unknown"
"""The status of a job that the service has forgotten, or that these credentials may not see."""
NEVER = datetime.fromtimestamp(0, UTC)


@dataclass(frozen=True, kw_only=True)
class PackOutcome:
    """What became of one pack."""

    pack: str
    state: State
    trials: int
    have: int
    """Trials that now have a record here."""
    job: str = ""
    """The job that the reason is about."""
    reason: str = ""
    cells: str = ""
    """Which part of the grid is concerned."""

    @property
    def good(self) -> bool:
        return self.state in (State.HERE, State.DONE)


@dataclass(kw_only=True)
class Collection:
    """What a whole collection came to."""

    outcomes: list[PackOutcome] = field(default_factory=list)
    copied: int = 0
    differing: set[str] = field(default_factory=set)
    """Trials whose archive says something else than the record that is here, and stays."""
    remarks: list[str] = field(default_factory=list)
    """Parts of archives that were not taken."""

    @property
    def complete(self) -> bool:
        return all(outcome.good for outcome in self.outcomes)


@dataclass(kw_only=True)
class _Fetched:
    """What a thread found of one pack; the stores wait to be merged."""

    stores: list[Store] = field(default_factory=list)
    absent: list[str] = field(default_factory=list)
    """Completed jobs without an archive."""
    damaged: list[tuple[str, str]] = field(default_factory=list)
    """(job, why)"""
    read: list[str] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


@dataclass(kw_only=True, eq=False)
class Collector:
    """Downloads the packs of one study, several at a time."""

    cloud: Cloud
    place: Place
    plan: CloudPlan
    store: Store
    parallel: int = PARALLEL
    observe: Callable[[int, int, int], None] = lambda packs, total, size: None
    """Called with packs finished, packs in total, bytes downloaded."""
    stop: threading.Event = field(default_factory=threading.Event)
    _bytes: int = 0
    _packs: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Collection:
        """Everything that can be had; the store is made from the plan where it is not there yet."""
        here_already = [self.store.study()] if (self.store.root / "study.toml").exists() else []
        self.store.create(union([*here_already, self.plan.study]))  # it may have grown here meanwhile
        jobs = all_jobs(self.cloud, self.place)
        here = self.store.ids()[0]
        found = Collection()
        packs = self.plan.packs
        outcomes = {pack.id: self._outcome(pack, State.HERE) for pack in packs if set(pack.trials) <= here}
        self._tell(packs=len(outcomes))

        def keep(pack: Pack, fetched: _Fetched) -> None:
            self._keep(fetched, found)
            outcomes[pack.id] = self._judge(pack, jobs.get(pack.id), fetched)
            self._tell(packs=1)

        make_folder(self.store.root / "work")
        with tempfile.TemporaryDirectory(prefix=".incoming-", dir=self.store.root / "work") as folder:
            side_by_side(
                lambda pack: self._fetch(pack, jobs.get(pack.id), here, Path(folder)),
                [pack for pack in packs if pack.id not in outcomes],
                keep,
                self.parallel,
                self.stop,
            )
        found.outcomes = [outcomes[pack.id] for pack in packs]
        return found

    @cached_property
    def _specs(self) -> dict[str, TrialSpec]:
        return {spec.id: spec for spec in self.plan.specs()}

    def _belongs(self, spec: TrialSpec) -> bool:
        return spec.id in self._specs

    def _fetch(self, pack: Pack, jobs: PackJobs | None, here: set[str], folder: Path) -> _Fetched:
        """Archive after archive until no trial is missing."""
        fetched = _Fetched()
        missing = set(pack.trials) - here
        for job in candidates(jobs):
            if not missing:
                break
            archive = folder / f"{job.name}.tar.gz"
            staging = Store(folder / job.name)
            try:
                fetch(
                    self.cloud.s3,
                    self.place.bucket,
                    self.place.archive(job.name),
                    archive,
                    arrived=lambda count: self._tell(count=count),
                    stop=self.stop,
                )
                staging.create(self.plan.study)
                intake = take(members(archive), staging, self._belongs)
            except NoObject:
                if job.status == "Completed":
                    fetched.absent.append(job.name)
                continue
            except ArchiveError as error:
                fetched.damaged.append((job.name, str(error)))
                continue
            finally:
                archive.unlink(missing_ok=True)
            missing -= intake.records
            fetched.read.append(job.name)
            fetched.stores.append(staging)
            fetched.remarks += [f"{job.name}: {sentence}" for sentence in intake.refused]
        if missing and jobs:
            kept = Store(folder / f"{pack.id}.kept")
            kept.create(self.plan.study)
            if finished_in_checkpoints(self.cloud.s3, self.place, pack.id, missing, kept, self._belongs):
                fetched.stores.append(kept)
        return fetched

    def _keep(self, fetched: _Fetched, found: Collection) -> None:
        for staging in fetched.stores:
            merged = merge(self.store, [staging])
            found.copied += merged.copied
            found.differing |= set(merged.differing)
            shutil.rmtree(staging.root)
        found.remarks += fetched.remarks

    def _judge(self, pack: Pack, jobs: PackJobs | None, fetched: _Fetched) -> PackOutcome:
        """Why trials of a pack are still missing: what is the matter with the job that is closest to done."""
        missing = [trial for trial in pack.trials if not self.store.is_done(trial)]
        if not missing:
            return self._outcome(pack, State.DONE)
        if jobs is None:
            return self._outcome(pack, State.UNLAUNCHED, reason="no job was ever launched for it")
        if running := jobs.running:
            return self._outcome(
                pack, State.RUNNING, running.name, f"{running.status} since {running.created:%F %R}"
            )
        if fetched.damaged:
            job, why = fetched.damaged[0]
            return self._outcome(pack, State.DAMAGED, job, f"its archive is not taken: {why}")
        failed = [trial for trial in missing if self.store.has_failed(trial)]
        if failed:
            job = fetched.read[0] if fetched.read else jobs.best.name
            return self._outcome(
                pack, State.FAILED, job, f"{len(failed)} of its trials failed: {self._causes(failed)}"
            )
        if fetched.absent:
            return self._outcome(
                pack, State.NO_ARCHIVE, fetched.absent[0], "it completed, but its model.tar.gz is gone"
            )
        if jobs.completed:
            lacks = f"its archive lacks {len(missing)} trials"
            return self._outcome(pack, State.INCOMPLETE, jobs.best.name, lacks)
        last = jobs.latest
        if last.status == GONE:
            return self._outcome(pack, State.NO_ARCHIVE, last.name, "the service knows the job no more")
        known = describe(self.cloud.sagemaker, last.name)
        reason = known.why if known else ""
        return self._outcome(pack, jobs.outcome[0], last.name, reason or "the service gives no reason")

    def _causes(self, failed: list[str]) -> str:
        lines = [
            last_line(failure["traceback"])
            for failure in self.store.failures()
            if failure["id"] in failed and failure["traceback"].strip()
        ]
        return masked("; ".join(sorted(set(lines))[:3])) or "they say nothing more"

    def _outcome(self, pack: Pack, state: State, job: str = "", reason: str = "") -> PackOutcome:
        have = sum(self.store.is_done(trial) for trial in pack.trials)
        return PackOutcome(
            pack=pack.id,
            state=state,
            trials=len(pack.trials),
            have=have,
            job=job,
            reason=reason,
            cells=cells_of(self._specs[trial] for trial in pack.trials),
        )

    def _tell(self, packs: int = 0, count: int = 0) -> None:
        """Called from every thread."""
        with self._lock:
            self._packs += packs
            self._bytes += count
            self.observe(self._packs, len(self.plan.packs), self._bytes)


def all_jobs(cloud: Cloud, place: Place) -> dict[str, PackJobs]:
    """The jobs that the service lists, and those that only their output still tells of."""
    jobs = {job.name: job for job in list_jobs(cloud.sagemaker, place)}
    for name in folders(cloud.s3, place.bucket, f"{place.output}/"):
        parsed = parse_name(place, name)
        if parsed and name not in jobs:
            jobs[name] = Job(name=name, pack=parsed[0], attempt=parsed[1], status=GONE, created=NEVER)
    return by_pack(jobs.values())


def candidates(jobs: PackJobs | None) -> list[Job]:
    """Those that may have an archive, the best first and among equals the first launched."""
    ended = [job for job in (jobs.jobs if jobs else ()) if not job.runs]
    return sorted(ended, key=lambda job: (-RANK.get(job.status, 0), job.attempt))


def cells_of(specs: Iterable[TrialSpec]) -> str:
    """`1*32 none, hidden; 2*8 none`: which part of the grid these trials are."""
    cells: dict[str, dict[str, None]] = {}
    for spec in specs:
        cells.setdefault(str(spec.architecture).strip("[]"), {})[spec.label] = None
    parts = [f"{architecture} {', '.join(modes)}" for architecture, modes in cells.items()]
    more = f"; and {len(parts) - 3} more architectures" if len(parts) > 3 else ""
    return "; ".join(parts[:3]) + more
