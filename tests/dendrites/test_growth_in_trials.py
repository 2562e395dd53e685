"""Trials that grow: each at its own time, many side by side, resumed to the same bits."""

import copy
import json
import threading
import types

import pytest
import torch

import frustration
from frustration.checkpoint import CheckpointFiles
from frustration.dendrites.module import DendriticMLP
from frustration.engine.group import numerics_of, plan
from frustration.engine.loop import MetaLoop
from frustration.engine.torch import TorchBackend
from frustration.errors import InputError
from frustration.modes import ModeError
from frustration.testing.trials import backends, fresh, populations_of, same_bits, scores, spec_of, trained

pytestmark = pytest.mark.slow

ARCHITECTURE = "[1*12]"
EAGER = ":n_epochs_to_switch=2"
LOOPS = 25
BACKENDS = pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)


def growing(mode: str = "dendrites", trial: int = 0, knobs: str = EAGER, **fields):
    fields = {"meta_loops": LOOPS, "learning_rate": 1e-2, **fields}
    return spec_of(ARCHITECTURE, f"{mode}{knobs}", trial=trial, **fields)


@BACKENDS
def test_trials_grow_each_at_its_own_time_and_side_by_side(backend, data):
    trials = trained([growing(trial=t) for t in range(3)], data, backend)
    times = [[attempt["loop"] for attempt in t.growth.summary()["attempts"]] for t in trials]
    assert all(times)
    assert len(set(map(tuple, times))) > 1
    alone = trained([growing(trial=1)], data, backend)[0]
    assert not backend.depends_on_group or alone.loop
    if not backend.depends_on_group:
        assert alone.curve == trials[1].curve
        assert same_bits(alone.lkg, trials[1].lkg)


@BACKENDS
def test_the_curve_says_what_was_trained(backend, data):
    (trial,) = trained([growing()], data, backend)
    entries = trial.curve
    assert entries[0].dendrites == 0
    for entry in entries:
        grew = entry.evidence.get("dendrites", {})
        if grew:
            assert grew["dendrites"] == entry.dendrites
            assert grew["parameters"][1] == entry.parameters
    record = trial.record()
    assert (record.parameters, record.flops) == (trial.lkg.shape.size, trial.lkg.shape.flops)
    assert (
        frustration.read_record(json.dumps(record.to_dict()).encode()).record().to_dict() == record.to_dict()
    )
    assert record.growth["added"] >= 1
    assert record.inert == ()


@BACKENDS
@pytest.mark.parametrize(
    "mode", ["dendrites", "dendrites+hidden", "reset", "early-stop", "ratchet+dendrites"]
)
def test_a_trial_kept_after_any_loop_continues_to_the_same_bits(mode, backend, data, tmp_path):
    name, plus, rest = mode.partition("dendrites")
    spec = growing(name + plus if plus else mode, knobs=EAGER + rest)
    kept = {}

    def observe(trial, entry):
        files = CheckpointFiles(tmp_path / f"{entry.loop}")
        files.save(trial, lkg_too=True)
        kept[entry.loop] = files

    (whole,) = trained([spec], data, backend, observe=observe)
    for loop in range(1, whole.loop, 3):
        trial = kept[loop].resumed()
        (group,) = plan([trial], backend)
        MetaLoop(
            group, populations_of(group, data, backend), data, lambda trial, entry: None, threading.Event()
        ).run()
        assert trial.curve == whole.curve, loop
        assert same_bits(trial.base, whole.base)
        assert same_bits(trial.lkg, whole.lkg)
        assert trial.record().growth == whole.record().growth


def test_early_stop_is_dendrites_until_the_first_growth_and_then_ends(data):
    grows, stops = trained([growing(), growing("early-stop")], data)
    first = grows.growth.summary()["attempts"][0]["loop"]
    assert stops.loop == first
    assert scores(stops) == scores(grows)[:first]
    assert stops.record().ended_early
    assert stops.record().finished
    assert "max_dendrites=0" in stops.record().growth["why"]


