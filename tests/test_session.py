"""Sessions of `train`: exact resume, targets, what is refused, and what a comparison is."""

import dataclasses
import json
import random
import re
import threading
from dataclasses import replace

import numpy as np
import pytest

import frustration
from frustration import FrustrationError, InputError, sealed
from frustration.checkpoint import CheckpointFiles
from frustration.dataset import Part, Split
from frustration.files import locked
from frustration.modes import mode_names
from frustration.runners.events import LoopDone, SessionStart
from frustration.session import Outcome
from frustration.testing.trials import backends, same_bits

ARCHITECTURE = "[1*9, 1*5]"
POLICIES = [
    "none/persist",
    "hidden/persist",
    "output/persist-masked",
    "dropout/persist",
    "full/patience-1",
    "hidden/patience-2/persist",
    "output/ties",
    "plain/fresh",
    "hidden+dropout",
    "plain@1-2,hidden@3-",
    "dropout@1-3,output@4-/persist",
]
EVERYTHING = [*mode_names(), *POLICIES]


@pytest.fixture
def train(data, tmp_path):
    """`frustration.train` on little data, into `where` below a folder of the test's own."""

    def run(modes="none", where: str = "models", **settings) -> Outcome:
        usual = {
            "dataset": data,
            "meta_loops": 4,
            "batch_size": 64,
            "learning_rate": 3e-3,
            "threads": 1,
            "model_dir": tmp_path / where,
        }
        return frustration.train(settings.pop("architecture", ARCHITECTURE), modes, **{**usual, **settings})

    return run


class Killed(BaseException):
    """Stands for a kill: it ends a session between any two files."""


class Cut:
    """Ends a session after so many loops were kept, cleanly (`stop`) or by a kill; remembers notes."""

    def __init__(self, after: int, kill: bool = False) -> None:
        self.left, self.kill, self.stop, self.notes = after, kill, threading.Event(), ()

    def emit(self, event) -> None:
        if isinstance(event, SessionStart):
            self.notes = event.notes
        if isinstance(event, LoopDone):
            self.left -= 1
            if self.left == 0 and self.kill:
                raise Killed
            if self.left == 0:
                self.stop.set()


def cut_session(train, *args, after: int, kill: bool = False, **settings) -> Outcome | None:
    cut = Cut(after, kill)
    try:
        return train(*args, emit=cut.emit, stop=cut.stop, **settings)
    except Killed:
        return None


def noted(train, *args, **settings) -> tuple[Outcome, str]:
    """The outcome, and what the user was told before it began."""
    cut = Cut(after=-1)
    outcome = train(*args, emit=cut.emit, **settings)
    return outcome, "\n".join(cut.notes)


def loops(outcome: Outcome) -> list[int]:
    return [len(record.curve) for record in outcome.records]


def assert_same(one: Outcome, other: Outcome, but: tuple[str, ...] = ()) -> None:
    """Weights, moments, curves, records and LKG files agree to the bit, but for the time it took."""
    for left, right in zip(one.records, other.records, strict=True):
        for field in dataclasses.fields(left):
            if field.name not in ("seconds", *but):
                assert getattr(left, field.name) == getattr(right, field.name), (left.spec.label, field.name)
    for left, right in zip(one.files, other.files, strict=True):
        mine, theirs = left.resumed(), right.resumed()
        assert same_bits(mine.base, theirs.base)
        assert same_bits(mine.lkg, theirs.lkg)
        assert (mine.failures, mine.patience) == (theirs.failures, theirs.patience)
        assert (mine.moments is None) == (theirs.moments is None)
        if mine.moments:
            assert same_bits(mine.moments.mean, theirs.moments.mean)
            assert same_bits(mine.moments.square, theirs.moments.square)
            assert mine.moments.steps == theirs.moments.steps
        if not but:
            assert left.lkg.read_bytes() == right.lkg.read_bytes()


@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("mode", EVERYTHING)
def test_a_session_cut_off_again_and_again_ends_in_the_same_bits(mode, kill, train):
    draws = random.Random(f"{mode} {kill}")
    whole = train(mode, "whole", meta_loops=7)
    for _ in range(3):  # 6 loops at most: the last session always has something to finish
        cut_session(train, mode, "cut", meta_loops=7, after=draws.randint(1, 2), kill=kill)
    assert_same(train(mode, "cut", meta_loops=7), whole)


