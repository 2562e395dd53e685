"""The cost of a study in the cloud: measured here, packed for an instance, multiplied by its rate."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property

from frustration.cloud.instances import cores
from frustration.cloud.offer import Offer, offer
from frustration.cloud.packing import Budget, Machine, as_packs, pack_costs
from frustration.cloud.place import Place
from frustration.cloud.plan import Pack
from frustration.cloud.prices import Price
from frustration.cloud.settings import Settings
from frustration.engine.group import those
from frustration.errors import InputError
from frustration.study.definition import Study
from frustration.study.estimate import Cost, estimate
from frustration.study.run import Prepared, digests, prepare


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
        return prepare(self.study, device="cpu", twins=False)

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

    def rate(self, instance_type: str) -> Decimal:
        return self.price(instance_type).usd_per_hour

    def offer(self, packs: Sequence[Pack]) -> Offer:
        """For packs that are planned, on the chosen instance."""
        walls = [self.wall_seconds(pack) for pack in packs]
        return offer(walls, self.machine, self.rate(self.settings.instance_type), self.budget.instances)

    def offer_on(self, instance_type: str, trials: frozenset[str]) -> Offer:
        """For trials repacked for another instance type."""
        machine = self.machine_of(instance_type)
        walls = [machine.wall_seconds(pack) for pack in pack_costs(self.costs(trials), machine, self.budget)]
        return offer(walls, machine, self.rate(instance_type), self.budget.instances)
