"""The expected cost of a launch, on the chosen instance and on others beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from frustration.cloud.packing import Machine

PUBLISHED = "588 jobs, 869.5 billed hours of ml.g4dn.xlarge, $640.32 at $0.7364 an hour"
"""What the published run of the grid took, with one job for each architecture and mode."""


@dataclass(frozen=True, kw_only=True)
class Offer:
    """A study on one type of instance."""

    machine: Machine
    rate: Decimal
    """US dollars an hour."""
    jobs: int
    hours: float
    """Of all instances together."""
    elapsed: float
    """Hours from the first job's start to the last one's end, with the instances that the budget allows."""

    @property
    def dollars(self) -> Decimal:
        """At the on-demand rate; spot capacity costs less by what AWS grants that day."""
        return (self.rate * Decimal(self.hours)).quantize(Decimal("0.01"))


def offer(walls: Sequence[float], machine: Machine, rate: Decimal, instances: int) -> Offer:
    """For jobs of so many seconds."""
    return Offer(
        machine=machine,
        rate=rate,
        jobs=len(walls),
        hours=sum(walls) / 3600,
        elapsed=elapsed(walls, instances) / 3600,
    )


def spelt(rate: Decimal) -> str:
    """With cents at least: 0.80, 0.7364."""
    return f"{rate:.2f}" if rate == round(rate, 2) else f"{rate:f}"


def elapsed(walls: Sequence[float], instances: int) -> float:
    """When the last of these jobs ends if each starts as soon as an instance is free."""
    ends = [0.0] * max(1, instances)
    for wall in sorted(walls, reverse=True):
        ends[ends.index(min(ends))] += wall
    return max(ends)


def gpu_pays_above(cpu: Offer, gpu: Offer) -> float:
    """How many cores of the planning machine the GPU has to replace to be cheaper than the CPU offer."""
    core_hours_per_dollar = cpu.machine.cores * cpu.machine.speed / float(cpu.rate)
    return core_hours_per_dollar * float(gpu.rate)


def table(offers: Sequence[Offer]) -> str:
    """One row for every offer."""
    from tabulate import tabulate

    rows = [
        [
            one.machine.instance_type,
            one.machine.cores,
            one.jobs,
            f"{one.hours:.2f}",
            f"{one.elapsed:.2f}",
            f"${spelt(one.rate)}",
            f"${one.dollars}",
        ]
        for one in offers
    ]
    headers = ["instance", "cores", "jobs", "instance hours", "hours from first to last"]
    return tabulate(rows, [*headers, "an hour", "on demand"], disable_numparse=True)