def test_reset_goes_back_at_the_same_moment_and_adds_nothing(data):
    grows, resets = trained([growing(), growing("reset")], data)
    first = grows.growth.summary()["attempts"][0]
    again = resets.growth.summary()["attempts"][0]
    assert (again["loop"], again["dendrites"]) == (first["loop"], 0)
    assert again["parameters_before"] == again["parameters_after"]
    assert scores(resets)[: first["loop"]] == scores(grows)[: first["loop"]]
    after = resets.curve[first["loop"]]
    assert after.evidence["reset"]["went_back_to_loop"] < first["loop"]
    assert resets.record().growth["added"] == 0
    assert not resets.lkg.shape.grown


def test_with_the_ratchet_a_discarded_candidate_takes_its_dendrites_with_it(data):
    (trial,) = trained([growing("ratchet+dendrites", learning_rate=3e-2)], data)
    grew = [entry for entry in trial.curve if "dendrites" in entry.evidence]
    assert grew
    held = 0
    for entry in trial.curve:
        assert entry.dendrites == held + ("dendrites" in entry.evidence)
        held = entry.dendrites if entry.accepted else held
    assert max(trial.base.shape.dendrites) == held
    outcomes = [attempt["outcome"] for attempt in trial.growth.summary()["attempts"]]
    assert outcomes == ["kept" if entry.accepted else "failed" for entry in grew]


def test_a_discarded_candidate_that_had_grown_leaves_the_moments_of_the_base_alone(data):
    steps = {}

    def observe(trial, entry):
        steps[entry.loop] = trial.moments.steps if trial.moments else None

    spec = spec_of(ARCHITECTURE, f"ratchet+dendrites{EAGER}/persist", meta_loops=LOOPS, learning_rate=3e-2)
    (trial,) = trained([spec], data, observe=observe)
    failed = [e.loop for e in trial.curve if "dendrites" in e.evidence and not e.accepted]
    assert failed
    for loop in failed:
        assert steps[loop] == steps[loop - 1]


def test_a_grown_candidate_that_patience_takes_up_was_kept(data):
    spec = spec_of(ARCHITECTURE, f"ratchet+dendrites{EAGER}/patience-3", meta_loops=60, learning_rate=3e-2)
    (trial,) = trained([spec], data)
    adopted = {entry.adopted for entry in trial.curve} - {None}
    attempts = trial.record().growth["attempts"]
    taken_up = [attempt for attempt in attempts if attempt["loop"] + 1 in adopted]
    assert taken_up
    assert {attempt["outcome"] for attempt in taken_up} == {"kept"}
    assert trial.record().growth["added"] >= max(trial.lkg.shape.dendrites)


def test_attempts_are_counted_over_all_ranges_of_loops(data):
    mode = f"none@1-4,dendrites:switch_mode=every@5-8,hidden@9-10,dendrites{EAGER}@11-"
    (trial,) = trained([spec_of(ARCHITECTURE, mode, meta_loops=30, learning_rate=1e-2)], data)
    attempts = trial.record().growth["attempts"]
    loops = [attempt["loop"] for attempt in attempts]
    assert loops[0] == 5
    assert loops == sorted(loops)
    assert any(loop > 10 for loop in loops)
    trained_at = {entry.loop: entry for entry in trial.curve}
    for attempt in attempts:
        after = trained_at.get(attempt["loop"] + 1)
        if after is not None and after.mode.startswith("dendrites"):
            assert (after.dendrites, after.parameters) == (attempt["dendrites"], attempt["parameters_after"])
    assert all(entry.flops for entry in trial.curve)


@pytest.mark.parametrize("trial", range(4))
def test_the_dendrites_of_a_record_are_those_of_the_network_that_it_is_about(trial, data):
    # A margin that no dendrite meets: the schedule keeps none, and the strict best may have some.
    knobs = EAGER + ":improvement_threshold=0.5:max_dendrite_tries=4"
    (grown,) = trained([growing(trial=trial, knobs=knobs)], data)
    record = grown.record()
    size = grown.shape.with_dendrites((record.growth["added"],) * len(grown.shape.dendrites)).size
    assert record.parameters == size


