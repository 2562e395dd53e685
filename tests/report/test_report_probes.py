"""Probes that lie beside the records are read, and compared in pairs."""

import json

import numpy as np
from report_kit import made, specs_of, study

from frustration.report.analysis import analyse
from frustration.report.probes import curve
from frustration.report.reading import read_study
from frustration.report.robustness import probe_sentences
from frustration.report.tables_of_costs import probes_table


def probed(tmp_path, without=()):
    """`hidden` loses less under knock-outs (by 5 points) and is worse calibrated (by 2)."""
    store = made(tmp_path / "s", study(trials=8))
    for spec in specs_of(study(trials=8)):
        if (spec.label, spec.trial) in without:
            continue
        better = 5.0 if spec.label == "hidden" else 0.0
        area = 60.0 + better + spec.trial / 10
        measures = {
            "knockout": {
                "settings": {"images": 100, "draws": 3, "fractions": [0.0, 0.5, 1.0]},
                "accuracy": [90.0, area, 10.0],
                "area": area,
            },
            "calibration": {"settings": {}, "ece": 1.0 + better / 2.5 + spec.trial / 50, "nll": None},
            "representation": {"units": [16, 16], "dead": [4, 4], "effective_rank": [3.0, 5.0]},
            "latency": {"median_us": [10.0 + spec.trial, 99.0]},
        }
        path = store.root / "probes" / spec.id[:2] / f"{spec.id}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"probe_schema": 1, "id": spec.id, "measures": measures}))
    return store


def findings(store):
    return {one.measure: one for one in analyse(read_study(store.root)).probes}


def test_the_area_under_the_knock_out_curve_is_tested_in_pairs(tmp_path):
    one = findings(probed(tmp_path))["knock-out area"]
    assert one.member.test.paired
    assert (one.member.finding, one.difference.value) == ("better", 5.0)


def test_more_of_what_is_bad_is_worse(tmp_path):
    store = probed(tmp_path)
    table = probes_table(analyse(read_study(store.root)))
    verdicts = {row[1]: row[-1] for row in table.rows}
    assert verdicts["knock-out area"] == "better"
    assert verdicts["ECE"] == "worse"


def test_the_first_screen_tells_who_withstands_more(tmp_path):
    sentences = list(probe_sentences(analyse(read_study(probed(tmp_path).root))))
    assert sentences == [
        "These are 2 families of tests, each at 0.05: chance alone gives a false claim in 0.1 of them.",
        "By the area under the knock-out curve, Holm within each of 1 architecture: "
        "`hidden` is above `none` in `[1*32]` (+5.00; +5.00 to +5.00).",
        "By expected calibration error, Holm within each of 1 architecture: "
        "`hidden` is above `none` in `[1*32]` (+2.00; +2.00 to +2.00).",
    ]


def test_networks_that_do_not_differ_are_called_identical_and_not_inert(tmp_path):
    assert findings(probed(tmp_path))["dead units"].verdict == "identical"


def test_measures_of_layers_become_one_number(tmp_path):
    found = findings(probed(tmp_path))
    assert found["dead units"].mean == 25.0
    assert found["effective rank"].mean == 4.0
    assert found["latency"].mean == 13.5
    assert "NLL" not in found


def test_a_network_without_a_probe_leaves_its_pair_out(tmp_path):
    assert findings(probed(tmp_path, without=[("none", 2)]))["knock-out area"].member.test.n == 7


def test_curves_have_a_row_for_every_trial(tmp_path):
    results = read_study(probed(tmp_path, without=[("none", 2)]).root)
    levels, accuracy = curve(results.cells[0], results.probes, "knockout")
    assert levels.tolist() == [0.0, 0.5, 1.0]
    assert accuracy.shape == (8, 3)
    assert np.isnan(accuracy[2]).all()


def test_a_torn_probe_is_named_and_the_rest_is_read(tmp_path):
    store = probed(tmp_path)
    path = next((store.root / "probes").glob("*/*.json"))
    path.write_text("{")
    results = read_study(store.root)
    assert [skipped.path for skipped in results.skipped] == [path]
    assert len(results.probes) == 15


def test_a_probe_of_a_newer_version_is_named_as_that(tmp_path):
    store = probed(tmp_path)
    path = next((store.root / "probes").glob("*/*.json"))
    path.write_text(path.read_text().replace('"probe_schema": 1', '"probe_schema": 2'))
    (skipped,) = read_study(store.root).skipped
    assert skipped.newer
    assert "schema 2" in skipped.reason
