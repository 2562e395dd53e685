"""What a study costs in the cloud, as launcher and cost estimator find out, and what containers are given."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from frustration.errors import InputError
from frustration.sinks import unfenced

if TYPE_CHECKING:
    from frustration.cloud.bundle import Wheels
    from frustration.cloud.offer import Offer
    from frustration.cloud.packing import Budget, Machine
    from frustration.cloud.place import Place
    from frustration.cloud.plan import Pack
    from frustration.cloud.prices import Price
    from frustration.cloud.request import Uploaded
    from frustration.cloud.settings import Settings
    from frustration.commands.sagemaker_flags import Rates, Size
    from frustration.study.definition import Study
    from frustration.study.estimate import Cost
    from frustration.study.run import Prepared

COMPARED = "ml.g4dn.xlarge"
"""What the published grid was trained on."""


@dataclass
class Estimator:
    """A study with what its trials cost, measured only if something needs it."""

    options: Size
    settings: Settings
    study: Study
    planned_for: str = ""
    """The type of instance that the plan was made for, once there is one."""
    _measured: dict[frozenset[str], list[Cost]] = field(default_factory=dict)

    @cached_property
    def prepared(self) -> Prepared:
        from frustration.study.run import prepare

        if self.study.analysis.pilot:
            raise InputError(
                f"{self.study.name} has a pilot, and what is trained after it follows from its results: "
                f"a launch plans all jobs at once. `frustration study run` runs it, here or on Ray"
            )
        return prepare(self.study, device="cpu", twins=False)

    @property
    def digests(self) -> dict[tuple[str, float], str]:
        from frustration.study.run import digests

        return digests(self.study, self.prepared.data)

    @cached_property
    def machine(self) -> Machine:
        return self.machine_of(self.settings.instance_type)

    def machine_of(self, instance_type: str) -> Machine:
        from frustration.cloud.instances import cores
        from frustration.cloud.packing import Machine

        chosen = instance_type == self.settings.instance_type
        count = self.options.cores if chosen and self.options.cores else cores(instance_type)
        return Machine(instance_type=instance_type, cores=count, speed=self.options.speed)

    @property
    def budget(self) -> Budget:
        from frustration.cloud.packing import Budget

        return Budget(
            hours=self.options.hours,
            instances=self.options.instances,
            # A quarter is left for starting, and for an instance that is slower than was thought.
            longest_seconds=0.75 * self.settings.max_run_seconds,
        )

    def costs(self, trials: frozenset[str]) -> list[Cost]:
        """Of the groups that these trials form; measured here and now, once."""
        if trials not in self._measured:
            self._measured[trials] = self._measure(trials)
        return self._measured[trials]

    def _measure(self, trials: frozenset[str]) -> list[Cost]:
        from frustration.engine.group import those
        from frustration.study.estimate import estimate

        groups = those(self.prepared.groups, lambda one: one.spec.id in trials)
        progress = _progress if sys.stderr.isatty() else lambda done, total: None
        found = estimate(self.prepared, groups, 1, progress)
        return list(found.costs)

    def packs(self, trials: frozenset[str], place: Place) -> tuple[Pack, ...]:
        from frustration.cloud.packing import as_packs, pack_costs

        return as_packs(pack_costs(self.costs(trials), self.machine, self.budget), self.machine, place)

    def wall_seconds(self, pack: Pack) -> float:
        """Of a pack on the chosen instance; roughly, where the plan was made for another."""
        if self.planned_for == self.settings.instance_type:
            return pack.wall_seconds
        return pack.core_seconds / self.machine.cores / self.machine.speed

    def price(self, instance_type: str) -> Price:
        return price_of(self.options, self.settings, instance_type)

    def rate(self, instance_type: str) -> Decimal:
        return self.price(instance_type).usd_per_hour

    def offer(self, packs: Sequence[Pack]) -> Offer:
        """For packs that are planned, on the chosen instance."""
        from frustration.cloud.offer import offer

        walls = [self.wall_seconds(pack) for pack in packs]
        return offer(walls, self.machine, self.rate(self.settings.instance_type), self.options.instances)

    def offer_on(self, instance_type: str, trials: frozenset[str]) -> Offer:
        """For trials packed anew for a type of instance."""
        from frustration.cloud.offer import offer_of_costs

        machine, rate = self.machine_of(instance_type), self.rate(instance_type)
        return offer_of_costs(self.costs(trials), machine, rate, self.budget)


def price_of(options: Rates, settings: Settings, instance_type: str) -> Price:
    """An hour of an instance by the user's flags, or by the table."""
    from frustration.cloud.prices import overrides, price

    return price(settings.region, instance_type, overrides(options.price or (), options.prices))


@dataclass(kw_only=True)
class Parcels:
    """What containers are given, and the digests under which it is in S3."""

    code: Mapping[str, bytes]
    data: Mapping[str, bytes]
    wheels: Wheels

    @classmethod
    def of(cls, study: Study, wheels: Wheels) -> Parcels:
        from frustration.cloud.bundle import code_files, data_files

        return cls(code=code_files(), data=data_files(study.datasets), wheels=wheels)

    @cached_property
    def digests(self) -> Uploaded:
        from frustration.cloud.bundle import digest
        from frustration.cloud.request import Uploaded

        return Uploaded(code=digest({**self.code, "wheels": self.wheels.identity}), data=digest(self.data))

    def by_folder(self, place: Place, say: Callable[[str], None]) -> list[tuple[str, Mapping[str, bytes]]]:
        """Keys of folders with what belongs there. Wheels are downloaded now, if they have to be."""
        code = {**self.code, **self.wheels.files(say)}
        return [(place.code(self.digests.code), code), (place.data(self.digests.data), self.data)]


def _progress(done: int, total: int) -> None:
    print(
        f"\rmeasuring {done}/{total}" + (" " * 8 if done < total else "\n"),
        end="",
        file=unfenced(sys.stderr),
        flush=True,
    )
