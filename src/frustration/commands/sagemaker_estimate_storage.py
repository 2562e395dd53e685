"""sagemaker-estimate-storage: what is stored in S3, by study and kind, and what it costs a month."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from frustration.commands.arguments import real
from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, cloud_of

if TYPE_CHECKING:
    from frustration.cloud.storage import StorageUsage, Usage


MORE = """\
One listing counts everything under S3_PREFIX: archives, checkpoints, plans, code and data that studies
share, whatever else is there, old versions, and uploads that were never finished. The last two are easy
to overlook and are billed.

The price of storage is yours to give: none comes with the program. A GiB is 2^30 bytes.

examples:
  sagemaker-estimate-storage
  sagemaker-estimate-storage paper-98 --price-gib-month USD --json"""


class StorageOptions(InCloud):
    """Count the objects of studies in S3, their size, and their cost per month."""

    command = "sagemaker-estimate-storage"
    epilog = MORE

    study: str | None = argument("only what belongs to this one alone", None, metavar="STUDY")
    price_gib_month: float | None = option("for one GiB and one month", read=real(0), metavar="USD")
    json: bool = option("print JSON", False)


def _estimate(options: StorageOptions) -> int:
    from frustration.cloud.storage import measure
    from frustration.terminal.bar import Bar

    cloud = cloud_of(options)
    cloud.say_remarks()
    under = f"studies/{options.study}/" if options.study else ""
    with Bar("objects") as bar:
        usage = measure(cloud.s3, cloud.settings.bucket, cloud.under, under, lambda done: bar.at(done, done))
    where = f"s3://{cloud.settings.bucket}/{cloud.under}{under}"
    if options.json:
        print(json.dumps(_report(usage, where, options.price_gib_month), indent=1))
    else:
        _say(usage, where, options.price_gib_month)
    return 0


def _report(usage: StorageUsage, where: str, price: float | None) -> dict[str, Any]:
    total = usage.total
    return {
        "where": where,
        "objects": total.objects,
        "bytes": total.bytes,
        "usd_per_month": None if price is None else round(_gib(total) * price, 6),
        "usd_per_gib_month": price,
        "kinds": [
            {"study": study or None, "kind": kind, **vars(part)}
            for (study, kind), part in sorted(usage.kinds.items())
        ],
        "old_versions": _as_json(usage.old_versions),
        "unfinished_uploads": _as_json(usage.unfinished),
    }


def _as_json(part: Usage | None) -> dict[str, int] | None:
    return None if part is None else vars(part)


def _say(usage: StorageUsage, where: str, price: float | None) -> None:
    from tabulate import tabulate

    total = usage.total
    if not total.objects:
        print(f"there is nothing in {where}")
        return
    kinds = sorted(usage.kinds.items(), key=lambda item: -item[1].bytes)
    rows = [_row(study or "-", kind, part, total) for (study, kind), part in kinds]
    for what, extra in (("old versions", usage.old_versions), ("unfinished uploads", usage.unfinished)):
        if extra is None:
            rows.append(["-", what, "may not be seen", "", ""])
        elif extra.objects:
            rows.append(_row("-", what, extra, total))
    rows.append(_row("", "all", total, total))
    print(where)
    print(tabulate(rows, ["study", "what", "objects", "MiB", "share"], disable_numparse=True))
    if price is None:
        print("its price: give --price-gib-month, what one GiB costs a month in your region")
    else:
        print(f"${_gib(total) * price:,.4f} a month at ${price:g} for a GiB")


def _row(study: str, kind: str, part: Usage, total: Usage) -> list[str]:
    share = f"{100 * part.bytes / total.bytes:.1f} %" if total.bytes else "-"
    return [study, kind, f"{part.objects:,}", f"{part.bytes / 2**20:,.3f}", share]


def _gib(part: Usage) -> float:
    return part.bytes / 2**30


main = command(StorageOptions, _estimate)
