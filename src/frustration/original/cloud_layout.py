"""Jobs of the original project: `PREFIX/psa-ARCH-MODE-TIME/output/model.tar.gz`, one cell of the grid each.

Such a job leaves accuracies and nothing else: no seed, no curve, no network. So what comes of it is no
record, but a small file of its own beside the records, from which the same tables are made.

Of several jobs of one cell the one with the most trials is taken, and of equals the latest: a rerun that
failed, or that never ended, hides nothing.
"""

from __future__ import annotations

import json
import re
import tempfile
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from frustration.architecture import Architecture
from frustration.archive import ArchiveError, members
from frustration.cloud.account import Cloud
from frustration.cloud.clients import CloudError
from frustration.cloud.describe import Facts, describe_all
from frustration.cloud.download import NoObject, fetch, folders
from frustration.cloud.jobs import State, job_summaries
from frustration.cloud.parallel import side_by_side
from frustration.errors import InputError
from frustration.files import make_folder, write_atomically
from frustration.original.cloud_forms import OriginalTrial, read_archive
from frustration.original.reproduction import PAPER_MODES

SCHEMA = 1
_NAME = re.compile(
    rf"psa-(?P<arch>[0-9]+[x-][0-9]+(?:-[0-9]+x[0-9]+)*)-(?P<mode>{'|'.join(PAPER_MODES)})-(?P<time>[0-9].*)"
)


@dataclass(frozen=True, kw_only=True)
class OriginalJob:
    """What its name says."""

    name: str
    architecture: Architecture
    mode: str
    time: str

    @property
    def cell(self) -> tuple[Architecture, str]:
        return self.architecture, self.mode


@dataclass(frozen=True, kw_only=True)
class OriginalCell:
    """What was brought home of one cell."""

    architecture: Architecture
    mode: str
    job: str
    trials: tuple[OriginalTrial, ...]

    def write(self, folder: Path) -> None:
        content = {
            "schema": SCHEMA,
            "architecture": str(self.architecture),
            "mode": self.mode,
            "job": self.job,
            "trials": [asdict(trial) for trial in self.trials],
        }
        make_folder(folder)
        write_atomically(folder / f"{self.architecture.safe}.{self.mode}.json", json.dumps(content).encode())


@dataclass(frozen=True, kw_only=True)
class CellOutcome:
    """What became of one cell."""

    architecture: Architecture
    mode: str
    state: State
    job: str
    trials: int
    reason: str = ""

    @property
    def good(self) -> bool:
        return self.state == State.DONE


@dataclass(kw_only=True)
class OriginalResults:
    """All cells that were asked for."""

    cells: list[OriginalCell] = field(default_factory=list)
    outcomes: list[CellOutcome] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        return all(outcome.good for outcome in self.outcomes)


def parse(name: str) -> OriginalJob | None:
    """None for the name of anything else."""
    match = _NAME.fullmatch(name)
    if not match:
        return None
    blocks = match["arch"]
    if "x" not in blocks:
        blocks = blocks.replace("-", "x")
    try:
        architecture = Architecture.parse("[" + ",".join(blocks.replace("x", "*").split("-")) + "]")
    except InputError:
        return None
    return OriginalJob(name=name, architecture=architecture, mode=match["mode"], time=match["time"])


def find(cloud: Cloud) -> list[OriginalJob]:
    """The jobs that left anything under the prefix, by one listing of folders."""
    found = (parse(name) for name in folders(cloud.s3, cloud.settings.bucket, f"{cloud.under}psa-"))
    return [job for job in found if job is not None]


def known_to_service(cloud: Cloud) -> dict[str, Facts]:
    """Jobs of these names whose output goes here: names are account-wide, and others may use them too."""
    listed = (one["TrainingJobName"] for one in job_summaries(cloud.sagemaker, "psa-"))
    known = describe_all(cloud.sagemaker, (name for name in listed if parse(name)))
    return {name: facts for name, facts in known.items() if facts.output.rstrip("/") == cloud.where}


