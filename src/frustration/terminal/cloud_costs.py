"""What studies in the cloud cost, in words: their jobs, before and after, and what is stored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

from frustration.cloud.jobs import UNDER_WAY

if TYPE_CHECKING:
    from frustration.cloud.estimator import Offer
    from frustration.cloud.storage import StorageUsage, Usage

ROWS = 10


def costs(found: Mapping[str, Any]) -> Iterator[str]:
    """The report of `frustration.cloud.costs`."""
    jobs = found["jobs"]
    by_status = sorted(found["by_status"].items(), key=lambda item: -Decimal(item[1]["usd"]))
    rows = [[status, one["jobs"], _money(one["usd"])] for status, one in by_status]
    yield _table(rows, ["status", "jobs", "USD"]) if rows else "no job was launched"
    if jobs:
        yield f"\ncostliest of {len(jobs):,}:"
        heads = ["job", "status", "instance", "training s", "billable s", "USD"]
        yield _table([_row_of_job(one) for one in jobs[:ROWS]], heads)
    yield f"\nbilled: {_money(found['usd'])} for {found['billed_instance_hours']:,.2f} instance hours"
    if running := sum(one["status"] in UNDER_WAY for one in jobs):
        so_far = _money(found["usd_so_far_of_running_jobs"])
        yield (
            f"running: {running:,} jobs, at most about {so_far} so far "
            f"(the clock at the full rate; the bill follows when they end)"
        )
    if Decimal(found["usd_saved_by_spot"]):
        yield f"saved by spot capacity: {_money(found['usd_saved_by_spot'])}"
    if found["planned_packs"]:
        yield (
            f"still planned: {found['planned_packs']:,} packs, {found['planned_instance_hours']:,.2f} hours, "
            f"{_money(found['usd_planned'])} at the full rate"
        )
    if (span := found["hours_from_first_to_last"]) is not None:
        yield f"from the first job's creation to the last one's end: {span:,.2f} hours"
    yield from map(rate, found["prices"])
    for name in found["jobs_without_billable_time"]:
        yield f"{name} ended, but the service names no billable time: it is not in the sum"
    for name in found["unknown_jobs"]:
        yield f"{name}: the service knows no such job; what it cost is not in the sum"


def estimate(study: str, trials: int, offer: Offer, price: Mapping[str, str]) -> Iterator[str]:
    """What a study will cost."""
    yield f"{study}: {trials:,} trials"
    yield offers([offer])
    yield rate(price)
    yield "Hours follow from a calibration on this machine; starting up is not counted, spot costs less."


def offers(some: Sequence[Offer]) -> str:
    """A study on several types of instances."""
    rows = [
        [
            one.machine.instance_type,
            one.machine.cores,
            one.jobs,
            f"{one.hours:.2f}",
            f"{one.elapsed:.2f}",
            f"${with_cents(one.rate)}",
            f"${one.dollars}",
        ]
        for one in some
    ]
    heads = [
        "instance",
        "cores",
        "jobs",
        "instance hours",
        "hours from first to last",
        "an hour",
        "on demand",
    ]
    return _table(rows, heads)


def with_cents(rate: Decimal) -> str:
    """With cents at least: 0.80, 0.7364."""
    return f"{rate:.2f}" if rate == round(rate, 2) else f"{rate:f}"


def storage(usage: StorageUsage, where: str, price: float | None) -> Iterator[str]:
    """What is stored in S3, and what it costs a month at `price` for a GiB."""
    total = usage.total
    if not total.objects:
        yield f"there is nothing in {where}"
        return
    kinds = sorted(usage.kinds.items(), key=lambda item: -item[1].bytes)
    rows = [_row_of_kind(study or "-", kind, part, total) for (study, kind), part in kinds]
    for what, extra in (("old versions", usage.old_versions), ("unfinished uploads", usage.unfinished)):
        if extra is None:
            rows.append(["-", what, "may not be seen", "", ""])
        elif extra.objects:
            rows.append(_row_of_kind("-", what, extra, total))
    rows.append(_row_of_kind("", "all", total, total))
    yield where
    yield _table(rows, ["study", "what", "objects", "MiB", "share"])
    if price is None:
        yield "its price: give --price-gib-month, what one GiB costs a month in your region"
    else:
        yield f"${total.gib * price:,.4f} a month at ${price:g} for a GiB"


def rate(price: Mapping[str, str]) -> str:
    """A rate, and who says so."""
    dated = f", {price['as_of']}" if price["as_of"] else ""
    return f"rate: {price['instance_type']} ${price['usd_per_hour']} an hour ({price['source']}{dated})"


def _row_of_job(job: Mapping[str, Any]) -> list[str]:
    kind = job["instance_type"] + (f" x {job['instances']}" if job["instances"] > 1 else "")
    seconds = [
        "-" if job[one] is None else f"{job[one]:,}" for one in ("training_seconds", "billable_seconds")
    ]
    return [job["job"], job["status"], kind, *seconds, "-" if job["usd"] is None else _money(job["usd"])]


def _row_of_kind(study: str, kind: str, part: Usage, total: Usage) -> list[str]:
    share = f"{100 * part.bytes / total.bytes:.1f} %" if total.bytes else "-"
    return [study, kind, f"{part.objects:,}", f"{part.bytes / 2**20:,.3f}", share]


def _money(usd: str) -> str:
    amount = Decimal(usd)
    return f"${amount:,.2f}" if amount >= Decimal("0.01") or not amount else f"${amount:.6f}"


def _table(rows: Sequence[Sequence[Any]], heads: Sequence[str]) -> str:
    return tabulate(rows, heads, disable_numparse=True)
