"""Agreement is shown by a test of its own, never taken from a lack of difference."""

import re
from dataclasses import replace

import pytest
from report_kit import ONE, TWO, made, read, study
from test_report_published import published

from frustration.errors import InputError
from frustration.report.compare import compare, compare_sentences, compare_table
from frustration.report.reading import read_study


def against(a, b, margin=0.5, across=()):
    return compare(a, b, alpha=0.05, margin=margin, across=across)


def test_a_study_agrees_with_itself_in_every_treatment(tmp_path):
    results = read(tmp_path / "s", study("none", "hidden", architectures=(ONE, TWO)))
    report = against(results, results)
    assert [report.verdict(one) for one in report.architectures] == ["equivalent"] * 2
    assert all(match.paired for match in report.matches)


def test_a_shift_beyond_the_margin_is_a_difference_and_within_it_both_are_said(tmp_path):
    a = read(tmp_path / "a", hidden=-1.0)
    b = read(tmp_path / "b", hidden=-1.3)
    assert {m.label: m.verdict for m in against(a, b, margin=0.2).matches}["hidden"] == "different"
    assert {m.label: m.verdict for m in against(a, b).matches}["hidden"] == "different within the margin"
    assert against(a, b).verdict(ONE) == "equivalent"
    assert against(a, b, margin=0.2).verdict(ONE) == "different: hidden"


def test_noise_beyond_the_margin_is_undecided_and_never_equivalent(tmp_path):
    a, b = read(tmp_path / "a", study(seed=1)), read(tmp_path / "b", study(seed=2))
    report = against(a, b, margin=0.01)
    assert not any(match.paired for match in report.matches)
    assert report.verdict(ONE) == "undecided: none, hidden"


def test_trials_are_paired_only_where_they_share_seed_and_data(tmp_path):
    a = read(tmp_path / "a")
    other = {"seed": study(seed=3), "batch": study(batch_size=64)}
    for name, grid in other.items():
        report = against(a, read(tmp_path / name, grid), across=["batch-size"])
        assert report.matches
        assert not any(match.paired for match in report.matches)
    other_rate = read(tmp_path / "lr", study(learning_rates=(1e-3,)))
    assert all(match.paired for match in against(a, other_rate, across=["lr"]).matches)


@pytest.mark.parametrize(
    "name, fields, phrase",
    [
        ("lr", {"learning_rates": (1e-3,)}, "learning rate 0.0001 in A, 0.001 in B"),
        ("batch-size", {"batch_size": 64}, "batch size 256 in A, 64 in B"),
        ("meta-loops", {"meta_loops": 7}, "meta-loops 5 in A, 7 in B"),
        ("train-fraction", {"train_fractions": (0.5,)}, "training fraction 1.0 in A, 0.5 in B"),
    ],
)
def test_what_differs_is_said_and_compared_only_when_it_is_asked_for(name, fields, phrase, tmp_path):
    a, b = read(tmp_path / "a"), read(tmp_path / "b", study(**fields))
    with pytest.raises(InputError, match=re.escape(phrase)) as refusal:
        against(a, b)
    assert f"--across {name}" in str(refusal.value)
    assert "in common" in str(refusal.value)
    report = against(a, b, across=[name, "data"])
    assert [match.label for match in report.matches] == ["none", "hidden"]
    first = next(compare_sentences(report))
    assert first.startswith("A and B differ: ")
    assert phrase in first
    assert all(match.settings.startswith(f"{name} ") for match in report.matches)
    assert f"{name} " in compare_table(report).rows[0][1]


def test_settings_that_both_have_are_compared_and_others_are_named(tmp_path):
    a = read(tmp_path / "a", study(learning_rates=(1e-4, 1e-3)))
    b = read(tmp_path / "b", study(learning_rates=(1e-4,), seed=4))
    report = against(a, b)
    assert len(report.matches) == 2
    first = next(compare_sentences(report))
    assert "learning rate 0.0001, 0.001 in A, 0.0001 in B" in first
    assert "seed 0 in A, 4 in B" in first
    assert "only matching settings are compared" in first
    assert len(report.only_a) == 2


def test_alike_studies_differ_in_nothing(tmp_path):
    results = read(tmp_path / "s")
    assert against(results, results).differences == ()
    assert not any("differ:" in sentence for sentence in compare_sentences(against(results, results)))


def test_treatments_that_differ_in_a_knob_alone_are_matched_across_knobs(tmp_path):
    a = read(tmp_path / "a", study("none", "dropout"))
    b = read(tmp_path / "b", study("none", "dropout:p=0.2"), **{"dropout:p=0.2": 2.0})
    assert [match.label for match in against(a, b).matches] == ["none"]
    assert "treatments `dropout` in A, `dropout:p=0.2` in B" in next(compare_sentences(against(a, b)))
    report = against(a, b, across=["knobs"])
    names = {(match.label, match.other_label): match.verdict for match in report.matches}
    assert names[("none", "none")] == "equivalent"
    assert names[("dropout", "dropout:p=0.2")] == "different"
    assert any("dropout / dropout:p=0.2" in row for row in compare_table(report).rows)


def test_two_doses_on_one_side_are_not_guessed_at(tmp_path):
    a = read(tmp_path / "a", study("none", "dropout"))
    b = read(tmp_path / "b", study("none", "dropout:p=0.2", "dropout:p=0.3"))
    report = against(a, b, across=["knobs"])
    assert [match.label for match in report.matches] == ["none"]
    assert report.only_a == ("[1*32] dropout",)
    assert len(report.only_b) == 2


def test_a_published_file_is_compared_by_its_bounties_without_pairs(tmp_path):
    file = published(tmp_path)
    ours = read_study(made(tmp_path / "s", study("none", "hidden", trials=10)).root)
    report = against(ours, file, across=["meta-loops"])
    assert report.metric == "bounty"
    assert [match.label for match in report.matches] == ["none", "hidden"]
    assert not any(match.paired for match in report.matches)
    assert "not paired" in " ".join(compare_sentences(report))


def test_the_sentences_count_what_the_verdicts_say(tmp_path):
    a = read(tmp_path / "a", study(architectures=(ONE, TWO)))
    b = read(tmp_path / "b", study(architectures=(ONE, TWO)), hidden=-2.0)
    text = " ".join(compare_sentences(against(a, b)))
    assert "Of 2 architectures that both have, 0 are equivalent" in text
    assert "They differ in `[1*32]` and `[2*16]`." in text


def test_studies_without_anything_in_common_are_refused(tmp_path):
    a = read(tmp_path / "a")
    b = read(tmp_path / "b", replace(study(), architectures=(TWO,)))
    with pytest.raises(InputError, match="nothing to compare"):
        against(a, b)
