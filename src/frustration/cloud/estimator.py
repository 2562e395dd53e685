"""The cost of a study in the cloud: measured here, packed for an instance, multiplied by its rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from frustration.cloud.instances import cores
from frustration.cloud.packing import Budget, Machine, as_packs, pack_costs
from frustration.cloud.place import Place
from frustration.cloud.plan import Pack
from frustration.cloud.prices import Price
from frustration.cloud.settings import Settings
from frustration.engine.group import those
from frustration.errors import InputError, last_line
from frustration.study.definition import Study
from frustration.study.estimate import Cost, estimate
from frustration.study.run import Prepared, digests, prepare


@dataclass(frozen=True, kw_only=True)
class Offer:
    """What a study costs on one type of instance."""

    machine: Machine
    rate: Decimal
    """US dollars an hour."""
    jobs: int
    hours: float
    """Of all instances together."""
    elapsed: float
    """Hours from the first job's start to the last one's end, with the instances that the budget allows."""

    @classmethod
    def of(cls, walls: Sequence[float], machine: Machine, rate: Decimal, instances: int) -> Offer:
        """For jobs of so many seconds, each of which starts as soon as an instance is free."""
        ends = [0.0] * max(1, instances)
        for wall in sorted(walls, reverse=True):
            ends[ends.index(min(ends))] += wall
        hours = sum(walls) / 3600
        return cls(machine=machine, rate=rate, jobs=len(walls), hours=hours, elapsed=max(ends) / 3600)

    @property
    def dollars(self) -> Decimal:
        """At the on-demand rate; spot capacity costs less by what AWS grants that day."""
        return (self.rate * Decimal(self.hours)).quantize(Decimal("0.01"))

    def gpu_pays_above(self, gpu: Offer) -> float:
        """How many cores of the planning machine a GPU has to replace to be cheaper than this CPU offer."""
        core_hours_per_dollar = self.machine.cores * self.machine.speed / float(self.rate)
        return core_hours_per_dollar * float(gpu.rate)


def _silent() -> AbstractContextManager[Callable[[int, int], None]]:
    return nullcontext(lambda done, total: None)


@dataclass
class Estimator:
    """The cost of a study's trials, measured on first use."""

    study: Study
    settings: Settings
    budget: Budget
    price: Callable[[str], Price]
    """Price per hour of an instance type."""
    cores: int | None = None
    """Physical cores of the chosen instance; None: from its name."""
    speed: float = 1.0
    """Speed of an instance's core relative to one here."""
    planned_for: str = ""
    """The type of instance that the plan was made for, once there is one."""
    progress: Callable[[], AbstractContextManager[Callable[[int, int], None]]] = _silent
    """Entered for a measurement; called with groups measured and groups in total."""
    _measured: dict[frozenset[str], list[Cost]] = field(default_factory=dict)

    @cached_property
    def prepared(self) -> Prepared:
        if self.study.analysis.pilot:
            raise InputError(
                f"{self.study.name} has a pilot, and what is trained after it follows from its results: "
                f"a launch plans all jobs at once. `frustration study run` runs it, here or on Ray"
            )
        found = prepare(self.study, device="cpu", twins=False)
        for text in found.raising.values():
            raise InputError(f"{last_line(text)}; a launch is for studies whose trials can all be trained")
        return found

    @property
    def digests(self) -> dict[tuple[str, float], str]:
        return digests(self.study, self.prepared.data)

    @cached_property
    def machine(self) -> Machine:
        return self.machine_of(self.settings.instance_type)

    def machine_of(self, instance_type: str) -> Machine:
        chosen = instance_type == self.settings.instance_type
        count = self.cores if chosen and self.cores else cores(instance_type)
        return Machine(instance_type=instance_type, cores=count, speed=self.speed)

    def costs(self, trials: frozenset[str]) -> list[Cost]:
        """Of the groups that these trials form; measured here and now, once."""
        if trials not in self._measured:
            self._measured[trials] = self._measure(trials)
        return self._measured[trials]

    def _measure(self, trials: frozenset[str]) -> list[Cost]:
        groups = those(self.prepared.groups, lambda one: one.spec.id in trials)
        with self.progress() as at:
            return list(estimate(self.prepared, groups, 1, at).costs)

    def packs(self, trials: frozenset[str], place: Place) -> tuple[Pack, ...]:
        return as_packs(pack_costs(self.costs(trials), self.machine, self.budget), self.machine, place)

    def wall_seconds(self, pack: Pack) -> float:
        """Of a pack on the chosen instance; roughly, where the plan was made for another."""
        if self.planned_for == self.settings.instance_type:
            return pack.wall_seconds
        return pack.core_seconds / self.machine.cores / self.machine.speed

    def offer(self, packs: Sequence[Pack]) -> Offer:
        """For packs that are planned, on the chosen instance."""
        return self._offer([self.wall_seconds(pack) for pack in packs], self.machine)

    def offer_on(self, instance_type: str, trials: frozenset[str]) -> Offer:
        """For trials repacked for another instance type."""
        machine = self.machine_of(instance_type)
        packs = pack_costs(self.costs(trials), machine, self.budget)
        return self._offer([machine.wall_seconds(pack) for pack in packs], machine)

    def _offer(self, walls: Sequence[float], machine: Machine) -> Offer:
        rate = self.price(machine.instance_type).usd_per_hour
        return Offer.of(walls, machine, rate, self.budget.instances)