@pytest.mark.slow
@pytest.mark.parametrize("kill", [False, True], ids=["stopped", "killed"])
@pytest.mark.parametrize("backend", [backend.name for backend in backends()])
def test_a_comparison_cut_off_again_and_again_ends_in_the_same_bits(kill, backend, train):
    """A kill falls between the files of trials that train side by side: some lose a loop, some do not."""
    modes = EVERYTHING if backend != "reference" else ["none", "dropout", "hidden/persist", "plain"]
    settings = {"trials": 2, "meta_loops": 4, "backend": backend}
    draws = random.Random(backend)
    whole = train(modes, "whole", **settings)
    for _ in range(3):
        outcome = cut_session(train, modes, "cut", after=draws.randint(1, len(modes)), kill=kill, **settings)
        assert outcome is None or outcome.interrupted
    assert_same(train(modes, "cut", **settings), whole)


def test_a_session_stopped_before_its_first_loop_is_known_and_finished(train):
    stop = threading.Event()
    stop.set()
    outcome = train("hidden", "cut", stop=stop)
    assert outcome.interrupted
    assert (loops(outcome), outcome.records[0].bounty) == ([0], None)
    outcome, notes = noted(train, "hidden", "cut", meta_loops=9)
    assert "completing the interrupted session first: loop 0 of 4" in notes
    assert_same(outcome, train("hidden", "whole"))


def test_two_workers_stopped_and_resumed_by_one_end_in_the_same_bits(train):
    modes = ["none", "hidden/persist", "dropout", "plain", "output", "full", "noise"]
    settings = {"trials": 5, "meta_loops": 3, "batch_size": 256}
    cut_session(train, modes, "cut", after=20, threads=2, **settings)
    assert_same(train(modes, "cut", **settings), train(modes, "whole", **settings))


@pytest.mark.parametrize("mode", EVERYTHING)
def test_three_loops_and_three_more_are_six(mode, train):
    parts = train(mode, "parts", meta_loops=3)
    assert parts.records[0].curve == train(mode, "whole", meta_loops=6).records[0].curve[:3]
    parts = train(mode, "parts", meta_loops=3)
    whole = train(mode, "whole", until=6)
    assert (parts.records[0].continued, whole.records[0].continued) == (True, False)
    assert_same(parts, whole, but=("continued", "sessions"))


def test_a_session_that_was_cut_off_is_finished_first_and_one_that_was_finished_gets_more(train):
    cut_session(train, "none", after=2)
    outcome, notes = noted(train, "none")
    assert loops(outcome) == [4]
    assert (
        "completing the interrupted session first: loop 2 of 4; run it again to add --meta-loops more"
        in notes
    )
    assert not outcome.records[0].continued
    outcome, notes = noted(train, "none", meta_loops=3)
    assert loops(outcome) == [7]
    assert "resuming at loop 4; adding 3 more" in notes
    assert outcome.records[0].continued


def test_until_names_a_total(train):
    assert loops(train("none", until=3)) == [3]
    outcome, notes = noted(train, "none", until=5)
    assert loops(outcome) == [5]
    assert "resuming at loop 3; --until 5" in notes
    outcome, notes = noted(train, "none", until=4)
    assert loops(outcome) == [5]
    assert "nothing to do: loop 5 is reached, and --until asks for 4" in notes


def test_until_overrules_the_target_of_a_session_that_was_cut_off(train):
    cut_session(train, "none", after=2, meta_loops=9)
    assert loops(train("none", until=5)) == [5]
    assert loops(train("none", meta_loops=2)) == [7]


def test_global_loops_are_counted_on_and_only_loop_1_is_undamaged(train):
    train("hidden", meta_loops=2)
    (record,) = train("hidden", meta_loops=2).records
    assert [entry.loop for entry in record.curve] == [1, 2, 3, 4]
    assert [bool(entry.evidence) for entry in record.curve] == [False, True, True, True]


