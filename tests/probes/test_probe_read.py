"""All probe files of a study as arrays: one row a network, NaN where nothing was measured."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
from probe_kit import QUICK, measure, probed

from frustration.probes.read import SCALARS, read_probes
from frustration.probes.settings import FRACTIONS, SEVERITIES, SIGMAS, Wanted
from frustration.study.probe_files import ProbeFiles
from frustration.study.store import Store


@pytest.fixture(scope="module")
def measured(finished, tmp_path_factory) -> Store:
    root = tmp_path_factory.mktemp("measured") / "small"
    shutil.copytree(finished.root, root)
    probed(Store(root))
    return Store(root)


@pytest.fixture
def copy(measured, tmp_path) -> Store:
    shutil.copytree(measured.root, tmp_path / "small")
    return Store(tmp_path / "small")


def test_every_number_is_where_it_belongs(measured):
    probes = read_probes(measured.root)
    assert (len(probes), probes.problems) == (12, ())
    assert probes.ids == tuple(sorted(measured.ids()[0]))
    assert probes.knockout.levels.tolist() == list(FRACTIONS)
    assert probes.weight_noise.levels.tolist() == list(SIGMAS)
    assert {name: list(curves.levels) for name, curves in probes.corruptions.items()} == {
        name: list(levels) for name, levels in SEVERITIES.items()
    }
    assert set(probes.scalars) == set(SCALARS)
    knockout, corruptions = measure(measured, "knockout"), measure(measured, "corruptions")
    latency, layers = measure(measured, "latency"), measure(measured, "representation")
    for row, trial_id in enumerate(probes.ids):
        record = measured.record(trial_id)
        assert probes.architecture[row] == str(record.spec.architecture)
        assert (probes.mode[row], probes.trial[row]) == (record.spec.label, record.spec.trial)
        assert probes.scalars["test_accuracy"][row] == record.test_accuracy
        assert probes.knockout.accuracy[row].tolist() == knockout[trial_id]["accuracy"]
        assert probes.knockout.std[row].tolist() == knockout[trial_id]["std"]
        assert probes.scalars["knockout_area"][row] == knockout[trial_id]["area"]
        assert probes.corruptions["blur"].accuracy[row].tolist() == corruptions[trial_id]["accuracy"]["blur"]
        assert probes.scalars["corruption_blur"][row] == pytest.approx(
            np.mean(corruptions[trial_id]["accuracy"]["blur"])
        )
        assert probes.scalars["latency_256_us"][row] == latency[trial_id]["median_us"][1]
        dead, units = sum(layers[trial_id]["dead"]), sum(layers[trial_id]["units"])
        assert probes.scalars["dead"][row] == pytest.approx(100 * dead / units)


def test_pairs_agree_in_everything_but_the_mode(measured):
    probes = read_probes(measured.root)
    treated, control = probes.pairs("hidden")
    assert len(treated) == len(control) == 4
    assert set(probes.mode[treated]) == {"hidden"}
    assert set(probes.mode[control]) == {"none"}
    assert (probes.architecture[treated] == probes.architecture[control]).all()
    assert (probes.trial[treated] == probes.trial[control]).all()
    same, as_control = probes.pairs("hidden:dose=0")  # the control to the bit
    for name in ("knockout_area", "weight_noise_area", "corruption_mean", "ece", "effective_rank"):
        assert (probes.scalars[name][same] == probes.scalars[name][as_control]).all()
    assert [len(rows) for rows in probes.pairs("no such mode")] == [0, 0]


def test_what_was_not_measured_is_nan(store):
    probed(store, Wanted.of(["calibration"]))
    probes = read_probes(store.root)
    assert np.isfinite(probes.scalars["ece"]).all()
    assert np.isnan(probes.scalars["knockout_area"]).all()
    assert probes.knockout.accuracy.shape == (12, 0)
    assert set(probes.settings) == {"calibration"}


def test_networks_measured_otherwise_than_most_are_left_out_and_named(copy):
    files = ProbeFiles(copy.root)
    odd = files.ids()[3]
    content = json.loads(files.path(odd).read_text())
    content["measures"]["knockout"]["settings"]["draws"] = 7
    del content["sha256"]
    files.path(odd).write_text(json.dumps(content))
    probes = read_probes(copy.root)
    (problem,) = probes.problems
    assert "knockout of 1 of 12 networks" in problem
    assert np.isnan(probes.knockout.accuracy).any(1).tolist() == [one == odd for one in probes.ids]
    assert np.isnan(probes.scalars["knockout_area"]).sum() == 1
    assert np.isfinite(probes.scalars["ece"]).all()
    probed(copy, QUICK)
    assert read_probes(copy.root).problems == ()


def test_a_torn_file_is_a_sentence_and_the_rest_is_read(copy):
    files = ProbeFiles(copy.root)
    path = files.path(files.ids()[0])
    path.write_text(path.read_text()[:100])
    probes = read_probes(copy.root)
    assert len(probes) == 11
    (problem,) = probes.problems
    assert f"{path} is torn" in problem


def test_a_file_that_was_copied_from_another_trial_is_a_sentence_and_no_row(copy):
    files = ProbeFiles(copy.root)
    one, other, *_ = files.ids()
    shutil.copy(files.path(one), files.path(other))
    probes = read_probes(copy.root)
    assert len(probes) == 11
    assert probes.problems == (
        f"{files.path(other)} is about another trial than the one that it is named after",
    )


def test_a_study_that_was_not_probed_has_no_rows(store):
    probes = read_probes(store.root)
    assert (len(probes), probes.problems, dict(probes.settings)) == (0, (), {})
    assert probes.knockout.accuracy.shape == (0, 0)


def test_reading_imports_no_torch(measured):
    program = (
        "import sys; from pathlib import Path; from frustration.probes.read import read_probes; "
        f"print(len(read_probes(Path({str(measured.root)!r}))), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "12 False\n"