def test_a_trial_may_keep_a_network_of_a_try_that_its_schedule_calls_failed(data):
    """With margins that nothing passes: the library returns the network from before the try."""
    knobs = f"{EAGER}:max_dendrite_tries=1:improvement_threshold_raw=0.9"
    (trial,) = trained([growing(knobs=knobs, trial=1, learning_rate=3e-3)], data)
    record = trial.record()
    assert [attempt["outcome"] for attempt in record.growth["attempts"]] == ["failed"]
    (attempt,) = record.growth["attempts"]
    assert record.bounty_loop > attempt["loop"]
    assert record.growth["added"] == max(trial.lkg.shape.dendrites) == 1
    assert record.parameters == attempt["parameters_after"] > attempt["parameters_before"]


def test_the_reference_alone_has_the_bits_of_the_library_and_the_others_are_close(data):
    (reference, *others) = [trained([growing(meta_loops=3)], data, one)[0] for one in backends()]
    assert others
    for other in others:
        assert not same_bits(other.lkg, reference.lkg)
        assert [loop.loss for loop in other.curve] == pytest.approx(
            [loop.loss for loop in reference.curve], abs=1e-4
        )


def test_where_nothing_grew_the_record_is_inert_and_says_why(data):
    (trial,) = trained([growing(knobs="", meta_loops=3)], data)
    record = trial.record()
    assert record.inert == ("dendrites",)
    assert record.growth["added"] == 0
    assert record.growth["why"]


def test_growth_may_be_followed_by_another_treatment(data):
    (trial,) = trained(
        [spec_of(ARCHITECTURE, f"dendrites{EAGER}@1-12,hidden@13-", meta_loops=16, learning_rate=1e-2)], data
    )
    assert trial.loop == 16
    assert trial.base.shape.grown


def test_a_schedule_that_ends_before_its_range_of_loops_lets_the_trial_go_on(data):
    (trial,) = trained(
        [spec_of(ARCHITECTURE, f"early-stop{EAGER}@1-22,hidden@23-", meta_loops=25, learning_rate=1e-2)], data
    )
    alone = trained([growing("early-stop")], data)[0]
    assert alone.loop < 22
    assert scores(trial)[: alone.loop] == scores(alone)
    assert trial.loop == 25
    assert trial.record().growth["ended"] == "schedule"
    assert not trial.record().ended_early


def test_the_end_of_the_last_schedule_is_the_end_of_the_trial(data):
    mode = f"hidden@1-2,early-stop{EAGER}@3-"
    (trial,) = trained([spec_of(ARCHITECTURE, mode, meta_loops=60, learning_rate=1e-2)], data)
    assert trial.loop < 60
    assert trial.record().ended_early


def test_a_lower_rate_after_growth_is_the_rate_of_grown_networks_only(data):
    knobs = EAGER + ":post_growth_lr_factor=0.1"
    usual, slower = trained([growing(), growing(knobs=knobs)], data)
    first = usual.growth.summary()["attempts"][0]["loop"]
    assert scores(slower)[:first] == scores(usual)[:first]
    assert slower.curve[first].loss != usual.curve[first].loss


def test_moments_do_not_survive_growth(data):
    trial = fresh(growing(), data)
    (group,) = plan([trial], TorchBackend())
    seen = []

    def observe(trial, entry):
        seen.append((trial.moments is None, copy.copy(trial.base.shape)))

    MetaLoop(group, populations_of(group, data, TorchBackend()), data, observe, threading.Event()).run()
    shapes = [shape for _, shape in seen]
    for (forgot, shape), before in zip(seen[1:], shapes[:-1], strict=True):
        assert forgot == (shape != before) or forgot


