"""When a network grows, goes back and is done. That the library decides the same is tested beside it, in
test_parity_with_library; here are the rules as claims, and what our schedule has and the library lacks."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from frustration.dendrites import Schedule, Settings
from frustration.dendrites.schedule import ScoreError

PLATEAU = [0.5, 0.6, 0.7] + [0.7] * 200


def play(settings: Settings, scores, **more) -> tuple[Schedule, list]:
    schedule = Schedule(settings, **more)
    decisions = []
    for score in scores:
        decisions.append(schedule.observe(score))
        if decisions[-1].action == "end":
            break
    return schedule, decisions


def epochs(decisions, action) -> list[int]:
    return [epoch for epoch, decision in enumerate(decisions, start=1) if decision.action == action]


def test_patience_without_a_new_best_grows_and_two_failed_tries_end_it():
    schedule, decisions = play(Settings(n_epochs_to_switch=4), PLATEAU)
    assert epochs(decisions, "grow") == [7, 12]
    assert epochs(decisions, "end") == [17]
    assert [(a.loop, a.dendrites, a.outcome) for a in schedule.attempts] == [
        (7, 1, "failed"),
        (12, 1, "failed"),
    ]
    assert schedule.added == 0
    assert all(decision.restore for decision in decisions if decision.action != "train")


def test_the_first_network_and_every_new_best_of_all_are_saved_and_nothing_else():
    _, decisions = play(Settings(n_epochs_to_switch=4), PLATEAU)
    assert [epoch for epoch, decision in enumerate(decisions, start=1) if decision.save] == [1, 2, 3]


def test_a_dendrite_that_beats_the_best_is_kept():
    schedule, decisions = play(Settings(n_epochs_to_switch=3), [0.5, 0.6, *[0.6] * 3, *[0.8] * 4])
    assert epochs(decisions, "grow") == [5, 9]
    assert [attempt.outcome for attempt in schedule.attempts] == ["kept", "open"]
    assert schedule.added == 2


def test_after_the_last_dendrite_allowed_it_ends():
    rising = [0.1, *(0.1 + 0.1 * (epoch // 6) for epoch in range(60))]
    schedule, decisions = play(Settings(n_epochs_to_switch=3, max_dendrites=2), rising)
    assert decisions[-1].action == "end"
    assert "max_dendrites=2 are reached" in decisions[-1].why
    assert schedule.dendrites == 2


def test_without_dendrites_it_is_early_stopping_by_the_same_rule():
    grows, _ = play(Settings(n_epochs_to_switch=4), PLATEAU)
    stops, decisions = play(Settings(n_epochs_to_switch=4, max_dendrites=0), PLATEAU)
    assert epochs(decisions, "end") == [grows.attempts[0].loop]
    assert stops.attempts == []


def test_a_reset_run_acts_at_the_moments_of_growth_and_has_no_dendrites():
    grows, _ = play(Settings(n_epochs_to_switch=4), PLATEAU)
    resets, decisions = play(Settings(n_epochs_to_switch=4), PLATEAU, counts_growth=False)
    assert [a.loop for a in resets.attempts] == [a.loop for a in grows.attempts]
    assert {a.dendrites for a in resets.attempts} == {0}
    assert resets.dendrites == 0
    assert "grows" not in "".join(decision.why for decision in decisions)


def test_later_rounds_have_fewer_tries_as_in_the_library():
    """A success should give a round all its tries back; the library loses that when it restores."""
    tried_once = [0.5, 0.6, *[0.6] * 3, *[0.6] * 4, *[0.9] * 4, *[0.9] * 4]
    schedule, decisions = play(Settings(n_epochs_to_switch=3), tried_once)
    assert [a.outcome for a in schedule.attempts] == ["failed", "kept", "failed"]
    assert decisions[-1].action == "end"


def test_an_averaged_loss_switches_on_time_alone_as_in_the_library():
    settings = Settings(
        n_epochs_to_switch=6, history_lookback=3, maximizing_score=False, max_dendrite_tries=99
    )
    falling = [0.6 + 0.4 / (epoch + 1) for epoch in range(40)]
    _, decisions = play(settings, falling)
    assert epochs(decisions, "grow")[0] == 8
    _, decisions = play(Settings(n_epochs_to_switch=6, maximizing_score=False), falling)
    assert epochs(decisions, "grow") == []


def test_the_capacity_test_adds_three_dendrites_in_four_epochs_and_keeps_them():
    schedule, decisions = play(Settings(testing_dendrite_capacity=True), [0.1, 0.2, 0.3, 0.4, 0.5])
    assert [d.action for d in decisions] == ["grow", "grow", "grow", "end"]
    assert [d.save_grown for d in decisions] == [True, True, True, False]
    assert not decisions[-1].restore
    assert schedule.dendrites == 3


def test_retained_dendrites_are_saved_as_they_grow():
    schedule, decisions = play(
        Settings(n_epochs_to_switch=3, retain_all_dendrites=True, max_dendrites=2), PLATEAU
    )
    assert [d.save_grown for d in decisions if d.action == "grow"] == [True, True]
    assert [a.outcome for a in schedule.attempts] == ["kept", "kept"]
    assert schedule.dendrites == 2


def test_growth_waits_for_the_least_number_of_epochs():
    _, decisions = play(Settings(n_epochs_to_switch=4, min_epochs_before_growth=30), PLATEAU)
    assert epochs(decisions, "grow")[0] == 30


def test_no_switching_never_grows():
    schedule, decisions = play(Settings(switch_mode="none"), PLATEAU)
    assert {d.action for d in decisions} == {"train"}
    assert schedule.loops_before_first_switch() is None


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "switch_mode": st.just("history"),
            "n_epochs_to_switch": st.integers(1, 12),
            "initial_history_after_switches": st.integers(0, 5),
            "min_epochs_before_growth": st.integers(0, 25),
        },
    )
)
def test_the_first_growth_is_predicted_for_the_score_that_never_improves(settings):
    """The prediction is the earliest possible: reached when the first best is also the last."""
    schedule, decisions = play(Settings(**settings), [0.5] * 60)
    assert epochs(decisions, "grow")[0] == schedule.loops_before_first_switch()


@given(st.integers(1, 9), st.integers(-1, 30), st.integers(0, 30))
def test_the_first_growth_of_a_fixed_schedule_is_predicted(every, first, least):
    settings = Settings(
        switch_mode="fixed",
        fixed_switch_num=every,
        first_fixed_switch_num=first,
        min_epochs_before_growth=least,
    )
    schedule, decisions = play(settings, [0.5] * 80)
    assert epochs(decisions, "grow")[0] == schedule.loops_before_first_switch()


@given(
    st.lists(st.floats(0, 1), min_size=2, max_size=80),
    st.integers(1, 79),
    st.sampled_from(
        [
            Settings(n_epochs_to_switch=2),
            Settings(n_epochs_to_switch=2, max_dendrite_tries=4, history_lookback=2),
            Settings(switch_mode="fixed", fixed_switch_num=3, initial_history_after_switches=2),
            Settings(n_epochs_to_switch=2, maximizing_score=False, retain_all_dendrites=True),
        ]
    ),
)
def test_a_schedule_kept_as_json_continues_as_if_nothing_had_happened(scores, cut, settings):
    whole, decisions = play(settings, scores)
    first, before = play(settings, scores[:cut])
    second = Schedule.from_state(json.loads(json.dumps(first.state())))
    after = [] if first.ended else [second.observe(score) for score in scores[cut : len(decisions)]]
    assert before + after == decisions
    assert second.state() == whole.state()


@pytest.mark.parametrize("score", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_refused_before_it_spoils_the_average(score):
    schedule, _ = play(Settings(), [0.5, 0.6])
    before = schedule.state()
    with pytest.raises(ScoreError, match="not a number to compare"):
        schedule.observe(score)
    assert schedule.state() == before


def test_nothing_is_heard_after_the_end():
    schedule, _ = play(Settings(n_epochs_to_switch=2, max_dendrites=0), PLATEAU)
    with pytest.raises(ScoreError, match="has ended"):
        schedule.observe(0.9)
