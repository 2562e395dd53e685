"""Every request of the published grid keeps AWS's own limits, and the checker sees what would not."""

from dataclasses import replace

import launch_kit as kit
import pytest
from simulator.limits import problems

from frustration.cloud.place import Place
from frustration.cloud.plan import Pack
from frustration.cloud.request import Uploaded, request
from frustration.study.presets import preset

UPLOADED = Uploaded(code="0123456789abcdef", data="fedcba9876543210")
SETTINGS = replace(kit.SETTINGS, image="")


def asked(pack: Pack, place: Place, attempt: int = 1, **changed):
    settings = replace(SETTINGS, **changed)
    return request(settings, place, pack, attempt, UPLOADED, checkpoint_seconds=60.0)


def one_pack_a_cell() -> tuple[Place, list[Pack]]:
    """As the original's jobs were: one for each architecture and mode."""
    grid = preset("paper-98")
    place = Place(kit.BUCKET, "experiments", grid.name)
    cells: dict[tuple[str, str], list[str]] = {}
    for spec in grid.specs({("mnist", 1.0): "digest"}):
        cells.setdefault((str(spec.architecture), spec.label), []).append(spec.id)
    packs = [
        Pack(id=place.pack_id(trials), trials=tuple(trials), core_seconds=1.0, wall_seconds=1.0)
        for trials in cells.values()
    ]
    return place, packs


@pytest.mark.parametrize("spot", [True, False])
def test_all_588_cells_of_the_published_grid_are_within_the_limits(spot):
    place, packs = one_pack_a_cell()
    requests = [asked(pack, place, spot=spot) for pack in packs]
    assert len({one["TrainingJobName"] for one in requests}) == 588
    assert {
        name: wrong for one in requests if (wrong := broken(one)) for name in [one["TrainingJobName"]]
    } == {}


def broken(request) -> list[str]:
    return problems("sagemaker", "CreateTrainingJob", request)


def test_the_longest_name_of_a_study_gives_a_legal_job():
    place = Place("b" * 63, "p" * 200, "A" + "._" * 49 + "z")
    pack = Pack(id=place.pack_id(["t"]), trials=("t",), core_seconds=1, wall_seconds=1)
    assert broken(asked(pack, place, attempt=99)) == []
    assert len(place.job_name(pack.id, 99)) <= 63


@pytest.mark.parametrize(
    "path, value, said",
    [
        ("TrainingJobName", "a" * 64, "above 63"),
        ("TrainingJobName", "under_score", "does not match"),
        ("RoleArn", "not-an-arn", "RoleArn"),
        ("EnableManagedSpotTraining", None, ""),
        ("HyperParameters", {"arch": "x" * 2501}, "above 2500"),
        ("HyperParameters", {f"p{n}": "1" for n in range(101)}, "above 100"),
        ("Tags", [{"Key": "arch", "Value": "1*4"}], "does not match"),
        ("Tags", [{"Key": f"k{n}", "Value": "v"} for n in range(51)], "above 50"),
        ("Surprise", 1, "unknown"),
    ],
)
def test_the_checker_sees_what_the_service_would_refuse(path, value, said):
    place, packs = one_pack_a_cell()
    good = asked(packs[0], place)
    if value is None:
        bad = {name: one for name, one in good.items() if name != "ResourceConfig"}
        bad["ResourceConfig"] = {**good["ResourceConfig"], "InstanceType": "ml.none.such"}
        said = "none of the values"
    else:
        bad = {**good, path: value}
    assert broken(good) == []
    assert any(said in problem for problem in broken(bad)), broken(bad)
