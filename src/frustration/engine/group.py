"""Which trials train side by side. Users never see groups, but bits may depend on their shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import Any

from frustration.engine.population import Backend, Runs
from frustration.engine.trial import Trial


@dataclass(frozen=True, eq=False)
class Group:
    """Trials in the slots of one population; a slot may be empty."""

    runs: Runs
    trials: dict[int, Trial]

    def behind(self) -> dict[int, Trial]:
        """The unfinished trials with the fewest loops: all, unless some lost a loop to a kill."""
        unfinished = {slot: trial for slot, trial in self.trials.items() if not trial.finished}
        least = min((trial.loop for trial in unfinished.values()), default=0)
        return {slot: trial for slot, trial in unfinished.items() if trial.loop == least}


def plan(trials: Iterable[Trial], backend: Backend) -> list[Group]:
    """Sort trials into groups, and write into each trial's numerics what its bits depend on.

    A trial that has trained before goes back to its place in a group like the one it came from; the
    others fill new groups. A new group depends on the trials and the backend only, never on this
    machine or on the number of threads.
    """
    trials = list(trials)
    homes = _homes(trials)
    groups = _return([(trial, home) for trial, home in homes if home])
    groups += _fill([trial for trial, home in homes if not home], backend)
    for group in groups:
        for slot, trial in group.trials.items():
            trial.numerics = backend.numerics()
            if backend.depends_on_group:
                trial.numerics["group"] = {"runs": list(group.runs), "slot": slot}
    return groups


def _homes(trials: list[Trial]) -> list[tuple[Trial, tuple[Runs, int] | None]]:
    """Every trial with the place that it comes from, if it has one that matters.

    A place matters once any trial has trained in a group like it. Before that, a kill may have left some
    trials with their places and others without: they are planned anew, together, as if for the first time.
    """
    homes = [(trial, _home(trial)) for trial in trials]
    lived_in = {(_kind(trial), home[0]) for trial, home in homes if home and trial.loop}
    return [(trial, home if home and (_kind(trial), home[0]) in lived_in else None) for trial, home in homes]


def _home(trial: Trial) -> tuple[Runs, int] | None:
    """The group and the slot that a trial comes from, if its optimizer still fits there."""
    place = trial.numerics.get("group")
    if not place:
        return None
    runs, slot = tuple(place["runs"]), int(place["slot"])
    return (runs, slot) if "".join(runs)[slot] == _letter(trial) else None


def _letter(trial: Trial) -> str:
    return "p" if trial.keeps_moments else "f"


def _kind(trial: Trial) -> tuple[Any, ...]:
    """Trials of one kind can share a population."""
    spec = trial.spec
    return (str(spec.architecture), spec.dataset, spec.train_fraction, spec.batch_size, spec.learning_rate)


def _fill(trials: list[Trial], backend: Backend) -> list[Group]:
    groups = []
    kinds = sorted(trials, key=lambda t: (_kind(t), t.loop))
    for _, of_kind in groupby(kinds, key=lambda t: (_kind(t), t.loop)):
        members = list(of_kind)
        limit = backend.group_limit(members[0].shape, members[0].spec.batch_size)
        full: list[Trial] = []
        runs: list[str] = []
        for _, run in groupby(sorted(members, key=_stream), key=_stream):
            for part in _chunks(list(run), limit):
                if len(full) + len(part) > limit:
                    groups.append(Group(tuple(runs), dict(enumerate(full))))
                    full, runs = [], []
                full += part
                runs.append("".join(map(_letter, part)))
        groups.append(Group(tuple(runs), dict(enumerate(full))))
    return groups


def _stream(trial: Trial) -> tuple[int, int]:
    return trial.spec.seed, trial.spec.trial


def _chunks(trials: list[Trial], limit: int) -> list[list[Trial]]:
    return [trials[start : start + limit] for start in range(0, len(trials), limit)]


def _return(homes: Iterable[tuple[Trial, tuple[Runs, int]]]) -> list[Group]:
    alike: dict[tuple[Any, ...], list[Group]] = {}
    for trial, (runs, slot) in homes:
        groups = alike.setdefault((_kind(trial), runs), [])
        group = next((group for group in groups if _fits(trial, slot, group)), None)
        if group is None:
            groups.append(group := Group(runs, {}))
        group.trials[slot] = trial
    return [group for groups in alike.values() for group in groups]


def _fits(trial: Trial, slot: int, group: Group) -> bool:
    """Whether a slot is free and those in its run see the samples in the same order."""
    bounds = list(accumulate(map(len, group.runs), initial=0))
    run = next(range(low, high) for low, high in pairwise(bounds) if low <= slot < high)
    mates = [group.trials[mate] for mate in run if mate in group.trials]
    return slot not in group.trials and all(_stream(mate) == _stream(trial) for mate in mates)
