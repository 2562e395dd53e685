"""Findings are those of the exact tests, and no more than they allow."""

import numpy as np
import pytest
from report_kit import ONE, TWO, analysed, effects, made, read, specs_of, study
from synthetic import at_chance, write_study

from frustration.errors import InputError
from frustration.report.analysis import analyse
from frustration.report.reading import read_study
from frustration.statistics.families import holm
from frustration.statistics.paired import sign_flip
from frustration.statistics.regimes import FAILURE


def test_a_real_effect_is_found_and_named_by_its_sign(tmp_path):
    group = analysed(tmp_path / "s", study("none", "hidden", "dropout"), hidden=-2.0, dropout=1.0).groups[0]
    assert group.comparisons["hidden"].finding == "worse"
    assert group.comparisons["dropout"].finding == "better"
    assert group.comparisons["hidden"].difference.excludes(0.0)
    assert not group.comparisons["hidden"].difference.excludes(-2.0)


def test_the_tests_are_those_of_the_paired_differences_and_one_architecture_is_corrected_by_holm(tmp_path):
    results = read(tmp_path / "s", study("none", "hidden", "dropout", "full"), hidden=-0.1)
    comparisons = analyse(results).groups[0].comparisons
    control = next(cell for cell in results.cells if cell.label == "none").test_accuracy
    p = [
        sign_flip(np.round(cell.test_accuracy - control, 9)).p
        for cell in results.cells
        if cell.label != "none"
    ]
    assert [one.test.p for one in comparisons.values()] == p
    # the first look may spend four fifths of alpha
    adjusted = np.minimum(1.0, holm(p) / 0.8)
    assert [one.member.adjusted_p for one in comparisons.values()] == pytest.approx(adjusted)


def test_a_missing_trial_leaves_its_pair_out_and_nothing_else(tmp_path):
    store = made(tmp_path / "s", hidden=-2.0)
    lost = next(spec for spec in specs_of(study()) if spec.label == "hidden" and spec.trial == 3)
    store.record_path(lost.id).unlink()
    (one,) = analyse(read_study(store.root)).comparisons
    assert (one.test.n, one.finding) == (7, "worse")


def test_inert_treatments_cost_the_others_nothing(tmp_path):
    without = analysed(tmp_path / "a", study("none", "hidden"), hidden=0.1).groups[0]
    beside = analysed(tmp_path / "b", study("none", "hidden", "decay"), hidden=0.1).groups[0]
    assert beside.comparisons["decay"].finding == "inert"
    assert beside.comparisons["hidden"].member.adjusted_p == without.comparisons["hidden"].member.adjusted_p


def test_a_treatment_that_acted_and_changed_no_outcome_is_identical_not_inert(tmp_path):
    store = write_study(tmp_path / "s", study(), lambda spec: 11.35)
    (one,) = analyse(read_study(store.root)).comparisons
    assert (one.finding, one.acted, one.tested) == ("identical", True, False)


def test_a_family_that_cannot_reject_names_the_n_it_needs(tmp_path):
    analysis = analysed(tmp_path / "s", study("none", "hidden", trials=4), hidden=-5.0)
    (one,) = analysis.comparisons
    assert one.verdict == "n too small: needs n = 6"
    assert one.detectable == np.inf


def test_exploration_adjusts_over_the_whole_study(tmp_path):
    grid = study("none", "hidden", "dropout", "decay", architectures=(ONE, TWO))
    comparisons = analysed(tmp_path / "s", grid, hidden=-3.0).comparisons
    explored = [one.explored_p for one in comparisons if one.tested]
    assert len(explored) == 4
    assert all(
        p is not None and p >= one.test.p
        for p, one in zip(explored, (c for c in comparisons if c.tested), strict=True)
    )
    assert all(one.explored_p is None for one in comparisons if not one.tested)


def test_the_arm_that_all_stand_beside_is_the_bare_ratchet_unless_the_user_chose_another(tmp_path):
    grid = study("none", "none/persist", "hidden/persist", "dropout/persist")
    results = read(tmp_path / "s", grid)
    assert analyse(results).groups[0].control == "none/persist"
    chosen = analyse(results, control="none").groups[0]
    assert chosen.control == "none"
    assert chosen.comparisons["hidden/persist"].control == "none/persist"
    assert chosen.comparisons["hidden/persist"].beside.control == "none"
    with pytest.raises(InputError, match='no treatment "full"'):
        analyse(results, control="full")