def test_trials_that_are_missing_are_brought_level(train):
    train(["none"], trials=1)
    outcome, notes = noted(train, ["none", "hidden"], trials=2, meta_loops=9)
    assert loops(outcome) == [4, 4, 4, 4]
    assert "completing the interrupted session first: loops 0 to 4 of 4" in notes
    assert [record.continued for record in outcome.records] == [False] * 4
    assert loops(train(["none", "hidden"], trials=2, meta_loops=2)) == [6] * 4


def test_a_switch_of_mode_continues_from_the_lkg_and_says_so(train):
    first = train("plain", meta_loops=4, learning_rate=0.1)
    lkg, bounty = first.files[0].resumed().lkg, first.records[0].bounty
    assert not same_bits(lkg, first.files[0].resumed().base), (
        "the last loop was the best: choose another rate"
    )
    outcome, notes = noted(train, "hidden", meta_loops=2, learning_rate=0.1)
    assert 'resuming from the LKG at loop 4 in mode "hidden"; the last session was in mode "plain"' in notes
    (record,) = outcome.records
    assert [entry.mode for entry in record.curve] == ["plain"] * 4 + ["hidden"] * 2
    assert record.curve[4].before == bounty
    assert record.bounty >= bounty
    assert record.continued
    sessions = outcome.files[0].load().sessions
    assert [(s.mode, s.first_loop, s.target) for s in sessions] == [("plain", 1, 4), ("hidden", 5, 6)]


def test_a_switch_away_from_a_session_that_was_cut_off_says_what_is_left_undone(train):
    cut_session(train, "none", after=1)
    outcome, notes = noted(train, "hidden", meta_loops=2)
    assert "leaving 3 of its loops undone" in notes
    assert loops(outcome) == [3]


SETTINGS = [
    ({}, {"learning_rate": 1e-3}, "learning rate 0.003 then, 0.001 now"),
    ({}, {"batch_size": 32}, "batch size 64 then, 32 now"),
    ({}, {"loop_steps": 3}, "steps of a loop an epoch then, 3 now"),
    ({}, {"train_fraction": 0.5}, "training fraction 1.0 then, 0.5 now"),
    ({}, {"optimizer": "persist"}, "optimizer fresh then, persist now"),
    ({}, {"acceptance": "patience-3"}, "acceptance strict then, patience(3) now"),
    ({}, {"knobs": {"hidden": {"dose": 2}}}, "dose of hidden 1 then, 2 now"),
    (
        {"knobs": {"hidden": {"dose": "1"}}},
        {"knobs": {"hidden": {"dose": "1.0"}}},
        "dose of hidden 1 then, 1.0 now",
    ),
]


@pytest.mark.parametrize("how", [{"meta_loops": 2}, {"until": 2}, {"until": 9}])
@pytest.mark.parametrize("before, after, difference", SETTINGS)
def test_other_settings_are_refused_with_both_values_and_nothing_is_touched(
    before, after, difference, how, train, tmp_path
):
    """Whether there is something left to train or not: what was made otherwise is not handed out."""
    train("hidden", meta_loops=2, **before)
    kept = untouched(tmp_path)
    with pytest.raises(InputError, match=re.escape(f"was trained with other settings ({difference})")) as no:
        train("hidden", **how, **after)
    for way in ("--model-dir", "--fresh", "--continue-with-new-settings"):
        assert way in str(no.value)
    assert "\n" not in str(no.value)
    assert untouched(tmp_path) == kept


def test_every_setting_that_differs_is_named(train):
    train("none", meta_loops=1)
    with pytest.raises(InputError, match=r"learning rate 0\.003 then, 0\.1 now, batch size 64 then, 8 now"):
        train("none", learning_rate=0.1, batch_size=8)


def test_a_loop_over_learning_rates_never_gives_one_result_for_two_rates(train):
    rates = (1e-4, 1e-3, 1e-2)
    train("none", trials=2, until=1, learning_rate=rates[0])
    for rate in rates[1:]:
        with pytest.raises(InputError, match=r"learning rate 0\.0001 then"):
            train("none", trials=2, until=1, learning_rate=rate)
    outcomes = [train("none", f"models/{rate:g}", trials=2, until=1, learning_rate=rate) for rate in rates]
    assert [outcome.records[0].spec.learning_rate for outcome in outcomes] == list(rates)
    assert len({outcome.records[0].curve[0].loss for outcome in outcomes}) == 3


