"""A treatment is credited with what it did, against its own control, and with nothing else."""

import json
import re

import numpy as np
import pytest
from report_kit import ONE, TWO, analysed, effects, made, specs_of, study
from synthetic import rewrite, write_study

from frustration.report.analysis import analyse
from frustration.report.reading import read_study
from frustration.report.sentences import plain_sentences
from frustration.report.tables_of_tests import cells_table, comparisons_table
from frustration.report.verdicts import effective_looks
from frustration.study import manifest


def said(store, part="helps", **options):
    results = read_study(store.root)
    return " ".join(getattr(plain_sentences(results, analyse(results, **options)), part))


def copied(store, grid, treated, control, trials):
    """Trials of `treated` become the control's to the bit; their record may say that they acted."""
    of = {(spec.label, spec.trial): spec for spec in specs_of(grid)}
    for trial in trials:
        source = json.loads(store.record_path(of[control, trial].id).read_text())
        kept = {name: source[name] for name in ("curve", "bounty", "bounty_loop", "test_accuracy")}
        rewrite(store, of[treated, trial], **kept)


def last_row(table):
    return dict(zip(table.headers, table.rows[-1], strict=True))


GROWTH = study("none", "plain", "dendrites", trials=9)


def test_what_plain_training_gives_is_not_credited_to_dendrites_that_never_grew(tmp_path):
    store = made(tmp_path / "s", GROWTH, plain=1.0, dendrites=1.0)
    copied(store, GROWTH, "dendrites", "plain", range(8))
    results = read_study(store.root)
    analysis = analyse(results)
    one = analysis.groups[0].comparisons["dendrites"]
    assert (one.control, one.idle, one.finding) == ("plain", 8, "mostly inert")
    assert not one.tested
    assert one.beside.control == "none"
    assert one.beside.test.p <= 0.01  # against `none` there is a difference: the ratchet's
    plain = plain_sentences(results, analysis)
    assert not re.search("raises|lowers|is above", " ".join((*plain.answer, *plain.helps)))
    assert "`dendrites` in `[1*32]` (8 of 9 trials)" in plain.answer[-1]
    assert "`dendrites` is inert in 8 of 9 trials, so its difference from `plain`" in said(store)
    assert "Beside `none`, which is not its control, `dendrites`: +" in said(store)
    row = last_row(comparisons_table(analysis))
    assert (row["treatment"], row["inert"], row["verdict"]) == ("dendrites", "8 of 9", "inert in 8 of 9")
    assert last_row(cells_table(analysis))["control"] == "plain"


def test_a_treatment_inert_in_a_few_trials_keeps_its_verdict_and_the_share_is_said(tmp_path):
    store = made(tmp_path / "s", GROWTH, plain=0.0, dendrites=2.0)
    copied(store, GROWTH, "dendrites", "plain", range(2))
    one = analyse(read_study(store.root)).groups[0].comparisons["dendrites"]
    assert (one.idle, one.finding, one.verdict) == (2, "better", "better; inert in 2 of 9")
    assert re.search(r"`dendrites` raises test accuracy by .*; it is inert in 2 of 9 trials\.", said(store))


@pytest.mark.parametrize("label", ["reset", "early-stop"])
def test_a_control_that_is_plain_to_the_bit_is_inert(tmp_path, label):
    grid = study("plain", label, trials=8)
    store = made(tmp_path / "s", grid)
    copied(store, grid, label, "plain", range(8))
    one = analyse(read_study(store.root)).groups[0].comparisons[label]
    assert (one.control, one.finding, one.acted) == ("plain", "inert", False)
    assert f"`{label}` equals `plain` to the bit in every trial" in said(store, "warnings")


def test_without_its_control_a_treatment_raises_nothing(tmp_path):
    text = said(made(tmp_path / "s", study("none", "dendrites"), dendrites=1.0))
    assert re.search(r"`dendrites` is above `none` by [01]\.\d\d points", text)
    assert "raises" not in text
    assert "`none` is not the control of `dendrites`, which this study lacks" in text


def test_sentences_name_the_control_and_the_chosen_arm_beside_it(tmp_path):
    store = made(tmp_path / "s", study("none", "hidden", "plain"), hidden=-1.0, plain=0.5)
    assert "Beside `plain`, which is not its control, `hidden`: -1." in said(store, control="plain")
    assert "Beside" not in said(store)


def test_an_average_over_effects_that_differ_is_no_sentence(tmp_path):
    grid = study("none", "dropout", architectures=(ONE, TWO))

    def reached(spec):
        harmed = spec.label == "dropout" and spec.architecture == TWO
        return effects(dropout=-0.05)(spec) - 24.0 * harmed

    store = write_study(tmp_path / "s", grid, reached)
    (claim,) = analyse(read_study(store.root)).claims
    assert claim.varies <= 0.05
    text = said(store)
    assert "on average" not in text
    assert re.search(
        r"the effect of `dropout` ranges from -2\d\.\d\d points in `\[2\*16\]` to -?\+?0\.\d\d in "
        r"`\[1\*32\]`; no average is given\.",
        text,
    )


