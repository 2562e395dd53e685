"""The cost of jobs: billable seconds x instances x the rate of their type.

Billable seconds are the service's own, with the saving of spot capacity in them. A job that runs has none
yet; what it has cost so far is guessed from the clock and kept apart, as is what is still planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from frustration.cloud.describe import Facts
from frustration.cloud.jobs import RUNNING
from frustration.cloud.prices import Price

SCHEMA = 1
PriceOf = Callable[[str], Price]
"""The price of an instance type in the region of the jobs; InputError where it is not known."""


@dataclass(frozen=True, kw_only=True)
class JobCost:
    """One job."""

    facts: Facts
    price: Price

    @property
    def usd(self) -> Decimal | None:
        """None where the service does not say (yet) what it bills; a job that never started costs nothing."""
        seconds = self.facts.billable_seconds
        if seconds is None:
            never = self.facts.started is None and self.facts.status not in RUNNING
            return Decimal(0) if never else None
        return _dollars(seconds + self.facts.retained_seconds, self.facts, self.price)

    @property
    def on_demand_usd(self) -> Decimal | None:
        """What its training time would have cost without spot capacity."""
        seconds = self.facts.training_seconds
        return None if seconds is None else _dollars(seconds, self.facts, self.price)

    def so_far(self, now: datetime) -> Decimal:
        """Of a running job: the time since it started, at the full rate; spot capacity will cost less."""
        if self.facts.status not in RUNNING or self.facts.started is None:
            return Decimal(0)
        return _dollars(max(0.0, (now - self.facts.started).total_seconds()), self.facts, self.price)

    def to_dict(self) -> dict[str, Any]:
        facts = self.facts
        return {
            "job": facts.name,
            "status": facts.status,
            "instance_type": facts.instance_type,
            "instances": facts.instances,
            "spot": facts.spot,
            "interruptions": facts.interruptions,
            "training_seconds": facts.training_seconds,
            "billable_seconds": facts.billable_seconds,
            "retained_seconds": facts.retained_seconds,
            "usd_per_hour": str(self.price.usd_per_hour),
            "usd": _text(self.usd),
            "created": _time(facts.created),
            "ended": _time(facts.ended),
        }


@dataclass(frozen=True, kw_only=True)
class CostReport:
    """All jobs that were asked about."""

    jobs: tuple[JobCost, ...]
    unknown: tuple[str, ...]
    """Names that the service does not know: what they cost is not in the sum."""
    planned_usd: Decimal | None = None
    """Of the packs that are neither done nor running; None where there is no plan."""
    planned_hours: float = 0.0
    planned_packs: int = 0
    now: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def unbilled(self) -> tuple[JobCost, ...]:
        """Jobs that ended and for which the service reports no billable time."""
        return tuple(one for one in self.jobs if one.usd is None and one.facts.status not in RUNNING)

    @property
    def running(self) -> tuple[JobCost, ...]:
        return tuple(one for one in self.jobs if one.facts.status in RUNNING)

    @property
    def usd(self) -> Decimal:
        return sum((one.usd or Decimal(0) for one in self.jobs), Decimal(0))

    @property
    def so_far_usd(self) -> Decimal:
        return sum((one.so_far(self.now) for one in self.jobs if one.usd is None), Decimal(0))

    @property
    def instance_hours(self) -> float:
        """Billed ones."""
        return sum((one.facts.billable_seconds or 0) * one.facts.instances for one in self.jobs) / 3600

    @property
    def saved_usd(self) -> Decimal:
        """By spot capacity, where both numbers are known."""
        pairs = [(one.on_demand_usd, one.usd) for one in self.jobs if one.facts.spot]
        return sum((full - paid for full, paid in pairs if full is not None and paid is not None), Decimal(0))

    @property
    def span_hours(self) -> float | None:
        """From the first job's creation to the last one's end; None while any runs."""
        ends = [one.facts.ended for one in self.jobs]
        if not ends or None in ends:
            return None
        last = max(end for end in ends if end is not None)
        return (last - min(one.facts.created for one in self.jobs)).total_seconds() / 3600

    def by_status(self) -> dict[str, tuple[int, Decimal]]:
        """Status -> (jobs, dollars)"""
        found: dict[str, tuple[int, Decimal]] = {}
        for one in self.jobs:
            count, usd = found.get(one.facts.status, (0, Decimal(0)))
            found[one.facts.status] = count + 1, usd + (one.usd or Decimal(0))
        return found

    def to_dict(self) -> dict[str, Any]:
        """The report as JSON values; dollars are texts, so that no digit is lost."""
        prices = {one.price.instance: one.price for one in self.jobs}
        return {
            "schema": SCHEMA,
            "as_of": _time(self.now),
            "usd": _text(self.usd),
            "usd_so_far_of_running_jobs": _text(self.so_far_usd),
            "usd_saved_by_spot": _text(self.saved_usd),
            "usd_planned": _text(self.planned_usd),
            "planned_packs": self.planned_packs,
            "planned_instance_hours": round(self.planned_hours, 4),
            "billed_instance_hours": round(self.instance_hours, 4),
            "hours_from_first_to_last": None if self.span_hours is None else round(self.span_hours, 4),
            "by_status": {
                status: {"jobs": count, "usd": _text(usd)}
                for status, (count, usd) in self.by_status().items()
            },
            "prices": [price.to_dict() for price in prices.values()],
            "unknown_jobs": list(self.unknown),
            "jobs_without_billable_time": [one.facts.name for one in self.unbilled],
            "jobs": [one.to_dict() for one in self.jobs],
        }


def report(
    names: Iterable[str],
    described: Mapping[str, Facts],
    price_of: PriceOf,
    planned_seconds: Iterable[float] | None = None,
    planned_type: str = "",
) -> CostReport:
    """`planned_seconds`: of each pack that is still to be done, on one instance of `planned_type`."""
    names = list(dict.fromkeys(names))
    jobs = [
        JobCost(facts=described[name], price=price_of(described[name].instance_type))
        for name in names
        if name in described
    ]
    walls = None if planned_seconds is None else list(planned_seconds)
    hours = sum(walls or ()) / 3600
    return CostReport(
        jobs=tuple(sorted(jobs, key=lambda one: (-(one.usd or Decimal(0)), one.facts.name))),
        unknown=tuple(name for name in names if name not in described),
        planned_usd=None
        if walls is None
        else Decimal(hours) * price_of(planned_type).usd_per_hour
        if walls
        else Decimal(0),
        planned_hours=hours,
        planned_packs=len(walls or ()),
    )


def _dollars(seconds: float, facts: Facts, price: Price) -> Decimal:
    return Decimal(seconds) * facts.instances * price.usd_per_hour / 3600


def _text(usd: Decimal | None) -> str | None:
    return None if usd is None else str(usd.quantize(Decimal("0.000001")))


def _time(moment: datetime | None) -> str | None:
    return None if moment is None else moment.astimezone(UTC).isoformat(timespec="seconds")
