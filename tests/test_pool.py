"""One pool of worker processes does tasks of any kind: nothing is lost, and it ends when it is asked to."""

import os
import signal
import threading
import time
from dataclasses import dataclass
from typing import ClassVar

import pytest

from frustration.engine.population import Interrupted
from frustration.errors import InputError, did_you_mean
from frustration.runners.pool import Queue, WorkerError, run_tasks


@dataclass
class Square:
    """Squares numbers; what it is called with says what else happens."""

    environment: ClassVar = {"SQUARE_BASE": "0"}
    when_killed = "nothing is kept"

    def prepare(self) -> None:
        self.base = int(os.environ.get("SQUARE_BASE", "1"))

    def __call__(self, task, emit, stop) -> None:
        if task == "die":
            os.kill(os.getpid(), signal.SIGKILL)
        if task == "refuse":
            raise InputError("no number")
        if task == "break":
            raise ZeroDivisionError("made up")
        emit((os.getpid(), self.base + task**2))
        if task == 99:
            while not stop.is_set():
                time.sleep(0.01)
            raise Interrupted


def squared(tasks, workers: int, stop: threading.Event | None = None) -> list[tuple[int, int]]:
    heard = []
    run_tasks(Queue(tasks), Square(), workers, heard.append, stop or threading.Event())
    return heard


def test_every_task_is_done_once_here_or_in_processes_of_its_own():
    here = squared([1, 2, 3], workers=1)
    assert [value for _, value in here] == [2, 5, 10]  # this process has not the environment of a worker
    assert {pid for pid, _ in here} == {os.getpid()}
    there = squared(range(8), workers=2)
    assert sorted(value for _, value in there) == [n**2 for n in range(8)]
    assert os.getpid() not in {pid for pid, _ in there}


@pytest.mark.parametrize(
    "task, error, said",
    [
        ("refuse", InputError, "no number"),
        ("break", WorkerError, "ZeroDivisionError: made up"),
        ("die", WorkerError, "killed by SIGKILL.*nothing is kept"),
    ],
)
def test_what_goes_wrong_in_a_worker_is_raised_here(task, error, said):
    with pytest.raises(error, match=f"(?s){said}"):
        squared([task, 1], workers=2)


def test_stop_reaches_a_task_under_way():
    stop = threading.Event()

    def heard(event) -> None:
        stop.set()

    with pytest.raises(Interrupted):
        run_tasks(Queue([99, 99, 1]), Square(), 2, heard, stop)


def test_one_hint_names_what_was_meant():
    assert did_you_mean("hiden", ["full", "hidden"]) == " (did you mean hidden?)"
    assert did_you_mean("xyz", ["full", "hidden"]) == ""
