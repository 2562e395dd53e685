"""An estimate is measured here, covers every trial, and is skipped where it would cost too much."""

import pytest
from study_kit import ran, tiny

from frustration.study.estimate import Cost, Estimate, estimate, worth_measuring
from frustration.study.presets import preset
from frustration.study.run import prepare


@pytest.fixture(scope="module")
def measured():
    prepared = prepare(tiny(train_fraction="0.1", meta_loops="4"))
    seen = []
    found = estimate(prepared, prepared.groups, 2, lambda *at: seen.append(at))
    assert seen[-1] == (len(prepared.groups), len(prepared.groups))
    return prepared, found


def test_every_trial_has_a_cost(measured):
    prepared, found = measured
    assert found.by_trial().keys() == {spec.id for spec in prepared.specs}
    assert all(cost > 0 for cost in found.by_trial().values())
    assert found.by_architecture().keys() == {"[1*2]", "[1*4]"}
    assert sum(found.by_trial().values()) == pytest.approx(found.core_seconds)


def test_time_and_disk_are_of_the_right_size(measured, tmp_path):
    prepared, found = measured
    store, _ = ran(tmp_path / "tiny", prepared.study)
    took = sum(record.seconds for record in store.records())
    assert took / 4 < found.core_seconds < took * 4  # measured, on a machine that may be busy
    files = [path for name in ("trials", "networks") for path in (store.root / name).rglob("*.*")]
    disk = sum(path.stat().st_size for path in files)
    assert disk / 4 < found.disk < disk * 4


def test_wall_time_is_that_of_the_longest_worker():
    costs = tuple(
        Cost(architecture="[1*2]", ids=(str(n),), seconds=s, memory=10 * n, disk=1)
        for n, s in enumerate((4.0, 3.0, 3.0, 2.0))
    )
    assert [Estimate(costs=costs, workers=n).wall_seconds for n in (1, 2, 4)] == [12.0, 6.0, 4.0]
    assert [Estimate(costs=costs, workers=n).memory for n in (1, 2)] == [30, 50]


def test_small_studies_are_not_measured_and_large_ones_are(measured):
    prepared, _ = measured
    assert not worth_measuring(prepared.groups, prepared.data)
    large = prepare(preset("quickstart"))
    assert worth_measuring(large.groups, large.data)


def test_every_kind_of_group_is_measured_on_the_network_and_the_data_that_it_trains(monkeypatch):
    measured = []

    def stopwatch(group, data, backend):
        planned = group.first
        samples = len(data.of(planned.spec).train.labels)
        measured.append((str(planned.shape.architecture), samples, planned.spec.updates))
        return 1.0

    monkeypatch.setattr("frustration.study.estimate.seconds_per_loop", stopwatch)
    study = tiny(
        modes='["plain", "wide@1", "plain/equal-updates"]',
        architectures='["[1*2]"]',
        train_fraction="[0.04, 0.02]",
    )
    prepared = prepare(study)
    estimate(prepared, prepared.groups, 1)
    assert set(measured) == {
        (architecture, samples, updates)
        for samples in (2_000, 1_000)
        for architecture, updates in (("[1*2]", "epochs"), ("[1*4]", "epochs"), ("[1*2]", "equal-updates"))
    }