def test_the_lkg_of_a_grown_network_loads_into_a_plain_module(data, tmp_path):
    (trial,) = trained([growing()], data)
    files = CheckpointFiles(tmp_path / "mnist_lkg")
    files.save_lkg(trial)
    module = DendriticMLP.load(files.lkg)
    import torch

    pixels = torch.from_numpy(data.pixel_values[data.test.images])
    right = (module.eval()(pixels).argmax(1).numpy() == data.test.labels).mean()
    assert 100 * right == pytest.approx(trial.test_accuracy)
    assert same_bits(files.load().lkg, trial.lkg)


@pytest.mark.parametrize(
    "mode, words",
    [
        ("dendrites:layers=5", "there is no linear layer 5"),
        ("dendrites:p_epochs_to_switch=3", "perforatedbp"),
        ("dendrites:n_epoch_to_switch=3", "did you mean n_epochs_to_switch"),
        ("dendrites:fixed_switch_num=3", "switch_mode=fixed"),
        ("dendrites+reset", "two schedules"),
        ("early-stop:max_dendrites=2", "grows nothing"),
        ("dendrites+restart", "restart"),
        ("dendrites@1-9,restart@10-", "restart"),
        ("ratchet+reset", 'leave out "ratchet"'),
        ("ratchet+early-stop", 'leave out "ratchet"'),
        ("ratchet+dendrites:switch_mode=none", "switch_mode=none cannot act"),
        ("ratchet+dendrites:improvement_threshold=0.1", "cannot act"),
        ("dendrites@1-9,dendrites:pai_forward_function=relu@10-", "cannot compute both relu and sigmoid"),
        ("wide@0", "from 1 to 100"),
        ("wide@1@1-5,none@6-", "@"),
    ],
)
def test_what_cannot_be_meant_is_refused_in_one_sentence(mode, words):
    with pytest.raises(ModeError) as refusal:
        spec_of(ARCHITECTURE, mode).check(10)
    assert words in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_trials_under_way_travel_to_worker_processes(tmp_path):
    """Resumed by two workers: what growth depends on is sent to them, the state of its generator too."""
    # Two modes that cannot share a group, so that both workers have something to do.
    common = {"modes": ["dendrites:n_epochs_to_switch=1", "wide@1"], "trials": 2, "learning_rate": 1e-2}
    common |= {"train_fraction": 0.02, "backend": "torch", "threads": 2}
    whole = frustration.train("[1*4]", until=8, model_dir=tmp_path / "whole", **common)
    frustration.train("[1*4]", until=3, model_dir=tmp_path / "halves", **common)
    resumed = frustration.train("[1*4]", until=8, model_dir=tmp_path / "halves", **common)
    assert [r.curve for r in resumed.records] == [r.curve for r in whole.records]
    assert [r.growth for r in resumed.records] == [r.growth for r in whole.records]
    assert any(r.growth and r.growth["attempts"] for r in whole.records)


@pytest.mark.parametrize(
    "mode, vector, growth",
    [
        ("dendrites", "AVX512", None),
        ("dendrites", "AVX2", None),
        ("dendrites", "DEFAULT", "DEFAULT"),
        ("hidden@1-4,dendrites@5-", "DEFAULT", "DEFAULT"),
        ("hidden", "DEFAULT", None),
    ],
)
def test_what_draws_depend_on_is_part_of_the_numerics_of_what_may_grow(mode, vector, growth, monkeypatch):
    """Also of backends that compute without torch: `torch.randn` draws other numbers without AVX2."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: vector)
    backend = types.SimpleNamespace(numerics=lambda: {"backend": "native"})
    spec = spec_of(ARCHITECTURE, mode, meta_loops=9)
    expected = {"backend": "native"} | ({"growth": growth} if growth else {})
    assert numerics_of(spec, backend) == expected


def test_growth_is_not_continued_where_draws_would_be_others(data, tmp_path, monkeypatch):
    settings = {"dataset": data, "meta_loops": 1, "model_dir": tmp_path, "threads": 1}
    frustration.train(ARCHITECTURE, "dendrites", **settings)
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "DEFAULT")
    with pytest.raises(InputError, match=r"other numerics \(.*DEFAULT now"):
        frustration.train(ARCHITECTURE, "dendrites", **settings)