def test_networks_that_never_beat_chance_are_masked_and_in_no_claim(tmp_path):
    def reached(spec):
        return 11.0 if spec.architecture == TWO else effects(hidden=-2.0)(spec)

    grid = study("none", "hidden", architectures=(ONE, TWO, ONE.of_widths([64])))
    store = write_study(tmp_path / "s", grid, reached)
    for spec in specs_of(grid):
        if spec.architecture == TWO:
            at_chance(store, spec)
    analysis = analyse(read_study(store.root))
    assert [group.learns for group in analysis.groups] == [True, False, True]
    (claim,) = analysis.claims
    assert (claim.architectures, claim.member.finding) == (2, "worse")
    assert claim.trials == 8
    assert not claim.difference.excludes(-2.0)
    assert analysis.groups[1].regimes["paper"].label == FAILURE


def test_many_architectures_do_not_multiply_trials(tmp_path):
    grid = study("none", "hidden", architectures=[ONE.of_widths([w]) for w in range(20, 32)], trials=4)
    (claim,) = analysed(tmp_path / "s", grid, hidden=-5.0).claims
    assert claim.member.test.smallest_p == 2 * 0.5**4
    assert claim.member.finding == "n too small"


def test_a_winner_is_decided_only_where_it_beats_every_other_one(tmp_path):
    grid = study("none", "hidden", "dropout", "decay")
    clear = analysed(tmp_path / "a", grid, dropout=3.0).groups[0].winner
    assert (clear.label, clear.decided) == ("dropout", True)
    twins = analysed(tmp_path / "b", grid, dropout=3.0, hidden=3.0).groups[0].winner
    assert not twins.decided
    assert {twins.label, twins.runner_up} == {"dropout", "hidden"}


def test_in_a_large_study_without_any_effect_nothing_is_found(tmp_path):
    grid = study(
        "none", "hidden", "dropout", "full", architectures=[ONE.of_widths([w]) for w in range(2, 42)]
    )
    analysis = analysed(tmp_path / "s", grid)
    assert not any(one.finding in ("better", "worse") for one in analysis.comparisons)
    assert not any(claim.member.finding in ("better", "worse") for claim in analysis.claims)
    assert sum(one.test.p <= 0.05 for one in analysis.comparisons) >= 3  # as chance will have it


def test_regimes_without_all_modes_say_which_rule_could_not_be_judged(tmp_path):
    only_ablations = analysed(tmp_path / "s", study("hidden", "full", "output")).groups[0].regimes
    found = only_ablations["paper"]
    assert found.label == "not judged"
    assert found.not_judged
    assert found.missing == ("none", "decay", "dropout")


def test_bimodal_cells_are_told_by_their_success_rate(tmp_path):
    store = write_study(
        tmp_path / "s", study("none", "hidden", trials=10), lambda spec: 80.0 if spec.trial < 3 else 11.35
    )
    cell = analyse(read_study(store.root)).groups[0].cells["hidden"]
    assert cell.bimodal
    assert cell.success.successes == 3
    assert cell.success.conditional.value == 80.0


def test_settings_are_never_compared_with_one_another(tmp_path):
    grid = study("none", "hidden", learning_rates=(1e-4, 1e-3), trials=6)
    analysis = analysed(tmp_path / "s", grid)
    assert [group.setting.learning_rate for group in analysis.groups] == [1e-4, 1e-3]
    assert all(len(group.comparisons) == 1 for group in analysis.groups)


def test_the_same_records_give_the_same_analysis(tmp_path):
    results = read(tmp_path / "s", study("none", "hidden", "dropout", architectures=(ONE, TWO)))
    first, second = analyse(results), analyse(results)
    assert [one.iqm for one in first.aggregates] == [one.iqm for one in second.aggregates]
    assert first.comparisons == second.comparisons


def test_nothing_as_cheap_reaches_more_than_a_cell_on_the_front(tmp_path):
    grid = study("none", "hidden", architectures=(ONE, TWO, ONE.of_widths([64])))
    rows = analysed(tmp_path / "s", grid).pareto
    for row in rows:
        for cost in ("parameters", "flops", "training_flops"):
            beaten = any(
                getattr(other, cost) <= getattr(row, cost)
                and other.headline.value >= row.headline.value
                and (getattr(other, cost), -other.headline.value) != (getattr(row, cost), -row.headline.value)
                for other in rows
            )
            assert beaten != (cost in row.best_for)


def test_a_hundred_trials_are_judged_by_random_flips_of_which_the_p_says_how_many(tmp_path):
    (one,) = analysed(tmp_path / "s", study(trials=100, meta_loops=2), hidden=-0.2).comparisons
    assert one.test.draws == 19_999
    assert one.test.smallest_p == 1 / 20_000
    assert one.finding == "worse"