@pytest.mark.parametrize("before, after, difference", SETTINGS)
def test_new_settings_that_are_asked_for_go_on_from_the_lkg_and_are_marked(before, after, difference, train):
    train("hidden", meta_loops=2, **before)
    outcome, notes = noted(train, "hidden", meta_loops=2, continue_with_new_settings=True, **after)
    assert "resuming from the LKG at loop 2" in notes
    assert difference in notes
    assert loops(outcome) == [4]
    (record,) = outcome.records
    assert record.mixed
    assert [session.first_loop for session in record.sessions] == [1, 3]
    (record,) = train("hidden", meta_loops=1, **after).records  # no flag: these are its own now
    assert record.mixed
    written = frustration.read_record(outcome.files[0].record.read_bytes()).record()
    assert written.sessions == record.sessions


def test_a_mode_brings_its_own_optimizer_along(train):
    """`plain` keeps its optimizer, `none` does not: that is no change of settings. Choosing one is."""
    train("none", meta_loops=1)
    train("plain", meta_loops=1)
    with pytest.raises(InputError, match="optimizer persist then, persist-masked now"):
        train("hidden", meta_loops=1, optimizer="persist-masked")


def test_settings_of_a_session_that_trained_no_loop_bind_nobody(train):
    stop = threading.Event()
    stop.set()
    train("hidden", "cut", stop=stop, learning_rate=0.1)
    outcome = train("hidden", "cut", until=2)
    assert not outcome.records[0].mixed
    assert_same(outcome, train("hidden", "whole", until=2))


def test_more_loops_of_the_same_are_not_mixed(train):
    train("hidden", meta_loops=2)
    (record,) = train("hidden", meta_loops=2).records
    assert record.continued
    assert not record.mixed


def test_without_the_resume_file_other_settings_are_refused_too(train):
    (files,) = train("none", meta_loops=1).files
    files.resume.unlink()
    with pytest.raises(InputError, match=r"learning rate 0\.003 then, 0\.1 now"):
        train("none", learning_rate=0.1)


def test_what_is_there_is_never_handed_out_as_another_mode(train, tmp_path):
    """Asked for another mode up to a loop that is reached, a session is refused."""
    train("hidden", until=3)
    kept = untouched(tmp_path)
    with pytest.raises(InputError, match=r'has reached loop 3 in mode "hidden", so that --until 3 leaves'):
        train("dropout", until=3)
    assert untouched(tmp_path) == kept
    (record,) = train("dropout", until=4).records
    assert record.mixed


def untouched(tmp_path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "settings, sentence",
    [
        ({"architecture": "[2*5]"}, r"holds \[1\*9, 1\*5\], not \[2\*5\]"),
        ({"seed": 7}, "was trained with --seed 0, not 7"),
        ({"other": "content"}, "was trained on mnist with other content"),
    ],
)
def test_what_does_not_belong_to_the_checkpoint_is_refused_and_nothing_is_touched(
    settings, sentence, train, data, mnist, tmp_path
):
    train("none")
    before = untouched(tmp_path)
    settings = dict(settings)
    if settings.pop("other", None):
        settings["dataset"] = mnist.head(700, 300, 300)
    with pytest.raises(InputError, match=sentence) as refusal:
        train("none", **settings)
    assert "poetry run clean" in str(refusal.value)
    assert "--model-dir" in str(refusal.value)
    assert "\n" not in str(refusal.value)
    assert untouched(tmp_path) == before


def test_another_data_set_is_another_checkpoint_and_under_the_same_name_it_is_refused(train, data):
    outcome = train("none", meta_loops=1)
    other = train("none", meta_loops=1, dataset=replace(data, name="kmnist"))
    assert outcome.files[0].lkg.name == "mnist_lkg.safetensors"
    assert other.files[0].lkg.name == "kmnist_lkg.safetensors"
    for kind in ("resume", "curve"):
        getattr(outcome.files[0], kind).rename(getattr(other.files[0], kind))
    with pytest.raises(InputError, match="was trained on mnist, not on kmnist"):
        train("none", meta_loops=1, dataset=replace(data, name="kmnist"))


