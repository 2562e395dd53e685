"""Sentences claim what the tests show, and nothing where they show nothing."""

import re

import pytest
from report_kit import ONE, TWO, effects, made, specs_of, study
from synthetic import at_chance, rewrite, write_study

from frustration.report.analysis import analyse
from frustration.report.reading import read_study
from frustration.report.sentences import plain_sentences

CLAIM = re.compile(r"raises|lowers|is above|is below")


def said(store, part="helps"):
    results = read_study(store.root)
    return " ".join(getattr(plain_sentences(results, analyse(results)), part))


def test_an_effect_is_told_with_its_size_interval_p_and_correction(tmp_path):
    text = said(made(tmp_path / "s", hidden=-2.0))
    assert re.search(
        r"In `\[1\*32\]`, `hidden` lowers test accuracy by [12]\.\d\d points "
        r"\(95 % interval -2\.\d\d to -1\.\d\d; p = 0\.0078, 0\.0098 adjusted\)",
        text,
    )


@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_claimed_where_no_test_rejects(tmp_path, seed):
    grid = study("none", "hidden", "dropout", architectures=(ONE, TWO), seed=seed)

    def reached(spec):
        return effects()(spec) + seed * spec.trial % 3 / 10

    results = read_study(write_study(tmp_path / "s", grid, reached).root)
    analysis = analyse(results)
    found = any(one.finding in ("better", "worse") for one in analysis.comparisons)
    found |= any(claim.member.finding in ("better", "worse") for claim in analysis.claims)
    plain = plain_sentences(results, analysis)
    assert any(CLAIM.search(one) for one in plain.helps) == found
    assert len(plain.answer) <= 3


def test_too_few_trials_are_no_verdict_and_the_n_is_named(tmp_path):
    store = made(tmp_path / "s", study(trials=4), hidden=-9.0)
    assert "4 trials are too few for any verdict on `hidden` (n too small: needs n = 6)" in said(store)
    notes = said(store, "power_notes")
    assert (
        "no outcome could have been significant at 0.05 with so few trials; at least n = 6 is needed" in notes
    )


def test_the_answer_tells_of_each_treatment_once_for_all_settings(tmp_path):
    several = study("none", "hidden", "decay", learning_rates=(1e-4, 1e-3, 1e-2), architectures=(ONE, TWO))
    plain = said(made(tmp_path / "s", several, hidden=-3.0), "answer")
    assert "Against its own control, `hidden` lowers accuracy in 6 of 6 comparisons." in plain
    assert "Inert: `decay` (48 of 48 trials)." in plain


def test_in_few_settings_the_answer_names_each_with_its_effect(tmp_path):
    plain = said(made(tmp_path / "s", study(learning_rates=(1e-4, 1e-3)), hidden=-3.0), "answer")
    pattern = r"by [23]\.\d\d points in `\[1\*32\]` \(mnist, lr 0\.0001\) and by [23]\.\d\d points in"
    assert re.search(pattern, plain)


def test_an_inert_treatment_is_named_with_the_reason_and_never_called_useless(tmp_path):
    store = made(tmp_path / "s", study("none", "decay", "hidden"))
    assert (
        "`decay` is inert in 1 architecture: its factor 1 - lr * weight_decay = 1 - 0.0001 * 0.0001"
        in said(store, "warnings")
    )
    assert "`decay` is inert: it did the same as `none` in every trial." in said(store)
    assert "nert: `decay` in `[1*32]` (8 of 8 trials)." in said(store, "answer")
    assert "`hidden`: no difference from control" in said(store, "answer")  # of `decay` no such thing is said


def test_a_difference_between_networks_that_do_not_learn_is_called_that(tmp_path):
    grid = study("none", "hidden")
    store = write_study(tmp_path / "s", grid, lambda spec: 10.0 + spec.trial / 100 - (spec.label == "none"))
    for spec in specs_of(grid):
        at_chance(store, spec)
    assert "In `[1*32]` (where no trial beats chance), `hidden` raises" in said(store)
    assert "no trial of any treatment beats chance (`[1*32]`)" in said(store, "warnings")


def test_what_is_missing_failed_or_skipped_is_said(tmp_path):
    store = made(tmp_path / "s")
    first, second, third = specs_of(study())[:3]
    store.record_path(first.id).unlink()
    store.record_path(second.id).unlink()
    store.write_failure(second.id, second.to_dict(), "ValueError: no")
    store.record_path(third.id).write_text("{")
    text = said(store, "warnings")
    assert "1 trial failed (ValueError: no)" in text
    assert "1 trial of the study is not finished yet" in text
    assert f"Skipped: {third.id}.json " in text


def test_many_architectures_are_counted_and_not_listed(tmp_path):
    grid = study("none", "hidden", architectures=[ONE.of_widths([w]) for w in range(20, 26)])
    text = said(made(tmp_path / "s", grid, hidden=-2.0))
    assert (
        "Of 6 architectures, `hidden` raises accuracy in 0 and lowers it in 6, against `none`; in the "
        "other 0 no verdict is possible."
    ) in text
    assert re.search(
        r"Over 6 architectures, `hidden` lowers test accuracy by [12]\.\d\d points on average", text
    )


def test_time_that_is_shared_is_not_called_equal_cost(tmp_path):
    assert "share their CPU time equally" in said(made(tmp_path / "s"), "costs")


def test_dearer_treatments_are_told_by_how_much(tmp_path):
    store = made(tmp_path / "s")
    for spec in specs_of(study()):
        rewrite(store, spec, seconds=2.0 if spec.label == "hidden" else 1.0)
    assert "Times the training FLOPs and CPU time of `none`: `hidden` 1.00 and 2.00" in said(store, "costs")


def test_many_architectures_without_a_difference_are_counted_in_the_answer(tmp_path):
    shapes = [ONE.of_widths([width]) for width in range(20, 26)]
    grid = study("none", "hidden", "dropout", architectures=shapes, trials=8)

    def reached(spec):
        return effects()(spec) - 5.0 * (spec.label == "hidden" and spec.architecture == shapes[0])

    short = said(write_study(tmp_path / "s", grid, reached), "answer")
    assert "`hidden` in 5 of 6 architectures" in short
    assert "and 1 more" not in short
