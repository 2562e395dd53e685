"""Logs of jobs from CloudWatch: every stream of every job, complete; later calls fetch only new events.

    FOLDER/<job>/<stream>.log     one event a line: its time in UTC, a blank, the message

The file itself says how far it is; a line that a kill left half-written is written anew. A job has one stream
for every time that it was started, so one that was interrupted has several. A page of events may be empty
and not be the last; the end is where the service gives the same token again.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Any

from frustration.cloud.clients import CloudError, answered, spoken
from frustration.cloud.parallel import side_by_side
from frustration.cloud.settings import masked
from frustration.files import StorageError, make_folder

GROUP = "/aws/sagemaker/TrainingJobs"
PARALLEL = 4


@dataclass(frozen=True, kw_only=True)
class Written:
    """What the file of a stream has."""

    bytes: int = 0
    """Of whole lines."""
    events: int = 0
    last: int = 0
    """The time of the last event, milliseconds since 1970."""
    at_last: int = 0
    """How many events have that very time."""


@dataclass(frozen=True, kw_only=True)
class JobLogs:
    """What was had of one job."""

    job: str
    streams: int = 0
    events: int = 0
    new: int = 0
    problem: str = ""


def download(
    logs: Any, jobs: Sequence[str], folder: Path, progress: Callable[[int], None] = lambda done: None
) -> list[JobLogs]:
    """All streams of these jobs; one that cannot be had does not keep the others from coming."""
    stop = threading.Event()
    found: dict[str, JobLogs] = {}

    def one(job: str) -> JobLogs:
        try:
            return _job(logs, job, folder / job, stop)
        except CloudError as error:
            return JobLogs(job=job, problem=str(error))

    def keep(job: str, logs_of: JobLogs) -> None:
        found[job] = logs_of
        progress(len(found))

    side_by_side(one, jobs, keep, PARALLEL, stop)
    return [found[job] for job in jobs]


def _job(logs: Any, job: str, folder: Path, stop: threading.Event) -> JobLogs:
    streams = streams_of(logs, job)
    events = new = 0
    for stream in streams:
        make_folder(folder)
        path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', stream.removeprefix(f'{job}/'))}.log"
        before = written(path)
        added = _follow(logs, stream, path, before, stop)
        events, new = events + before.events + added, new + added
    problem = "" if streams else "it has no log"
    return JobLogs(job=job, streams=len(streams), events=events, new=new, problem=problem)


def streams_of(logs: Any, job: str) -> list[str]:
    """The names of a job's streams, in the order of its starts."""

    def listed() -> list[str]:
        pages = logs.get_paginator("describe_log_streams").paginate(
            logGroupName=GROUP, logStreamNamePrefix=f"{job}/"
        )
        return sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])

    # There is no group of logs where no job of this account ever wrote a line.
    return answered(f"cannot list the logs of {job}", listed, ("ResourceNotFoundException",)) or []


def written(path: Path) -> Written:
    """Nothing where there is no file, or one whose last line does not begin with a time."""
    try:
        *lines, _ = path.read_bytes().split(b"\n")
        times = [line.partition(b" ")[0] for line in lines]
        last = datetime.fromisoformat(times[-1].decode())
    except (FileNotFoundError, IndexError, ValueError):
        return Written()
    except OSError as error:
        raise StorageError(f"cannot read {path}: {error.strerror or error}") from None
    return Written(
        bytes=sum(map(len, lines)) + len(lines),
        events=len(lines),
        last=round(last.timestamp() * 1000),
        at_last=sum(1 for _ in takewhile(lambda time: time == times[-1], reversed(times))),
    )


def _follow(logs: Any, stream: str, path: Path, before: Written, stop: threading.Event) -> int:
    """Append what is new, page after page; how many events that were."""
    new = 0
    try:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(before.bytes)
            file.seek(before.bytes)
            for page in _pages(logs, stream, before):
                if stop.is_set():
                    raise KeyboardInterrupt
                file.writelines(map(_line, page))
                file.flush()
                new += len(page)
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror or error}") from None
    return new


def _pages(logs: Any, stream: str, before: Written) -> Iterator[list[dict[str, Any]]]:
    """Events that are not written yet, in their order."""
    known, token = before.at_last, None
    with spoken(f"cannot read the log {stream}"):
        while True:
            # A token is a place among the events of this very request, so it goes with the same startTime.
            where = {"logGroupName": GROUP, "logStreamName": stream, "startTime": before.last}
            more: dict[str, str] = {"nextToken": token} if token else {}
            answer = logs.get_log_events(**where, startFromHead=True, **more)
            page = answer["events"]
            while known and page and page[0]["timestamp"] <= before.last:
                page, known = page[1:], known - 1
            yield page
            if answer["nextForwardToken"] == token:
                return
            token = answer["nextForwardToken"]


def _line(event: dict[str, Any]) -> bytes:
    """A message of several lines stays one: its line ends are written as two characters."""
    moment = datetime.fromtimestamp(event["timestamp"] / 1000, UTC)
    text = masked(event["message"].rstrip("\r\n")).replace("\r", "\\r").replace("\n", "\\n")
    return f"{moment.isoformat(timespec='milliseconds').replace('+00:00', 'Z')} {text}\n".encode()