def test_fewer_features_are_refused_without_a_resume_file_too(train, data):
    (kept,) = train("none", meta_loops=1).files
    kept.resume.unlink()
    narrow = {
        part: Part(
            np.ascontiguousarray(getattr(data, part).images[:, :100]),
            getattr(data, part).labels,
            data.classes,
        )
        for part in ("train", "validation", "test")
    }
    with pytest.raises(InputError, match="was trained on mnist"):
        train("none", dataset=Split.of("mnist", *narrow.values(), data.pixel_values))


def test_without_a_seed_new_trials_take_the_one_that_is_there(train):
    train(["none"], trials=1, seed=5)
    outcome = train(["none", "hidden"], trials=2)
    assert {record.spec.seed for record in outcome.records} == {5}


def test_a_directory_in_use_is_refused_and_nothing_is_damaged(train, tmp_path):
    train("none")
    before = untouched(tmp_path)
    with (
        locked(tmp_path / "models" / ".lock", "busy"),
        pytest.raises(FrustrationError, match=r"another run is using .*models; wait for it") as refusal,
    ):
        train("none")
    assert "\n" not in str(refusal.value)
    assert untouched(tmp_path) == before
    assert loops(train("none")) == [8]


def test_a_session_locks_its_directory_while_it_trains(train):
    refused = []

    def intrude(event):
        if isinstance(event, LoopDone) and not refused:
            with pytest.raises(FrustrationError, match="another run is using"):
                train("hidden")
            refused.append(event)

    assert loops(train("none", emit=intrude)) == [4]
    assert refused


def test_other_numerics_are_refused_unless_accepted_and_then_recorded(train, tmp_path):
    (before,) = train("none", backend="torch", meta_loops=2).records
    kept = untouched(tmp_path)
    with pytest.raises(
        InputError, match=r"other numerics \(backend torch then, reference now.*--accept-numerics"
    ):
        train("none", backend="reference", meta_loops=2)
    assert {k: v for k, v in untouched(tmp_path).items() if not k.endswith(".lock")} == {
        k: v for k, v in kept.items() if not k.endswith(".lock")
    }
    (record,) = train("none", backend="reference", meta_loops=2, accept_numerics=True).records
    assert [entry.loop for entry in record.curve] == [1, 2, 3, 4]
    assert record.numerics["backend"] == "reference"
    assert record.past_numerics == ({**before.numerics, "until_loop": 2},)
    (record,) = train("none", backend="reference", meta_loops=1).records  # no flag: these are its own now
    assert len(record.past_numerics) == 1


def test_numerics_do_not_matter_where_nothing_is_trained(train):
    train("none", backend="torch", until=2)
    assert loops(train("none", backend="reference", until=2)) == [2]


def test_fresh_starts_anew(train):
    train("none", meta_loops=2)
    outcome = train("hidden", meta_loops=2, seed=9, architecture="[1*4]", fresh=True)
    assert loops(outcome) == [2]
    assert outcome.files[0].load().architecture == frustration.Architecture.parse("[1*4]")


def test_at_the_published_settings_decay_is_none_to_the_bit_and_inert(train):
    outcome = train(["none", "decay"], trials=2, learning_rate=1e-4)
    trials = [file.resumed() for file in outcome.files]
    for number in (0, 2):
        none, decay = outcome.records[number], outcome.records[number + 1]
        assert [entry.accuracy for entry in none.curve] == [entry.accuracy for entry in decay.curve]
        assert [entry.loss for entry in none.curve] == [entry.loss for entry in decay.curve]
        assert same_bits(trials[number].lkg, trials[number + 1].lkg)
        assert none.test_accuracy == decay.test_accuracy
        assert (none.inert, decay.inert) == ((), ("decay",))


def test_modes_other_than_dropout_are_identical_in_loop_1(train):
    outcome = train(["none", "full", "hidden", "output", "dropout"], meta_loops=1)
    losses = [record.curve[0].loss for record in outcome.records]
    assert losses[0] == losses[1] == losses[2] == losses[3] != losses[4]