def test_an_average_that_describes_its_architectures_is_told_with_their_range(tmp_path):
    grid = study("none", "dropout", architectures=(ONE, TWO))
    (claim,) = analysed(tmp_path / "s", grid, dropout=-2.0).claims
    assert claim.one_effect(0.05)
    text = said(made(tmp_path / "t", grid, dropout=-2.0))
    assert re.search(
        r"Over 2 architectures, `dropout` lowers test accuracy by [12]\.\d\d points on average", text
    )


def test_where_only_some_trials_learn_success_is_what_is_tested(tmp_path):
    grid = study("none", "hidden", "full", trials=10)

    def reached(spec):
        learns = spec.label == "hidden" or spec.trial in (2, 5)
        # the few that learn without treatment reach more: means and success rates disagree
        return effects()(spec) + (-30.0 if spec.label == "hidden" else 0.0) if learns else 11.35

    store = write_study(tmp_path / "s", grid, reached)
    comparisons = analyse(read_study(store.root)).groups[0].comparisons
    assert comparisons["hidden"].successes == (10, 10, 2, 10)
    assert comparisons["hidden"].test.method.startswith("exact McNemar")
    assert comparisons["hidden"].test.p == 2 * 0.5**8
    assert comparisons["hidden"].finding == "better"
    assert comparisons["full"].finding == "identical"
    assert (
        "10 of 10 trials learn under `hidden`, 2 of 10 under `none`: more than chance explains "
        "(exact McNemar test of successes: p = 0.0078, 0.0098 adjusted)"
    ) in said(store)


def test_verdicts_of_one_study_share_one_error_rate(tmp_path):
    """Ten treatments leave eight trials nothing to claim; five do not."""
    labels = [
        "hidden",
        "dropout",
        "full",
        "output",
        "noise",
        *(f"hidden:dose={dose}" for dose in range(2, 7)),
    ]
    few = analysed(tmp_path / "a", study("none", *labels[:5]), hidden=-3.0).groups[0].comparisons
    assert few["hidden"].member.adjusted_p == pytest.approx(5 * 2 / 2**8 / 0.8)
    many = analysed(tmp_path / "b", study("none", *labels), hidden=-3.0).groups[0].comparisons
    assert many["hidden"].verdict == "n too small: needs n = 9"


def test_controls_compared_with_controls_take_nothing_from_treatments(tmp_path):
    grid = study("none", "hidden", "plain", "wide@1", "early-stop")
    comparisons = analysed(tmp_path / "s", grid, hidden=-3.0, **{"wide@1": 2.0}).groups[0].comparisons
    assert [label for label, one in comparisons.items() if one.main] == ["hidden"]
    assert comparisons["hidden"].member.adjusted_p == pytest.approx(2 / 2**8 / 0.8)
    assert comparisons["wide@1"].finding == "better"
    alone = analysed(tmp_path / "t", study("none", "plain"), plain=2.0).groups[0].comparisons
    assert alone["none"].main  # of a study of controls, that is what it is about


def test_an_extended_study_pays_for_each_look_and_keeps_what_it_found(tmp_path):
    store = made(tmp_path / "s", study(trials=12), hidden=-2.0)
    once = analyse(read_study(store.root))
    manifest_path = manifest.manifest_path(store.root)
    looks = [{"when": "", "trials": n, "done": 2 * n, "command": ""} for n in (3, 8)]
    manifest_path.write_text(json.dumps({"schema": 1, "runs": [], "extensions": [], "looks": looks}))
    results = read_study(store.root)
    assert results.looks == (3, 8)
    twice = analyse(results)
    assert (once.looks, twice.looks) == ((12,), (8, 12))  # three trials could not have shown anything
    p_once, p_twice = (one.comparisons[0].member.adjusted_p for one in (once, twice))
    assert p_once == pytest.approx(2 / 2**12 / 0.8)
    assert p_twice == pytest.approx(min(2 / 2**8 / 0.8, 2 / 2**12 / (0.2 * (1 - 8 / 12))))
    assert "looked at with 8 and 12 trials" in said(store, "power_notes")


def test_a_look_at_a_study_under_way_counts_as_the_trials_that_there_were(tmp_path):
    store = made(tmp_path / "s", study(trials=12))
    looks = [{"when": "", "trials": 12, "done": done, "command": ""} for done in (16, 24)]
    manifest.manifest_path(store.root).write_text(json.dumps({"schema": 1, "runs": [], "looks": looks}))
    assert read_study(store.root).looks == (8, 12)


def test_looks_that_could_show_nothing_spend_nothing():
    assert effective_looks((2, 5, 8, 12, 8), 12, 0.05) == (8, 12)
    assert effective_looks((), 4, 0.05) == (4,)
    assert np.diff(effective_looks(range(1, 20), 10, 0.05)).min() > 0
