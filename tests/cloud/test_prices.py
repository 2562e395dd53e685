"""A price has a source or comes from the user; an unknown one is an error and never a default."""

import json
from decimal import Decimal

import pytest

from frustration.cloud.prices import overrides, price, table
from frustration.errors import InputError

GPU = "ml.g4dn.xlarge"


def test_every_rate_of_the_table_is_dated_and_has_a_source():
    assert table()
    for row in table():
        assert row.source
        assert row.as_of
        assert row.region
        assert row.usd_per_hour > 0


def test_the_published_rate_gives_the_published_dollars():
    assert price("us-east-1", GPU).usd_per_hour == Decimal("0.7364")
    assert round(Decimal("869.5") * price("us-east-1", GPU).usd_per_hour) == 640


@pytest.mark.parametrize("region,instance", [("us-east-1", "ml.c7i.large"), ("eu-west-1", GPU)])
def test_an_unknown_type_or_region_is_an_error_that_says_how_to_give_it(region, instance):
    with pytest.raises(InputError, match=rf"{instance} in {region} is not known; give it with --price"):
        price(region, instance)


def test_what_the_user_gives_wins_and_a_region_wins_over_all_regions(tmp_path):
    file = tmp_path / "prices.json"
    file.write_text(json.dumps({"prices": [{"instance": "ml.c7i.large", "usd_per_hour": 0.25}]}))
    given = overrides([f"{GPU}=0.5", f"eu-west-1/{GPU}=0.75"], file)
    assert price("us-east-1", GPU, given).usd_per_hour == Decimal("0.5")
    assert price("eu-west-1", GPU, given).usd_per_hour == Decimal("0.75")
    assert price("eu-west-1", "ml.c7i.large", given).usd_per_hour == Decimal("0.25")
    assert price("us-east-1", GPU, given).source == "given by you"


@pytest.mark.parametrize(
    "flag", ["ml.c7i.large", "c7i.large=1", "ml.c7i.large=", "ml.c7i.large=-1", "ml.c7i.large=nan", "=1"]
)
def test_a_price_that_cannot_be_one_is_refused(flag):
    with pytest.raises(InputError, match="--price"):
        overrides([flag])


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        '{"prices": [{"instance": "ml.c7i.large"}]}',
        '{"prices": [{"instance": "ml.c7i.large", "usd_per_hour": true}]}',
        '{"prices": [{"instance": "ml.c7i.large", "usd_per_hour": 1, "currency": "EUR"}]}',
    ],
)
def test_a_file_of_prices_that_cannot_be_read_is_named(content, tmp_path):
    file = tmp_path / "mine.json"
    file.write_text(content)
    with pytest.raises(InputError, match=r"mine\.json"):
        overrides((), file)