def test_a_comparison_has_one_checkpoint_for_each_trial(train, tmp_path):
    outcome = train(["none", "hidden:dose=2/patience-3"], trials=2, meta_loops=1)
    assert [(r.spec.trial, r.spec.label) for r in outcome.records] == [
        (trial, label) for trial in (0, 1) for label in ("none", "hidden:dose=2/patience(3)")
    ]
    places = [str(file.lkg.relative_to(tmp_path / "models")) for file in outcome.files]
    assert places == [
        f"1x9,1x5/{mode}/t00{trial}_lkg.safetensors"
        for trial in (0, 1)
        for mode in ("none", "hidden.dose=2_patience-3")
    ]
    assert all(file.lkg.exists() and file.resume.exists() and file.record.exists() for file in outcome.files)


def test_one_mode_named_in_two_ways_is_refused(train):
    with pytest.raises(InputError, match='mode "hidden" is named twice'):
        train(["hidden", "hidden:dose=1"])
    assert len(train(["hidden", "hidden:dose=1.0"], meta_loops=1).records) == 2


def test_a_mode_with_nothing_to_act_on_is_refused_before_anything_is_written(train, tmp_path):
    with pytest.raises(InputError, match='mode "hidden" has nothing to act on'):
        train(["none", "hidden"], architecture="[]")
    assert not (tmp_path / "models").exists()


def test_what_a_killed_run_left_half_written_is_swept_up(train, tmp_path):
    outcome = train("none", meta_loops=1)
    partial = outcome.files[0].lkg.with_name(".mnist_lkg.safetensors.1-2.partial")
    partial.write_bytes(b"half")
    train("none", meta_loops=1)
    assert not partial.exists()


def test_the_record_on_disk_is_the_record_returned(train):
    outcome = train("hidden")
    assert frustration.read_record(outcome.files[0].record.read_bytes()).record() == replace(
        outcome.records[0], seconds=round(outcome.records[0].seconds, 3)
    )


def test_a_fraction_of_the_training_images_is_another_trial(train, data):
    whole, half = (train("none", f"{share}", train_fraction=share, meta_loops=1) for share in (1.0, 0.5))
    assert whole.records[0].spec.dataset_digest == data.digest
    assert half.records[0].spec.dataset_digest == data.fraction(0.5).digest
    assert whole.records[0].spec.id != half.records[0].spec.id


def test_the_session_says_what_it_is_about_to_do(train):
    starts = []
    train(
        ["none", "hidden"],
        trials=2,
        emit=lambda event: starts.append(event) if isinstance(event, SessionStart) else None,
    )
    (start,) = starts
    assert [spec.label for spec in start.specs] == ["none", "hidden"] * 2
    assert (start.loops, start.notes, start.backend, start.device) == (
        (0,) * 4,
        (),
        backends()[-1].name,
        "cpu",
    )


def test_checkpoints_lie_where_the_outcome_says(train):
    outcome = train("none", meta_loops=1)
    assert isinstance(outcome.files[0], CheckpointFiles)
    assert outcome.files[0].load().loop == 1


def test_a_closed_schedule_is_not_extended_beyond_its_end(train):
    train("none@1-1,hidden@2-2", meta_loops=2)
    for _ in range(2):  # the refusal leaves nothing behind
        with pytest.raises(InputError, match="says nothing about loop 4"):
            train("none@1-1,hidden@2-2", meta_loops=2)
    assert loops(train("none@1-1,hidden@2-2", until=2)) == [2]


def test_a_fresh_start_leaves_no_network_of_another_trial(train):
    train("none", meta_loops=1)
    outcome = train("none", meta_loops=1, learning_rate=1e30, architecture="[4*16]", fresh=True)
    (files,) = outcome.files
    assert outcome.records[0].bounty is None
    assert not files.lkg.exists()


def test_moments_are_forgotten_where_the_optimizer_is_fresh(train):
    train("plain", until=1)
    assert train("none", until=2).files[0].resumed().moments is None
    steps = train("plain", until=3).files[0].resumed().moments.steps
    assert steps == 10  # 640 samples in batches of 64, once


def test_an_lkg_alone_that_has_reached_the_goal_is_tested(train):
    outcome = train("none", meta_loops=2)
    outcome.files[0].resume.unlink()
    again = train("none", until=2)
    assert not again.interrupted
    assert again.records[0].test_accuracy == outcome.records[0].test_accuracy


