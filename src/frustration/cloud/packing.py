"""Packs groups of trials into a few jobs, by their cost.

A group (trials that train side by side) is never divided, since bits may depend on it. Costs come from the
calibration of the machine that plans; `Machine` says how an instance compares with it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from frustration.cloud.place import Place
from frustration.cloud.plan import Pack
from frustration.study.estimate import Cost, Estimate


@dataclass(frozen=True, kw_only=True)
class Machine:
    """An instance as a multiple of the machine that planned."""

    instance_type: str
    cores: int
    speed: float = 1.0
    """How many times as fast one of its cores is."""

    def wall_seconds(self, costs: Sequence[Cost]) -> float:
        """How long one instance trains at these groups, a group on a core."""
        return Estimate(costs=tuple(costs), workers=self.cores).wall_seconds / self.speed


@dataclass(frozen=True, kw_only=True)
class Budget:
    """What the user wants: to be done within these hours, with at most so many instances at a time."""

    hours: float
    instances: int
    longest_seconds: float = math.inf
    """A job should not be longer than this, because the service would end it."""


def pack_costs(costs: Sequence[Cost], machine: Machine, budget: Budget) -> list[list[Cost]]:
    """The fewest packs that keep to the budget, or where none do, as many as run at once.

    Fewest, because every job pays for its start and for cores that wait at its end.
    """
    seconds = budget.hours * 3600
    packs = _packed(costs, machine, seconds, 1, min(len(costs), budget.instances))
    # No number of packs makes a group shorter.
    bearable = max(budget.longest_seconds, max(machine.wall_seconds([cost]) for cost in costs))
    if max(map(machine.wall_seconds, packs)) <= bearable:
        return packs
    # More than run at once: they wait for each other, but each comes to its end.
    return _packed(costs, machine, bearable, len(packs), len(costs))


def _packed(
    costs: Sequence[Cost], machine: Machine, seconds: float, least: int, most: int
) -> list[list[Cost]]:
    """The fewest packs, `least` to `most` of them, none of which takes longer; else `most`."""
    whole = sum(cost.seconds for cost in costs) / machine.speed / machine.cores
    for count in range(max(least, min(most, math.ceil(whole / seconds))), most + 1):
        packs = divide(costs, count)
        if max(map(machine.wall_seconds, packs)) <= seconds:
            break
    return packs


def divide(costs: Sequence[Cost], count: int) -> list[list[Cost]]:
    """`count` packs of about the same cost: the costliest group goes to the pack that has least."""
    packs: list[list[Cost]] = [[] for _ in range(count)]
    sums = [0.0] * count
    for cost in sorted(costs, key=lambda cost: (-cost.seconds, cost.ids)):
        lightest = sums.index(min(sums))
        packs[lightest].append(cost)
        sums[lightest] += cost.seconds
    return [pack for pack in packs if pack]


def as_packs(packs: Sequence[Sequence[Cost]], machine: Machine, place: Place) -> tuple[Pack, ...]:
    """Packs with their names, the longest first: it decides when all is done."""
    made = []
    for costs in packs:
        trials = tuple(trial for cost in costs for trial in cost.ids)
        made.append(
            Pack(
                id=place.pack_id(trials),
                trials=trials,
                core_seconds=sum(cost.seconds for cost in costs),
                wall_seconds=machine.wall_seconds(costs),
            )
        )
    return tuple(sorted(made, key=lambda pack: -pack.wall_seconds))
