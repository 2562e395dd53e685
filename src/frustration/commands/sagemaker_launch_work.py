"""What sagemaker-launch has to find out before it asks for anything: costs, packs, and what is uploaded."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING

from frustration.commands import sagemaker_launch_flags as flags
from frustration.sinks import unfenced

if TYPE_CHECKING:
    from frustration.cloud.bundle import Wheels
    from frustration.cloud.packing import Budget, Machine
    from frustration.cloud.place import Place
    from frustration.cloud.plan import Pack
    from frustration.cloud.request import Uploaded
    from frustration.cloud.settings import Settings
    from frustration.study.definition import Study
    from frustration.study.estimate import Cost
    from frustration.study.run import Prepared


@dataclass
class Calibrated:
    """A study with what its trials cost, measured only if something needs it."""

    options: argparse.Namespace
    settings: Settings
    study: Study
    place: Place
    planned_for: str = ""
    """The type of instance that the plan was made for, once there is one."""
    _measured: dict[frozenset[str], list[Cost]] = field(default_factory=dict)

    @cached_property
    def prepared(self) -> Prepared:
        from frustration.study.run import prepare

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
        from frustration.engine.backends import backend_named
        from frustration.engine.group import Layout
        from frustration.study.estimate import estimate

        all_of = self.prepared.layouts
        parts = [
            Layout(one.runs, {s: p for s, p in one.members.items() if p.spec.id in trials}) for one in all_of
        ]
        layouts = [one for one in parts if one.members]
        backend = backend_named(self.prepared.backend, self.prepared.device)
        progress = _progress if sys.stderr.isatty() else lambda done, total: None
        found = estimate(layouts, self.prepared.data, backend, 1, self.study.networks, progress)
        return list(found.costs)

    def packs(self, trials: frozenset[str]) -> tuple[Pack, ...]:
        from frustration.cloud.packing import as_packs, pack_costs

        costs = self.costs(trials)
        return as_packs(pack_costs(costs, self.machine, self.budget), self.machine, self.place)

    def wall_seconds(self, pack: Pack) -> float:
        """Of a pack on the chosen instance; roughly, where the plan was made for another."""
        if self.planned_for == self.settings.instance_type:
            return pack.wall_seconds
        return pack.core_seconds / self.machine.cores / self.machine.speed

    def rate(self, instance_type: str) -> Decimal:
        from frustration.cloud.prices import overrides, rate

        given = overrides(self.options.price, self.options.prices)
        return rate(self.settings.region, instance_type, given)


@dataclass(kw_only=True)
class Parcels:
    """What containers are given, and the digests under which it lies in S3."""

    code: dict[str, bytes]
    data: dict[str, bytes]
    wheels: Wheels

    @classmethod
    def of(cls, options: argparse.Namespace, settings: Settings, work: Calibrated) -> Parcels:
        from frustration.cloud import bundle

        return cls(
            code=bundle.code_files(),
            data=bundle.data_files(work.study.datasets),
            wheels=flags.wheels(options, settings),
        )

    @cached_property
    def digests(self) -> Uploaded:
        from frustration.cloud.bundle import digest
        from frustration.cloud.request import Uploaded

        return Uploaded(code=digest({**self.code, "wheels": self.wheels.identity}), data=digest(self.data))

    def by_folder(self, place: Place, say: Callable[[str], None]) -> list[tuple[str, dict[str, bytes]]]:
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
