"""The meta-loop: what is accepted, what the next candidate starts from, and what is remembered.

The scores are scripted, so that every rule can be traced by hand.
"""

import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import (
    DAMAGED,
    DATA,
    NAN,
    SHAPE,
    ScriptedPopulation,
    origin,
    play,
    play_group,
    scripted_trial,
)

from frustration.engine.group import Group
from frustration.engine.loop import MetaLoop
from frustration.engine.population import Interrupted, Populations
from frustration.engine.trial import Trial

SCRIPTS = st.lists(st.integers(0, 100).map(float) | st.just(NAN), min_size=1, max_size=30)
ACCEPTANCES = ["strict", "ties", "patience-1", "patience-2", "patience-5"]


def accepted(trial: Trial) -> list[int]:
    return [entry.loop for entry in trial.curve if entry.accepted]


def bounties(trial: Trial) -> list[int]:
    return [entry.loop for entry in trial.curve if entry.new_bounty]


def starts(population: ScriptedPopulation, slot: int = 0) -> list[int]:
    """Which epoch's weights each candidate was a copy of; the last one is the LKG, loaded to be tested."""
    return [origin(SHAPE.view(weights)) for loaded, weights in population.loaded if loaded == slot][:-1]


def adoptions(trial: Trial) -> dict[int, int]:
    """In which loop which loop's network was made the base."""
    return {entry.loop: entry.adopted for entry in trial.curve if entry.adopted is not None}


def test_a_candidate_is_accepted_only_if_it_is_better_than_the_lkg():
    trial, population = play("none", [50, 40, 50, 51, 51, 60, 59])
    assert accepted(trial) == bounties(trial) == [1, 4, 6]
    assert starts(population) == [0, 1, 1, 1, 4, 4, 6]
    assert (trial.bounty, trial.bounty_loop, origin(trial.lkg)) == (60.0, 6, 6)


def test_the_first_loop_is_accepted_whatever_it_scores():
    trial, _ = play("none", [0, 0])
    assert accepted(trial) == [1]


def test_under_ties_an_equal_candidate_is_built_upon_but_the_lkg_stays_the_first():
    trial, population = play("none/ties", [50, 50, 49, 50])
    assert accepted(trial) == [1, 2, 4]
    assert bounties(trial) == [1]
    assert starts(population) == [0, 1, 2, 2]
    assert origin(trial.lkg) == 1


def test_plain_training_continues_from_where_it_is_and_keeps_the_best_snapshot():
    trial, population = play("plain", [50, 40, 60, 30])
    assert accepted(trial) == [1, 2, 3, 4]
    assert bounties(trial) == [1, 3]
    assert starts(population) == [0, 1, 2, 3]
    assert (origin(trial.lkg), trial.bounty) == (3, 60.0)


def test_patience_follows_its_rules():
    """The best of k failures in a row is accepted although worse; k doubles; a bounty resets it."""
    script = [50, 40, 45, 46, 44, 43, 42, 41, 60, 50, 55]
    trial, population = play("none/patience-2", [float(score) for score in script])
    # 2 failures (40, 45): loop 3 becomes the base. 46 is better than that base, though not a bounty.
    # Then k is 4: of 44, 43, 42, 41 loop 5 was best. 60 is a bounty: k is 2 again, and 55 is adopted.
    assert adoptions(trial) == {3: 3, 8: 5, 11: 11}
    assert accepted(trial) == [1, 4, 9]
    assert bounties(trial) == [1, 9]
    assert starts(population) == [0, 1, 1, 3, 4, 4, 4, 4, 5, 9, 9]
    assert (trial.bounty, origin(trial.lkg), origin(trial.base)) == (60.0, 9, 11)
    assert [entry.before for entry in trial.curve[3:6]] == [45.0, 46.0, 46.0]


def test_an_acceptance_ends_the_row_of_failures():
    # After the adoption at loop 2 (k is now 2): failure, acceptance, failure, failure.
    trial, _ = play("none/patience-1", [50.0, 10.0, 5.0, 20.0, 15.0, 12.0])
    assert adoptions(trial) == {2: 2, 6: 5}
    assert accepted(trial) == [1, 4]


def test_of_equal_failures_the_first_is_adopted():
    trial, _ = play("none/patience-3", [50.0, 30.0, 30.0, 30.0])
    assert adoptions(trial) == {4: 2}


def test_a_diverged_candidate_is_a_failure_that_patience_never_adopts():
    trial, population = play("none/patience-2", [50.0, NAN, NAN, NAN, 30.0, 20.0])
    assert adoptions(trial) == {5: 5}
    assert starts(population)[:5] == [0, 1, 1, 1, 1]
    assert origin(trial.base) == 5


