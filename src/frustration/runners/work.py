"""One group's work, wherever it is done: train it, keep it after every loop, report what happened."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from frustration.dataset import Split
from frustration.engine.backends import backend_named
from frustration.engine.group import Group
from frustration.engine.loop import run
from frustration.engine.trial import Trial
from frustration.record import LoopEntry, TrialRecord


class Keeper(Protocol):
    """Puts trials where they survive. It is called where the training happens, and travels there."""

    def keep(self, trial: Trial, entry: LoopEntry) -> None:
        """After every loop."""

    def finish(self, trial: Trial) -> None:
        """After the last."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Work:
    """What all groups of a run have in common."""

    backend: str
    device: str
    data: Split
    keeper: Keeper


@dataclass(frozen=True)
class LoopDone:
    """A trial has gone through one more loop and is kept."""

    trial_id: str
    entry: LoopEntry
    bounty: float | None
    bounty_loop: int | None


@dataclass(frozen=True)
class TrialDone:
    """A trial has come to its end."""

    trial_id: str
    record: TrialRecord


Event = LoopDone | TrialDone
Emit = Callable[[Event], None]


def do(work: Work, group: Group, emit: Emit, stop: threading.Event) -> None:
    """Train a group to its end; raises Interrupted when `stop` is set."""

    def observe(trial: Trial, entry: LoopEntry) -> None:
        work.keeper.keep(trial, entry)
        emit(LoopDone(trial.spec.id, entry, trial.bounty, trial.bounty_loop))

    trials = list(group.trials.values())
    backend = backend_named(work.backend, work.device)
    population = backend.population(trials[0].shape, group.runs, work.data, trials[0].spec.batch_size)
    run(group, population, work.data, observe, stop)
    for trial in trials:
        work.keeper.finish(trial)
        emit(TrialDone(trial.spec.id, trial.record()))
