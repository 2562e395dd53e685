"""The cost of jobs: billable seconds x instances x the rate of their type.

Billable seconds are the service's own, with the saving of spot capacity in them. A job that runs has none
yet; what it has cost so far is guessed from the clock and kept apart, as is what is still planned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from frustration.cloud.describe import Facts
from frustration.cloud.prices import Price

SCHEMA = 1
NOTHING = Decimal(0)
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
            return NOTHING if self.facts.started is None and not self.facts.runs else None
        return self._dollars(seconds + self.facts.retained_seconds)

    @property
    def saved_usd(self) -> Decimal:
        """By spot capacity, where the service says both how long it trained and what it bills."""
        seconds, usd = self.facts.training_seconds, self.usd
        if not self.facts.spot or seconds is None or usd is None:
            return NOTHING
        return self._dollars(seconds) - usd

    def so_far_usd(self, now: datetime) -> Decimal:
        """Of a job without a bill yet: the time since it started, at the full rate; spot will cost less."""
        if not self.facts.runs or self.facts.started is None or self.usd is not None:
            return NOTHING
        return self._dollars(max(0.0, (now - self.facts.started).total_seconds()))

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
            "usd": None if self.usd is None else _text(self.usd),
            "created": _time(facts.created),
            "ended": facts.ended and _time(facts.ended),
        }

    def _dollars(self, seconds: float) -> Decimal:
        return Decimal(seconds) * self.facts.instances * self.price.usd_per_hour / 3600


def report(
    names: Iterable[str],
    described: Mapping[str, Facts],
    price_of: PriceOf,
    planned_seconds: Sequence[float] | None = None,
    planned_type: str = "",
) -> dict[str, Any]:
    """What these jobs have cost, as JSON values; dollars are texts, so that no digit is lost.

    `planned_seconds`: of each pack that is still to be done, on one instance of `planned_type`; None where
    there is no plan. What jobs cost that the service does not know (any more) is not in the sum.
    """
    now, names = datetime.now(UTC), list(dict.fromkeys(names))
    known = [described[name] for name in names if name in described]
    made = (JobCost(facts=facts, price=price_of(facts.instance_type)) for facts in known)
    jobs = sorted(made, key=lambda one: (-(one.usd or NOTHING), one.facts.name))
    by_status: dict[str, list[JobCost]] = {}
    for one in jobs:
        by_status.setdefault(one.facts.status, []).append(one)
    walls = planned_seconds or ()
    rate = price_of(planned_type).usd_per_hour if walls else NOTHING
    ends = [facts.ended for facts in known if facts.ended]
    span = max(ends) - min(facts.created for facts in known) if ends and len(ends) == len(known) else None
    return {
        "schema": SCHEMA,
        "as_of": _time(now),
        "usd": _sum(one.usd for one in jobs),
        "usd_so_far_of_running_jobs": _sum(one.so_far_usd(now) for one in jobs),
        "usd_saved_by_spot": _sum(one.saved_usd for one in jobs),
        "usd_planned": None if planned_seconds is None else _text(Decimal(sum(walls) / 3600) * rate),
        "planned_packs": len(walls),
        "planned_instance_hours": round(sum(walls) / 3600, 4),
        "billed_instance_hours": round(
            sum((facts.billable_seconds or 0) * facts.instances for facts in known) / 3600, 4
        ),
        "hours_from_first_to_last": None if span is None else round(span.total_seconds() / 3600, 4),
        "by_status": {
            status: {"jobs": len(of), "usd": _sum(one.usd for one in of)} for status, of in by_status.items()
        },
        "prices": [price.to_dict() for price in {one.price.instance: one.price for one in jobs}.values()],
        "unknown_jobs": [name for name in names if name not in described],
        "jobs_without_billable_time": [
            one.facts.name for one in jobs if one.usd is None and not one.facts.runs
        ],
        "jobs": [one.to_dict() for one in jobs],
    }


def _sum(dollars: Iterable[Decimal | None]) -> str:
    return _text(sum((one or NOTHING for one in dollars), NOTHING))


def _text(usd: Decimal) -> str:
    return str(usd.quantize(Decimal("0.000001")))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds")