@dataclass(kw_only=True, eq=False)
class OriginalCollector:
    """Downloads the jobs of the original's layout, several at a time."""

    cloud: Cloud
    folder: Path
    """Where the cells' files go."""
    trials: int | None = None
    """How many a cell should have; None: as many as the fullest one has."""
    parallel: int = 8
    observe: Callable[[int, int], None] = lambda done, total: None
    stop: threading.Event = field(default_factory=threading.Event)

    def run(self) -> OriginalResults:
        results = OriginalResults()
        try:
            known = known_to_service(self.cloud)
        except CloudError as error:  # what is stored in S3 can be read without
            known = {}
            results.remarks.append(f"the states of the jobs are not known: {error}")
        jobs = {job.name: job for job in find(self.cloud)}
        jobs |= {name: job for name in known if (job := parse(name))}
        read, damaged = self._read(jobs.values(), results)
        most = self.trials or max((len(trials) for trials in read.values()), default=0)
        by_cell: dict[tuple[Architecture, str], list[OriginalJob]] = {}
        for job in sorted(jobs.values(), key=lambda job: job.time):
            by_cell.setdefault(job.cell, []).append(job)
        for cell in _in_order(by_cell):
            outcome = self._judge(by_cell[cell], read, damaged, known, most)
            if trials := read.get(outcome.job):
                kept = OriginalCell(
                    architecture=cell[0], mode=cell[1], job=outcome.job, trials=tuple(trials[: self.trials])
                )
                kept.write(self.folder)
                results.cells.append(kept)
            results.outcomes.append(outcome)
        return results

    def _read(
        self, jobs: Collection[OriginalJob], results: OriginalResults
    ) -> tuple[dict[str, list[OriginalTrial]], dict[str, str]]:
        """(job -> trials, job -> why its archive is not taken)"""
        read: dict[str, list[OriginalTrial]] = {}
        damaged: dict[str, str] = {}
        done = 0

        def keep(job: OriginalJob, found: tuple[list[OriginalTrial] | None, str, list[str]]) -> None:
            nonlocal done
            trials, why, remarks = found
            if trials is not None:
                read[job.name] = trials
            if why:
                damaged[job.name] = why
            results.remarks += [f"{job.name}: {remark}" for remark in remarks]
            done += 1
            self.observe(done, len(jobs))

        with tempfile.TemporaryDirectory(prefix="frustration-") as folder:
            side_by_side(lambda job: self._one(job, Path(folder)), jobs, keep, self.parallel, self.stop)
        return read, damaged

    def _one(self, job: OriginalJob, folder: Path) -> tuple[list[OriginalTrial] | None, str, list[str]]:
        archive = folder / f"{job.name}.tar.gz"
        key = f"{self.cloud.under}{job.name}/output/model.tar.gz"
        try:
            fetch(self.cloud.s3, self.cloud.settings.bucket, key, archive, stop=self.stop)
            trials, refused = read_archive(members(archive))
        except NoObject:
            return None, "", []
        except ArchiveError as error:
            return None, f"its archive is not taken: {error}", []
        finally:
            archive.unlink(missing_ok=True)
        if not trials:
            return None, "; ".join(refused) or "neither of the two files of results is in its archive", []
        return trials, "", refused

    def _judge(
        self,
        jobs: list[OriginalJob],
        read: dict[str, list[OriginalTrial]],
        damaged: dict[str, str],
        known: dict[str, Facts],
        most: int,
    ) -> CellOutcome:
        """`jobs` of one cell, the latest last."""
        architecture, mode = jobs[0].cell

        def outcome(state: State, job: str, reason: str = "") -> CellOutcome:
            return CellOutcome(
                architecture=architecture,
                mode=mode,
                state=state,
                job=job,
                trials=len(read.get(job, ())),
                reason=reason,
            )

        have = [job.name for job in jobs if job.name in read]
        if have:
            best = max(reversed(have), key=lambda name: len(read[name]))
            count = len(read[best])
            if count >= most:
                return outcome(State.DONE, best)
            return outcome(State.INCOMPLETE, best, f"it has {count} of {most} trials")
        latest = jobs[-1].name
        for job in reversed(jobs):
            if job.name in known and known[job.name].runs:
                return outcome(State.RUNNING, job.name, f"{known[job.name].phase or known[job.name].status}")
        for job in reversed(jobs):
            if job.name in damaged:
                return outcome(State.DAMAGED, job.name, damaged[job.name])
        if latest in known and known[latest].status in ("Failed", "Stopped"):
            state = State.FAILED if known[latest].status == "Failed" else State.STOPPED
            return outcome(state, latest, known[latest].why or "the service gives no reason")
        return outcome(State.NO_ARCHIVE, latest, "it left no model.tar.gz")


def _in_order(cells: Iterable[tuple[Architecture, str]]) -> list[tuple[Architecture, str]]:
    """By depth, then by width from the widest, then in the order of the modes."""
    return sorted(
        cells,
        key=lambda cell: (cell[0].depth, [-width for width in cell[0].hidden], PAPER_MODES.index(cell[1])),
    )
