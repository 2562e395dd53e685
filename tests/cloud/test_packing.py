"""Packs: the fewest that keep to the budget of hours and instances."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration.cloud.estimator import Offer
from frustration.cloud.instances import cores, default_image, image_of, is_gpu, python_of
from frustration.cloud.packing import Budget, Machine, as_packs, divide, pack_costs
from frustration.cloud.place import Place
from frustration.cloud.settings import Settings
from frustration.errors import InputError
from frustration.study.estimate import Cost

PLACE = Place("bench", "frustration", "away")


def groups(*seconds: float) -> list[Cost]:
    return [
        Cost(architecture=f"[1*{number + 1}]", ids=(f"{number:016x}",), seconds=float(one), memory=0, disk=0)
        for number, one in enumerate(seconds)
    ]


def machine(count: int = 1, speed: float = 1.0) -> Machine:
    return Machine(instance_type="ml.c5.xlarge", cores=count, speed=speed)


def budget(hours: float = 1.0, instances: int = 100, longest: float = math.inf) -> Budget:
    return Budget(hours=hours, instances=instances, longest_seconds=longest)


def walls(packs, on=None) -> list[float]:
    return [(on or machine()).wall_seconds(pack) for pack in packs]


def test_what_fits_into_one_job_is_one_job():
    assert len(pack_costs(groups(*[30] * 100), machine(), budget())) == 1


def test_a_tighter_budget_of_hours_gives_more_jobs_and_a_faster_machine_fewer():
    costs = groups(*[600] * 30)
    assert len(pack_costs(costs, machine(), budget(hours=1))) == 5
    assert len(pack_costs(costs, machine(), budget(hours=0.5))) == 10
    assert len(pack_costs(costs, machine(count=5), budget(hours=0.5))) == 2
    assert len(pack_costs(costs, machine(speed=5.0), budget(hours=0.5))) == 2


def test_where_no_number_of_instances_keeps_to_the_hours_all_of_them_work():
    packs = pack_costs(groups(*[600] * 30), machine(), budget(hours=0.1, instances=4))
    assert len(packs) == 4
    assert max(walls(packs)) <= 8 * 600


def test_no_job_is_longer_than_the_service_lets_it_run():
    packs = pack_costs(groups(*[600] * 30), machine(), budget(hours=100, instances=1, longest=1300))
    assert max(walls(packs)) <= 1300


def test_a_group_that_is_too_long_for_any_job_does_not_scatter_the_others():
    packs = pack_costs(groups(5000, *[100] * 40), machine(), budget(hours=100, longest=1300))
    assert len(packs) == 2
    assert max(walls(packs)) == 5000


@given(st.lists(st.floats(1, 1e4), min_size=1, max_size=60), st.integers(1, 20), st.integers(1, 8))
def test_every_group_is_in_exactly_one_pack_and_none_is_overloaded(seconds, instances, count):
    on, costs = machine(count), groups(*seconds)
    packs = pack_costs(costs, on, budget(hours=0.5, instances=instances))
    packed = sorted(cost.ids for pack in packs for cost in pack)
    assert packed == sorted(cost.ids for cost in costs)
    assert 1 <= len(packs) <= min(instances, len(costs))
    # Longest first is never worse than the mean and one whole group on top of it.
    assert max(sum(c.seconds for c in pack) for pack in packs) <= sum(seconds) / len(packs) + max(seconds)


def test_the_same_groups_make_the_same_packs_in_whatever_order_they_come():
    costs = groups(5, 3, 9, 9, 1, 7)
    one, other = (as_packs(divide(c, 3), machine(), PLACE) for c in (costs, costs[::-1]))
    assert one == other
    assert [pack.wall_seconds for pack in one] == sorted((p.wall_seconds for p in one), reverse=True)


def test_a_pack_is_named_after_its_trials_and_where_they_go():
    assert PLACE.pack_id(["a", "b"]) == PLACE.pack_id(["b", "a"])
    others = [
        Place("other", "frustration", "away"),
        Place("bench", "", "away"),
        Place("bench", "frustration", "b"),
    ]
    names = {PLACE.pack_id(["a"]), PLACE.pack_id(["b"]), *(one.pack_id(["a"]) for one in others)}
    assert len(names) == 5


def test_dollars_are_hours_of_all_instances_at_their_rate():
    from decimal import Decimal

    made = Offer.of([3600.0, 7200.0, 1800.0], machine(), Decimal("0.2"), instances=2)
    assert (made.jobs, made.hours, made.elapsed, made.dollars) == (3, 3.5, 2.0, Decimal("0.70"))
    assert Offer.of([60.0] * 5, machine(), Decimal("0.2"), instances=2).elapsed == 0.05


def test_a_gpu_pays_once_it_replaces_what_the_same_money_buys_in_cores():
    from decimal import Decimal

    cpu = Offer.of([3600.0], machine(8), Decimal("0.5"), 1)
    gpu = Offer.of([3600.0], machine(2), Decimal("1.5"), 1)
    assert cpu.gpu_pays_above(gpu) == 24


@pytest.mark.parametrize(
    "name, physical, gpu",
    [
        ("ml.c5.large", 1, False),
        ("ml.c5.4xlarge", 8, False),
        ("ml.m5.24xlarge", 48, False),
        ("ml.m7g.2xlarge", 8, False),
        ("ml.g4dn.xlarge", 2, True),
        ("ml.p3.2xlarge", 4, True),
        ("ml.t3.medium", 1, False),
    ],
)
def test_the_name_of_an_instance_says_its_cores(name, physical, gpu):
    assert (cores(name), is_gpu(name)) == (physical, gpu)


def test_what_a_name_does_not_say_is_asked_for():
    for name in ("c5.large", "ml.c5", "ml.c5.huge", "ml.c5.metal-24xl"):
        with pytest.raises(InputError):
            cores(name)
    with pytest.raises(InputError, match="SAGEMAKER_IMAGE"):
        default_image("moon-east-1", "ml.c5.large")
    with pytest.raises(InputError, match="--wheels"):
        python_of("mine:latest")


def test_the_sdk_is_asked_only_if_the_user_says_so(monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "sagemaker", None)
    settings = Settings(region="us-east-1", instance_type="ml.c5.large")
    assert image_of(settings) == default_image("us-east-1", "ml.c5.large")
    assert image_of(replace(settings, image="mine:1")) == "mine:1"
    with pytest.raises(InputError, match="poetry install --extras sagemaker"):
        image_of(replace(settings, image="sdk"))


def test_the_image_fits_the_region_and_the_instance():
    image = default_image("us-east-1", "ml.c5.large")
    assert image.endswith(".dkr.ecr.us-east-1.amazonaws.com/pytorch-training:2.9.0-cpu-py312")
    assert "-gpu-" in default_image("eu-south-1", "ml.g5.xlarge")
    assert python_of(image) == "3.12"