@pytest.mark.parametrize("in_loss", [False, True])
@pytest.mark.parametrize("mode", ["none", "none/ties", "plain", "none/patience-9", "none/persist", "output"])
def test_divergence_is_recorded_never_accepted_and_leaves_no_trace(mode, in_loss):
    trial, population = play(mode, [50.0, NAN, 60.0], diverge_in_loss=in_loss)
    entry = trial.curve[1]
    assert (entry.diverged, entry.accepted, entry.new_bounty) == (True, False, False)
    assert (entry.loss is None, entry.accuracy is None) == (in_loss, not in_loss)
    if mode != "output":
        assert starts(population) == [0, 1, 1]
    if trial.keeps_moments:
        assert [epochs[0].moments and epochs[0].moments.steps for epochs in population.trained] == [
            None,
            1,
            1,
        ]
    assert trial.bounty == 60.0


def test_a_trial_that_only_diverged_has_no_bounty_and_no_test_accuracy():
    trial, _ = play("none", [NAN, NAN])
    record = trial.record()
    assert (record.bounty, record.bounty_loop, record.test_accuracy) == (None, None, None)
    assert record.finished


@given(SCRIPTS, st.sampled_from([f"{mode}/{rule}" for mode in ("none", "plain") for rule in ACCEPTANCES]))
def test_the_bounty_is_the_best_score_so_far_and_the_lkg_is_its_network(script, mode):
    """Under every policy: the LKG never falls."""
    trial, _ = play(mode, script)
    best, best_loop = None, 0
    for loop, (score, entry) in enumerate(zip(script, trial.curve, strict=True), start=1):
        better = not np.isnan(score) and (best is None or score > best)
        assert entry.new_bounty == better
        if better:
            best, best_loop = score, loop
    assert (trial.bounty, trial.bounty_loop or 0) == (best, best_loop)
    assert origin(trial.lkg) == best_loop


@given(SCRIPTS, st.sampled_from(ACCEPTANCES))
def test_the_rules_of_acceptance_hold_on_any_sequence_of_scores(script, rule):
    """Against the rules as the documentation tells them, written out a second time."""
    trial, population = play(f"none/{rule}", script)
    first = int(rule.partition("-")[2] or 0)
    base = best = None
    patience, row, started = first, [], []
    base_loop = 0
    for loop, score in enumerate(script, start=1):
        started.append(base_loop)
        finite = not np.isnan(score)
        good = finite and (base is None or score > base or (rule == "ties" and score == base))
        if finite and (best is None or score > best):
            best, patience = score, first
        if good:
            base, base_loop, row = score, loop, []
            continue
        row.append((score, -loop) if finite else (-1.0, -loop))
        if first and len(row) >= patience and max(row)[0] >= 0:
            base, base_loop = max(row)[0], -max(row)[1]
            row, patience = [], 2 * patience
    assert starts(population)[: len(script)] == started[: len(starts(population))]
    assert origin(trial.base) == base_loop


def test_the_undamaged_base_is_what_the_next_candidate_copies():
    """Damage is done to copies: what is discarded leaves no trace in the base."""
    trial, population = play("output", [50.0, 40.0, 40.0])
    assert origin(trial.base) == 1
    assert np.all(trial.base.vector == 1)
    second, third = (weights for _, weights in population.loaded[1:3])
    assert (second == 0).sum() == (third == 0).sum() == SHAPE.features + 1


def test_global_loop_1_alone_is_undamaged():
    trial, _ = play("output", [50.0, 60.0, 70.0])
    assert [entry.damaged for entry in trial.curve] == [None, DAMAGED, DAMAGED]
    assert [bool(entry.evidence) for entry in trial.curve] == [False, True, True]
    assert [entry.harm for entry in trial.curve] == [None, 50 - DAMAGED, 60 - DAMAGED]
    assert [entry.recovery for entry in trial.curve] == [None, 60 - DAMAGED, 70 - DAMAGED]


def test_only_what_was_damaged_is_evaluated_before_training_and_only_what_was_trained_after():
    population = ScriptedPopulation([[50.0, 60.0], [NAN] * 2, [50.0, 40.0]])
    group = Group.of(("ff", "f"), {0: scripted_trial("none", 2), 2: scripted_trial("output", 2, trial=1)})
    play_group(group, population)
    first_loop, second_loop, test = [[0, 2]], [[2], [0, 2]], [[0, 2]]
    assert population.evaluated == first_loop + second_loop + test


def test_the_optimizer_starts_afresh_or_continues_accepted_or_not():
    def steps(mode):
        _, population = play(mode, [50.0, 40.0, 60.0, 55.0])
        return [epochs[0].moments.steps if epochs[0].moments else 0 for epochs in population.trained]

    assert steps("none") == steps("plain/fresh") == [0, 0, 0, 0]
    assert steps("none/persist") == steps("plain") == steps("none/persist-masked") == [0, 1, 2, 3]


def test_persist_masked_forgets_what_it_knew_of_damaged_weights_and_of_no_others():
    for mode, forgotten in (("output/persist", 0), ("output/persist-masked", SHAPE.features + 1)):
        _, population = play(mode, [50.0, 40.0, 40.0])
        for (_, candidate), epochs in zip(population.loaded[1:3], population.trained[1:], strict=True):
            moments = epochs[0].moments
            assert (moments.mean == 0).sum() == (moments.square == 0).sum() == forgotten
            if forgotten:
                assert np.array_equal(moments.mean == 0, candidate == 0)