def test_a_mode_added_later_takes_the_seed_of_those_beside_it(train):
    train(["none", "hidden"], trials=2, seed=5, meta_loops=1)
    assert {record.spec.seed for record in train("output", trials=2, meta_loops=1).records} == {5}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"modes": []}, "no mode is named"),
        ({"trials": 0}, "trials must be a whole number"),
        ({"threads": 0}, "threads must be a whole number"),
        ({"knobs": {"dropuot": {"p": 0.5}}}, "did you mean"),
        ({"learning_rate": "1e-3"}, "lr must be a finite number"),
        ({"seed": 1.5}, "seed must be a whole number"),
    ],
)
def test_what_cannot_be_used_is_refused_in_one_sentence(train, settings, sentence):
    with pytest.raises(InputError, match=sentence):
        train(**settings)


def test_numbers_of_numpy_are_numbers(train):
    assert train("none", seed=np.int64(3), meta_loops=np.int32(1)).records[0].spec.seed == 3


def test_a_checkpoint_of_a_mode_that_is_gone_says_where_it_is(train):
    (files,) = train("none", meta_loops=1).files
    content = files.resume.read_bytes()
    tensors, metadata = sealed.unpack(content)
    state = json.loads(metadata["state"])
    state["spec"]["mode"], state["spec"]["mode_params"] = "shrink", [{"mode": "shrink"}]
    files.resume.write_bytes(sealed.pack(tensors, {**metadata, "state": json.dumps(state)}))
    with pytest.raises(
        FrustrationError, match=r'safetensors cannot be continued: .*there is no mode "shrink"'
    ):
        train("none", meta_loops=1)
    del state["loop"]
    state["spec"]["mode"], state["spec"]["mode_params"] = "none", [{"mode": "none"}]
    files.resume.write_bytes(sealed.pack(tensors, {**metadata, "state": json.dumps(state)}))
    with pytest.raises(FrustrationError, match="not one that this version writes"):
        train("none", meta_loops=1)


def test_workers_do_not_import_from_the_folder_they_are_started_in(train, tmp_path, monkeypatch):
    (tmp_path / "random.py").write_text("raise SystemExit('not this one')")
    monkeypatch.chdir(tmp_path)
    assert loops(
        train(["none", "hidden"], trials=8, meta_loops=1, threads=2, backend="torch", batch_size=256)
    )


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(tmp_path):
    path = tmp_path / ".lock"
    with locked(path, "busy"):
        path.unlink()  # as `clean` may do in the instant before
        with locked(path, "busy"), pytest.raises(FrustrationError, match="busy"), locked(path, "busy"):
            pass


ENDING = "early-stop:n_epochs_to_switch=1"
GROWING = "dendrites:n_epochs_to_switch=1"


def test_where_a_schedule_has_ended_another_mode_continues(train):
    ended = train(ENDING, meta_loops=60, learning_rate=1e-2).records[0]
    assert ended.ended_early
    (record,) = train("hidden", meta_loops=3, learning_rate=1e-2).records
    assert (record.loop, len(record.curve)) == (ended.loop + 3, ended.loop + 3)
    assert record.continued
    assert not record.ended_early
    assert record.curve[-1].mode == "hidden"


def test_where_every_schedule_has_ended_there_is_nothing_to_do_until_any_loop(train):
    notes: list[str] = []
    train(ENDING, until=60, learning_rate=1e-2)
    train(ENDING, until=60, learning_rate=1e-2, emit=lambda e: notes.extend(getattr(e, "notes", ())))
    assert "every schedule has come to its end" in notes[0]


def test_dendrites_of_another_function_are_not_added_to_those_that_are_there(train):
    (record,) = train(GROWING, meta_loops=20, learning_rate=1e-2).records
    assert record.growth["added"]
    with pytest.raises(InputError, match="pai_forward_function=sigmoid"):
        train(f"{GROWING}:pai_forward_function=relu", learning_rate=1e-2)
    with pytest.raises(InputError, match="begins without"):
        train("restart", learning_rate=1e-2)
    (more,) = train("hidden", learning_rate=1e-2).records
    assert more.continued
