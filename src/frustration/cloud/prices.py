"""Dollars per instance hour: a small dated table, overridden by the prices that the user gives.

There is no default: a price that nobody gave is an error, because a wrong one is worse than none.
`prices.json` names the source and the date of each of its rates.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from frustration.errors import InputError
from frustration.files import read_text

TABLE = Path(__file__).with_name("prices.json")
INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9-]+")
REGION = re.compile(r"[a-z]{2}(-[a-z]+)+-[0-9]+")

Overrides = Mapping[str, Decimal]
"""Dollars an hour by `ml.c7i.large`, for every region, or by `eu-west-1/ml.c7i.large`, for one."""


@dataclass(frozen=True, kw_only=True)
class Price:
    """One row of a price table."""

    region: str
    """Empty: every region."""
    instance: str
    usd_per_hour: Decimal
    source: str
    as_of: str

    def to_dict(self) -> dict[str, str]:
        return {
            "instance_type": self.instance,
            "usd_per_hour": str(self.usd_per_hour),
            "source": self.source,
            "as_of": self.as_of,
        }


def price(region: str, instance: str, overrides: Overrides | None = None) -> Price:
    """The rate with its source: what the user gave for this region, for every region, then the table."""
    given = overrides or {}
    for key in (f"{region}/{instance}", instance):
        if key in given:
            return Price(
                region=region, instance=instance, usd_per_hour=given[key], source="given by you", as_of=""
            )
    for row in table():
        if (row.region, row.instance) == (region, instance):
            return row
    raise InputError(
        f"the price of {instance} in {region} is not known; give it with --price {instance}=USD_PER_HOUR "
        f"or in a file with --prices"
    )


def table(path: Path = TABLE) -> tuple[Price, ...]:
    """All rows of a price table."""
    try:
        document = json.loads(read_text(path, "the prices"), parse_float=Decimal, parse_int=Decimal)
    except ValueError as error:
        raise InputError(f"the prices {path} are not JSON: {error}") from None
    rows = document.get("prices") if isinstance(document, dict) else None
    if not isinstance(rows, list):
        raise InputError(f'the prices {path} hold no list "prices"')
    return tuple(_row(row, f"{path}, price {number}") for number, row in enumerate(rows, start=1))


def overrides(flags: Iterable[str] = (), file: Path | None = None) -> dict[str, Decimal]:
    """What the user gave: `--price TYPE=USD` or `REGION/TYPE=USD` flags over the rows of a file."""
    found = {_key(row.region, row.instance): row.usd_per_hour for row in table(file)} if file else {}
    for flag in flags:
        name, equals, amount = flag.partition("=")
        region, _, instance = name.rpartition("/")
        if not equals or not INSTANCE.fullmatch(instance) or not _is_region(region):
            raise InputError(f'--price takes TYPE=USD_PER_HOUR, TYPE being like ml.c7i.large, not "{flag}"')
        found[_key(region, instance)] = _dollars(amount, f"--price {name}")
    return found


def _row(row: Any, where: str) -> Price:
    known = {"region", "instance", "usd_per_hour", "source", "as_of"}
    if not isinstance(row, dict) or not {"instance", "usd_per_hour"} <= row.keys() <= known:
        raise InputError(f"{where}: each has instance and usd_per_hour, and may have region, source, as_of")
    region, instance = row.get("region", ""), row["instance"]
    if not isinstance(instance, str) or not INSTANCE.fullmatch(instance):
        raise InputError(f"{where}: an instance is a name like ml.g4dn.xlarge, not {instance!r}")
    if not isinstance(region, str) or not _is_region(region):
        raise InputError(f"{where}: a region is a name like us-east-1, not {region!r}")
    return Price(
        region=region,
        instance=instance,
        usd_per_hour=_dollars(row["usd_per_hour"], where),
        source=str(row.get("source", "")),
        as_of=str(row.get("as_of", "")),
    )


def _dollars(value: Any, where: str) -> Decimal:
    try:
        amount = Decimal(value) if isinstance(value, str | Decimal) else Decimal("NaN")
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount < 0:
        raise InputError(f"{where}: dollars an hour are a number of 0 or more, not {value!r}")
    return amount


def _key(region: str, instance: str) -> str:
    return f"{region}/{instance}" if region else instance


def _is_region(region: str) -> bool:
    return not region or REGION.fullmatch(region) is not None
