"""sagemaker-estimate-storage: what is stored in S3, by study and kind, and what it costs a month."""

from __future__ import annotations

import json

from frustration.commands.arguments import real
from frustration.commands.options import argument, command, option
from frustration.commands.sagemaker_flags import InCloud, cloud_of

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
    from frustration.terminal.cloud_costs import storage

    cloud = cloud_of(options)
    cloud.say_remarks()
    under = f"studies/{options.study}/" if options.study else ""
    with Bar("objects") as bar:
        usage = measure(cloud.s3, cloud.settings.bucket, cloud.under, under, lambda done: bar.at(done, done))
    where = f"s3://{cloud.settings.bucket}/{cloud.under}{under}"
    price = options.price_gib_month
    if options.json:
        print(json.dumps({"where": where, **usage.to_dict(price)}, indent=1))
    else:
        print(*storage(usage, where, price), sep="\n")
    return 0


main = command(StorageOptions, _estimate)
