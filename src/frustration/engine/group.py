"""Groups: trials that train side by side. Users never see them, but bits may depend on their shape."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Generic, Protocol, TypeVar

from frustration.dendrites.draws import draw_numerics
from frustration.engine.population import Backend
from frustration.engine.slots import SlotLayout
from frustration.engine.trial import Trial
from frustration.protocols import AnyShape
from frustration.spec import TrialSpec


class Member(Protocol):
    """What stands in a slot: a trial, or the plan of one."""

    @property
    def spec(self) -> TrialSpec: ...
    @property
    def shape(self) -> AnyShape: ...
    @property
    def loop(self) -> int: ...


M = TypeVar("M", bound=Member)


@dataclass(frozen=True, eq=False)
class Group(Generic[M]):
    """Members in the slots of one population; a slot may be empty."""

    layout: SlotLayout
    members: dict[int, M]

    @classmethod
    def of(cls, runs: Iterable[str], members: dict[int, M]) -> Group[M]:
        return cls(SlotLayout(runs), members)

    @property
    def first(self) -> M:
        """What all members have in common can be asked of any."""
        return next(iter(self.members.values()))

    def where(self, keep: Callable[[M], bool]) -> Group[M]:
        """The same slots without some of their members."""
        return Group(self.layout, {slot: one for slot, one in self.members.items() if keep(one)})


def those(groups: Iterable[Group[M]], keep: Callable[[M], bool]) -> list[Group[M]]:
    """The groups without some of their members, and without those that are then empty."""
    return [part for group in groups if (part := group.where(keep)).members]


def plan(trials: Iterable[Trial], backend: Backend) -> list[Group[Trial]]:
    """Sort trials into groups, and write into each trial's numerics what its bits depend on.

    A trial that has trained before goes back to its place in a group like the one it came from; the
    others fill new groups. A new group depends on the trials and the backend only, never on this
    machine or on the number of threads.
    """
    trials = list(trials)
    homes = _homes(trials)
    groups = _return([(trial, home) for trial, home in homes if home])
    groups += lay_out([trial for trial, home in homes if not home], backend)
    for group in groups:
        write_numerics(group, backend)
    return groups


def write_numerics(group: Group[Trial], backend: Backend) -> None:
    """Write into each trial what its bits depend on from now on."""
    for slot, trial in group.members.items():
        trial.numerics = numerics_of(trial.spec, backend)
        if backend.depends_on_group:
            trial.numerics["group"] = {"runs": list(group.layout), "slot": slot}


def numerics_of(spec: TrialSpec, backend: Backend) -> dict[str, Any]:
    """What the bits of a trial depend on, but for its place in a group."""
    numerics = backend.numerics()
    if spec.program.grows and "vector" not in numerics:
        numerics |= draw_numerics()
    return numerics


def _homes(trials: list[Trial]) -> list[tuple[Trial, tuple[SlotLayout, int] | None]]:
    """Every trial with the place that it comes from, if it has one that matters.

    A place matters once any trial has trained in a group like it. Before that, a kill may have left some
    trials with their places and others without: they are planned anew, together, as if for the first time.
    """
    homes = [(trial, _home(trial)) for trial in trials]
    lived_in = {(_kind(trial), home[0]) for trial, home in homes if home and trial.loop}
    return [(trial, home if home and (_kind(trial), home[0]) in lived_in else None) for trial, home in homes]


def _home(trial: Trial) -> tuple[SlotLayout, int] | None:
    """The group and the slot that a trial comes from, if its optimizer still fits there."""
    place = trial.numerics.get("group")
    if not place:
        return None
    layout, slot = SlotLayout(place["runs"]), int(place["slot"])
    return (layout, slot) if layout.policies[slot] == optimizer_code(trial.spec) else None


def lay_out(members: Iterable[M], backend: Backend) -> list[Group[M]]:
    """Groups of members that can share a population, filled run by run."""
    groups = []
    kinds = sorted(members, key=_kind_and_loop)
    for _, of_kind in groupby(kinds, key=_kind_and_loop):
        alike = sorted(of_kind, key=_stream)  # stable: modes stay in the order they were asked for
        limit = backend.group_limit(alike[0].shape, alike[0].spec.batch_size)
        full: list[M] = []
        runs: list[str] = []
        for _, run in groupby(alike, key=_stream):
            for part in _chunks(list(run), limit):
                if len(full) + len(part) > limit:
                    groups.append(Group.of(runs, dict(enumerate(full))))
                    full, runs = [], []
                full += part
                runs.append("".join(optimizer_code(member.spec) for member in part))
        groups.append(Group.of(runs, dict(enumerate(full))))
    return groups


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


def _return(homes: Iterable[tuple[Trial, tuple[SlotLayout, int]]]) -> list[Group[Trial]]:
    alike: dict[tuple[Any, ...], list[Group[Trial]]] = {}
    for trial, (layout, slot) in homes:
        groups = alike.setdefault((_kind(trial), layout), [])
        group = next((group for group in groups if _fits(trial, slot, group)), None)
        if group is None:
            groups.append(group := Group(layout, {}))
        group.members[slot] = trial
    return [group for groups in alike.values() for group in groups]


def _fits(trial: Trial, slot: int, group: Group[Trial]) -> bool:
    """Whether a slot is free and those in its run see the samples in the same order."""
    mates = [group.members[mate] for mate in group.layout.mates(slot) if mate in group.members]
    return slot not in group.members and all(_stream(mate) == _stream(trial) for mate in mates)
