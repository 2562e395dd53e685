"""Networks that grow are compared where they have cost as much, with their parameters beside them."""

from dataclasses import replace

import numpy as np
import pytest
from report_kit import made, specs_of, study
from synthetic import rewrite

from frustration.report.analysis import analyse
from frustration.report.reading import read_study
from frustration.report.robustness import arms_sentences
from frustration.report.sentences import answer
from frustration.report.tables_of_costs import arms_table

GRID = study("none", "dendrites", "early-stop", "wide@1", "wide@2", trials=7, meta_loops=6)
SIZE = {"none": 100, "early-stop": 100, "dendrites": 300, "wide@1": 200, "wide@2": 300}


def grown(tmp_path, added=1, loops=6):
    """Dendrites come after loop 2 and treble the FLOPs; every arm gains one point a loop from 50 %.

    The arms with dendrites begin at 60 %.
    """
    store = made(tmp_path / "s", GRID)
    for spec in specs_of(GRID):
        dendritic = spec.label == "dendrites"
        length = loops if dendritic else 6
        curve = []
        for at in range(length):
            accuracy = (60.0 if dendritic else 50.0) + at + spec.trial / 100
            entry = {"loop": at + 1, "mode": spec.label, "loss": 1.0, "before": None, "damaged": None}
            entry |= {"accuracy": accuracy, "accepted": True, "new_bounty": True, "adopted": None}
            entry |= {"diverged": False, "evidence": {}}
            if dendritic:
                on = int(at >= 2 and added > 0)
                entry |= {"dendrites": on * added, "parameters": 100 + 200 * on, "flops": 1000 + 2000 * on}
            curve.append(entry)
        changed = {"curve": curve, "parameters": SIZE[spec.label], "flops": 1000, "loop": length}
        changed |= {"bounty": curve[-1]["accuracy"], "bounty_loop": length}
        changed |= {"test_accuracy": curve[-1]["accuracy"]}
        if dendritic:
            growth = {"added": added, "attempts": [], "ended": None, "why": "made up"}
            changed |= {"growth": growth, "ended_early": length < 6, "inert": [] if added else ["dendrites"]}
        rewrite(store, spec, **changed)
    return analyse(read_study(store.root))


def arm(analysis, label):
    return next(one for one in analysis.arms[0].arms if one.label == label)


def test_at_equal_flops_a_grown_network_has_had_fewer_loops(tmp_path):
    analysis = grown(tmp_path)
    arms = analysis.arms[0]
    assert (arms.epochs, arms.flops) == (6, 6000)
    assert arm(analysis, "none").flops_loops == 6
    assert arm(analysis, "dendrites").flops_loops == 3  # 1,000 + 1,000 + 3,000, and the next does not fit
    assert arm(analysis, "dendrites").flops_bounty.value == pytest.approx(62.03)
    assert arm(analysis, "dendrites").epochs_bounty.value == pytest.approx(65.03)


def test_a_trial_that_its_own_schedule_ended_keeps_its_best_and_cuts_nobody_short(tmp_path):
    analysis = grown(tmp_path, loops=4)
    assert analysis.arms[0].epochs == 6
    assert arm(analysis, "none").epochs_bounty.value == pytest.approx(55.03)
    assert arm(analysis, "dendrites").epochs_bounty.value == pytest.approx(63.03)


@pytest.mark.parametrize("added", [1, 2])
def test_the_widened_network_of_the_size_that_was_reached_is_the_reference(tmp_path, added):
    analysis = grown(tmp_path, added=added)
    assert analysis.arms[0].reached == added
    assert analysis.arms[0].reference == f"wide@{added}"
    assert not arm(analysis, f"wide@{3 - added}").chosen
    assert arm(analysis, f"wide@{3 - added}").against_epochs is None
    assert arm(analysis, "dendrites").against_epochs.value == pytest.approx(10.0)
    assert arm(analysis, "dendrites").epochs_p.finding == "better"
    assert arm(analysis, "dendrites").against_test.value == pytest.approx(10.0)


def test_where_nothing_grew_the_arms_say_so(tmp_path):
    analysis = grown(tmp_path, added=0)
    assert analysis.arms[0].reached is None
    assert analysis.arms[0].reference == "early-stop"
    assert arm(analysis, "dendrites").inert == 7
    assert "nothing grew" in arms_table(analysis).note


def test_parameters_stand_beside_test_accuracy(tmp_path):
    table = arms_table(grown(tmp_path))
    rows = {row[1]: dict(zip(table.headers, row, strict=True)) for row in table.rows}
    assert rows["dendrites"]["parameters"] == "300"
    assert rows["dendrites"]["LKG test % at its end"].startswith("65.0")


def test_the_first_screen_tells_what_growth_won_over_the_widened_network(tmp_path):
    analysis = grown(tmp_path)
    (sentence,) = arms_sentences(analysis)
    assert "within equal training FLOPs, `dendrites` (300 parameters) minus `wide@1`" in sentence
    assert "(200 parameters) is +7.00" in sentence
    assert sentence.endswith(", which is not a verdict.")
    assert analysis.groups[0].at_equal_size["dendrites"].finding == "better"
    assert next(answer(analysis)) == (
        "At equal parameters, `dendrites` is above `wide@1` by 10.00 points in `[1*32]`."
    )
    assert list(arms_sentences(grown(tmp_path / "none", added=0))) == [
        "In `[1*32]`, nothing grew within 6 epochs."
    ]


def test_studies_in_which_nothing_can_grow_have_no_arms(tmp_path):
    assert analyse(read_study(made(tmp_path / "s").root)).arms == ()


def test_training_flops_follow_the_network_of_each_loop(tmp_path):
    cells = {one.label: one for one in grown(tmp_path).groups[0].cells.values()}
    assert cells["dendrites"].training_flops == 2 * 1000 + 4 * 3000
    assert np.isclose(cells["none"].training_flops, 6000)


def test_of_growth_that_most_trials_lack_nothing_is_said_within_equal_flops(tmp_path):
    analysis = grown(tmp_path)
    (arms,) = analysis.arms
    few = tuple(replace(one, inert=one.n // 2 + 1) if one.grows else one for one in arms.arms)
    assert list(arms_sentences(replace(analysis, arms=(replace(arms, arms=few),)))) == []