@pytest.mark.parametrize("script, second", [([50, 40, 30, 60], 1), ([50, 60, 30, 60], 2)])
def test_where_a_schedule_turns_the_ratchet_on_training_continues_from_the_lkg(script, second):
    trial, population = play("plain@1-3,none@4-", [float(score) for score in script])
    assert starts(population) == [0, 1, 2, second]
    assert trial.curve[3].before == trial.curve[second - 1].accuracy


def test_it_makes_no_difference_whether_a_target_fell_on_the_turn_of_a_schedule():
    """10 loops and 10 more are 20 loops, also where the ratchet is turned on in between."""
    script, mode = [50.0, 40.0, 45.0, 44.0], "plain@1-2,none@3-"
    whole, _ = play(mode, script)
    population, trial = ScriptedPopulation([script]), scripted_trial(mode, 2)
    play_group(Group.of(("f",), {0: trial}), population)
    trial.spec = trial.spec.until(4)
    play_group(Group.of(("f",), {0: trial}), population)
    assert trial.curve == whole.curve
    assert origin(trial.base) == origin(whole.base)


def test_a_closed_schedule_may_end_on_its_last_loop():
    trial, _ = play("plain@1-2", [50.0, 40.0])
    assert trial.finished


def test_trials_that_lost_a_loop_catch_up_alone():
    """A kill may fall between the files of two trials of a group: the others wait, untouched."""
    scripts = [[50.0, 51.0, 52.0], [40.0, 41.0, 42.0], [30.0, 31.0, 32.0]]
    population = ScriptedPopulation(scripts)
    group = Group.of(("fff",), {slot: scripted_trial("none", 3, trial=slot) for slot in range(3)})
    ahead = group.members[1]
    play_group(Group.of(("fff",), {1: scripted_trial("none", 1, trial=1)}), ScriptedPopulation(scripts))
    ahead.loop, ahead.base_accuracy, ahead.bounty, ahead.bounty_loop = 2, 41.0, 41.0, 2
    population.turns[1] = 2
    play_group(group, population)
    assert [sorted(epochs) for epochs in population.trained] == [[0, 2], [0, 2], [0, 1, 2]]
    assert [len(trial.curve) for trial in group.members.values()] == [3, 1, 3]
    assert [trial.bounty for trial in group.members.values()] == [52.0, 42.0, 32.0]


def test_empty_slots_of_a_group_are_never_trained_or_judged():
    population = ScriptedPopulation([[NAN] * 2, [50.0, 60.0], [NAN] * 2])
    trial = scripted_trial("output", 2)
    play_group(Group.of(("ff", "f"), {1: trial}), population)
    assert [sorted(epochs) for epochs in population.trained] == [[1], [1]]
    assert trial.bounty == 60.0


def test_trials_of_one_group_share_their_orders_only_if_they_share_their_streams():
    trials = {
        0: scripted_trial("none", 1),
        1: scripted_trial("output", 1),
        2: scripted_trial("none", 1, trial=1),
    }
    population = ScriptedPopulation([[50.0]] * 3)
    play_group(Group.of(("ff", "f"), trials), population)
    orders = [population.trained[0][slot].order for slot in range(3)]
    assert orders[0] is orders[1]
    assert not np.array_equal(orders[0], orders[2])


def test_every_loop_of_every_trial_is_observed_in_the_state_that_is_kept():
    seen = []
    group = Group.of(("ff",), {slot: scripted_trial("none", 2, trial=slot) for slot in range(2)})
    play_group(
        group,
        ScriptedPopulation([[50.0, 60.0], [40.0, 30.0]]),
        lambda trial, entry: seen.append((trial.spec.trial, entry.loop, trial.loop, trial.bounty)),
    )
    assert seen == [(0, 1, 1, 50.0), (1, 1, 1, 40.0), (0, 2, 2, 60.0), (1, 2, 2, 40.0)]


def test_a_finished_trial_is_tested_and_not_trained():
    trial, population = play("none", [50.0, 60.0])
    trial.test_accuracy = None
    epochs = len(population.trained)
    play_group(Group.of(("f",), {0: trial}), population)
    assert len(population.trained) == epochs
    assert trial.test_accuracy is not None


def test_a_request_to_stop_is_obeyed_without_a_trace_of_the_epoch():
    class Stubborn(ScriptedPopulation):
        def train(self, epochs, stop):
            if stop.is_set():
                raise Interrupted
            return super().train(epochs, stop)

    stop, trial = threading.Event(), scripted_trial("none", 9)

    def observe(trial, entry):
        if entry.loop == 2:
            stop.set()

    populations = Populations(
        lambda shape, runs: Stubborn([[float(n) for n in range(9)]]), ("f",), whole=True
    )
    with pytest.raises(Interrupted):
        MetaLoop(Group.of(("f",), {0: trial}), populations, DATA, observe, stop).run()
    assert (trial.loop, len(trial.curve), origin(trial.base)) == (2, 2, 2)
