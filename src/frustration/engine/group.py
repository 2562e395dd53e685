"""Which trials train side by side. Users never see groups, but bits may depend on their shape."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import Any, Generic, Protocol, TypeVar

from frustration.dendrites.draws import draw_numerics
from frustration.engine.population import Backend, Runs
from frustration.engine.trial import Trial
from frustration.protocols import AnyShape
from frustration.spec import TrialSpec


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
    new = lay_out([trial for trial, home in homes if not home], backend)
    groups += [Group(layout.runs, layout.members) for layout in new]
    for group in groups:
        write_numerics(group, backend)
    return groups


def write_numerics(group: Group, backend: Backend) -> None:
    """Write into each trial what its bits depend on from now on."""
    for slot, trial in group.trials.items():
        trial.numerics = numerics_of(trial.spec, backend)
        if backend.depends_on_group:
            trial.numerics["group"] = {"runs": list(group.runs), "slot": slot}


def numerics_of(spec: TrialSpec, backend: Backend) -> dict[str, Any]:
    """What the bits of a trial depend on, but for its place in a group."""
    numerics = backend.numerics()
    if spec.program.grows and "vector" not in numerics:
        numerics |= draw_numerics()
    return numerics


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
    return (runs, slot) if "".join(runs)[slot] == optimizer_code(trial.spec) else None


class Member(Protocol):
    """What can be laid out: a trial, or the plan of one."""

    @property
    def spec(self) -> TrialSpec: ...
    @property
    def shape(self) -> AnyShape: ...
    @property
    def loop(self) -> int: ...


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, eq=False)
class Layout(Generic[M]):
    """The shape of a group and who stands where in it."""

    runs: Runs
    members: dict[int, M]


def lay_out(members: Iterable[M], backend: Backend) -> list[Layout[M]]:
    """Groups of members that can share a population, filled run by run."""
    layouts = []
    kinds = sorted(members, key=_kind_and_loop)
    for _, of_kind in groupby(kinds, key=_kind_and_loop):
        alike = sorted(of_kind, key=_stream)  # stable: modes stay in the order they were asked for
        limit = backend.group_limit(alike[0].shape, alike[0].spec.batch_size)
        full: list[M] = []
        runs: list[str] = []
        for _, run in groupby(alike, key=_stream):
            for part in _chunks(list(run), limit):
                if len(full) + len(part) > limit:
                    layouts.append(Layout(tuple(runs), dict(enumerate(full))))
                    full, runs = [], []
                full += part
                runs.append("".join(optimizer_code(member.spec) for member in part))
        layouts.append(Layout(tuple(runs), dict(enumerate(full))))
    return layouts


def work_left(members: Iterable[Member]) -> int:
    """Roughly: multiplications that members still have before them, by which the costliest go first."""
    return sum((member.spec.meta_loops - member.loop) * member.shape.work for member in members)


def _kind(member: Member) -> tuple[Any, ...]:
    """Members of one kind can share a population."""
    spec = member.spec
    return (
        member.shape.subject,
        spec.dataset,
        spec.train_fraction,
        spec.updates,
        spec.batch_size,
        spec.learning_rate,
    )


def _kind_and_loop(member: Member) -> tuple[Any, ...]:
    return (*_kind(member), member.loop)


def optimizer_code(spec: TrialSpec) -> str:
    return "f" if spec.optimizer == "fresh" else "p"


def _stream(member: Member) -> tuple[int, int]:
    return member.spec.seed, member.spec.trial


def _chunks(members: list[M], limit: int) -> list[list[M]]:
    return [members[start : start + limit] for start in range(0, len(members), limit)]


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
