"""Logs of jobs from CloudWatch: every stream of every job, complete; later calls fetch only new events.

    FOLDER/<job>/<stream>.log     one event a line: its time in UTC, a blank, the message
    FOLDER/<job>/<stream>.json    how far it is

A job has one stream for every time that it was started, so one that was interrupted has several. A page of
events may be empty and not be the last; the end is where the service gives the same token again.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from frustration.cloud.clients import CloudError, code_of, spoken
from frustration.cloud.settings import masked
from frustration.files import StorageError, make_folder, write_atomically

GROUP = "/aws/sagemaker/TrainingJobs"
PARALLEL = 4


@dataclass(frozen=True, kw_only=True)
class Mark:
    """How far a stream has been read. Anything after `bytes` of the file is incomplete."""

    bytes: int = 0
    events: int = 0
    last: int = 0
    """The time of the last event, milliseconds since 1970."""
    at_last: int = 0
    """How many events of that very time have been read."""
    ended: bool = False
    """The job was over when the stream was read to its end."""


@dataclass(frozen=True, kw_only=True)
class JobLogs:
    """What was had of one job."""

    job: str
    streams: int = 0
    events: int = 0
    new: int = 0
    problem: str = ""


def download(
    logs: Any,
    jobs: Iterable[str],
    folder: Path,
    is_over: Callable[[str], bool],
    progress: Callable[[int], None] = lambda done: None,
) -> list[JobLogs]:
    """All streams of these jobs; one that cannot be had does not keep the others from coming."""
    stop = threading.Event()

    def one(job: str) -> JobLogs:
        try:
            return _job(logs, job, folder / job, is_over(job), stop)
        except CloudError as error:
            return JobLogs(job=job, problem=str(error))

    found = []
    with ThreadPoolExecutor(PARALLEL) as pool:
        try:
            for done, logs_of in enumerate(pool.map(one, jobs), start=1):
                found.append(logs_of)
                progress(done)
        except BaseException:
            stop.set()
            pool.shutdown(cancel_futures=True)
            raise
    return found


def _job(logs: Any, job: str, folder: Path, over: bool, stop: threading.Event) -> JobLogs:
    streams = list(streams_of(logs, job))
    events = new = 0
    for stream in streams:
        path = folder / f"{re.sub(r'[^A-Za-z0-9._-]', '_', stream.removeprefix(f'{job}/'))}.log"
        mark = _read_mark(path)
        if not mark.ended:
            make_folder(folder)
            before, mark = mark, _follow(logs, stream, path, mark, over, stop)
            new += mark.events - before.events
        events += mark.events
    problem = "" if streams else "it has no log"
    return JobLogs(job=job, streams=len(streams), events=events, new=new, problem=problem)


def streams_of(logs: Any, job: str) -> Iterator[str]:
    """The names of a job's streams, in the order of its starts."""
    from botocore.exceptions import ClientError

    with spoken(f"cannot list the logs of {job}"):
        try:
            pages = logs.get_paginator("describe_log_streams").paginate(
                logGroupName=GROUP, logStreamNamePrefix=f"{job}/"
            )
            yield from sorted(stream["logStreamName"] for page in pages for stream in page["logStreams"])
        except ClientError as error:
            if code_of(error) != "ResourceNotFoundException":  # no job of this account ever wrote a line
                raise


def _follow(logs: Any, stream: str, path: Path, mark: Mark, over: bool, stop: threading.Event) -> Mark:
    """Append what is new, page after page; a kill between two pages costs the page."""
    try:
        with path.open("r+b" if path.exists() else "w+b") as file:
            file.truncate(mark.bytes)
            file.seek(mark.bytes)
            for page in _pages(logs, stream, mark):
                if stop.is_set():
                    raise KeyboardInterrupt
                for event in page:
                    file.write(_line(event))
                    mark = _after(mark, event["timestamp"])
                file.flush()
                os.fsync(file.fileno())
                mark = _write_mark(path, mark, bytes=file.tell())
    except OSError as error:
        raise StorageError(f"cannot write {path}: {error.strerror}") from None
    return _write_mark(path, mark, ended=over)


def _pages(logs: Any, stream: str, mark: Mark) -> Iterator[list[dict[str, Any]]]:
    """Events that are not read yet, in their order."""
    known, token = mark.at_last, None
    with spoken(f"cannot read the log {stream}"):
        while True:
            # A token is a place among the events of this very request, so it goes with the same startTime.
            where = {"logGroupName": GROUP, "logStreamName": stream, "startTime": mark.last}
            more: dict[str, str] = {"nextToken": token} if token else {}
            answer = logs.get_log_events(**where, startFromHead=True, **more)
            page = answer["events"]
            while known and page and page[0]["timestamp"] <= mark.last:
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


def _after(mark: Mark, moment: int) -> Mark:
    same = mark.at_last + 1 if moment == mark.last else 1
    return Mark(bytes=mark.bytes, events=mark.events + 1, last=moment, at_last=same)


def _mark_path(path: Path) -> Path:
    return path.with_suffix(".json")


def _read_mark(path: Path) -> Mark:
    """From the beginning where there is none, where it is damaged, or says more than the file has."""
    try:
        mark = Mark(**json.loads(_mark_path(path).read_text()))
        return mark if path.stat().st_size >= mark.bytes else Mark()
    except (OSError, ValueError, TypeError):
        return Mark()


def _write_mark(path: Path, mark: Mark, **changed: Any) -> Mark:
    mark = Mark(**{**asdict(mark), **changed})
    write_atomically(_mark_path(path), json.dumps(asdict(mark)).encode())
    return mark
