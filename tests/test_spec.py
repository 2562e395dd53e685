"""A spec says everything that can change a trial's result; its id changes with that and nothing else."""

import dataclasses
import hashlib
import json

import pytest

from frustration import Architecture, InputError, TrialSpec
from frustration.engine.trial import Trial
from frustration.modes import Program, mode_named, mode_names, registry
from frustration.network import Shape
from frustration.policy import Acceptance
from frustration.record import LoopEntry
from frustration.record_reading import read_record

EVERY_FIELD = {
    "architecture": "[4*4, 2*8]",
    "mode": "hidden:dose=2+dropout@1-50,none@51-",
    "trial": 3,
    "seed": 7,
    "dataset": "kmnist",
    "dataset_digest": "abc",
    "train_fraction": 0.5,
    "meta_loops": 60,
    "learning_rate": 3e-4,
    "batch_size": 128,
    "optimizer": "persist",
    "acceptance": "patience-3",
}

GOLDEN_IDS = {
    "none": "d3723c89a93e0737",
    "decay": "7ded758cb8ac4d42",
    "dropout": "d515be9a7d66fdc7",
    "full": "92fffd8bf63f1de1",
    "hidden": "a4faa78dd8922f8f",
    "output": "8803d50af47e1868",
    "plain": "13057d8e7bddcead",
    "restart": "f642b0bf8bbf7ede",
    "noise": "18d1a0a9d065878f",
    "ratchet": "4d9748b454780634",
    "dendrites": "905bc8d23979dba3",
    "early-stop": "feb6c2984e48d011",
    "reset": "48532fecbeff5df0",
    "wide": "4fe3a1021302aeff",
    "redo": "176aade42612fe98",
    "cbp": "0750cee135d9dc08",
}
GOLDEN_ID_OF_EVERY_FIELD = "70dc5fede1550c29"

OTHER_VALUES = {
    "architecture": Architecture.parse("[2*32]"),
    "program": Program.parse("hidden"),
    "trial": 1,
    "seed": 1,
    "dataset": "kmnist",
    "dataset_digest": "abc",
    "train_fraction": 0.5,
    "meta_loops": 99,
    "learning_rate": 2e-4,
    "batch_size": 255,
    "optimizer": "persist",
    "acceptance": Acceptance("ties"),
    "updates": "equal-updates",
    "loop_steps": 20,
}


@pytest.mark.parametrize("mode", GOLDEN_IDS)
def test_ids_are_the_ones_that_records_were_filed_under(mode):
    """Golden ids: a changed default must change them, and nothing else may."""
    assert TrialSpec.of("[1*32]", mode).id == GOLDEN_IDS[mode]


def test_an_id_with_every_field_set_is_the_one_that_records_were_filed_under():
    assert TrialSpec.of(**EVERY_FIELD).id == GOLDEN_ID_OF_EVERY_FIELD


@pytest.mark.parametrize("fields", [{}, {"updates": "equal-updates"}, {"loop_steps": 3}], ids=str)
def test_trials_of_one_cell_get_the_ids_that_each_has_alone(fields, monkeypatch):
    """Also where a knob is called as the number is."""
    monkeypatch.setattr(Program, "knobs", [{"mode": "mine", "trial": 0}])
    first = TrialSpec.of(**{**EVERY_FIELD, "trial": 0, **fields})
    assert len(first.id) == 16  # what is kept of it must not become another's
    for trial in (0, 7, 10**6):
        one, alone = first.numbered(trial), dataclasses.replace(first, trial=trial)
        text = json.dumps(alone.to_dict(), sort_keys=True, separators=(",", ":"))
        assert one == alone
        assert one.id == alone.id == hashlib.sha256(text.encode()).hexdigest()[:16]
    for wrong in (-1, True, 1.5, 10**6 + 1):
        with pytest.raises(InputError, match="trial must be a whole number"):
            first.numbered(wrong)


def test_every_built_in_mode_has_a_golden_id():
    assert set(GOLDEN_IDS) == {mode.name for mode in registry.BUILT_IN}


@pytest.mark.parametrize("field", [field.name for field in dataclasses.fields(TrialSpec)])
def test_every_field_changes_the_id(field):
    usual, changed = TrialSpec.of("[1*32]", "none"), TrialSpec.of("[1*32]", "none")
    assert getattr(usual, field) != OTHER_VALUES[field]
    object.__setattr__(changed, field, OTHER_VALUES[field])
    assert changed.id != usual.id


OTHER_KNOBS = {
    "selector": ("lowest-utility",),
    "switch_mode": ("none",),
    "fixed_switch_num": (9, "switch_mode=fixed"),
    "first_fixed_switch_num": (9, "switch_mode=fixed"),
    "initial_history_after_switches": (3,),
    "improvement_threshold": ("0.01;0.001",),
    "retain_all_dendrites": (True,),
    "candidate_weight_init_by_main": (True,),
    "pai_forward_function": ("tanh",),
    "layers": ("0;1",),
    "min_epochs_before_growth": (7,),
    "testing_dendrite_capacity": (True,),
    "maximizing_score": (False,),
}
"""Values that are not the default, with the knobs that they need beside them."""


def _order(setting: str) -> int:
    names = [field.name for field in dataclasses.fields(mode_named("dendrites"))]
    name = setting.partition("=")[0]
    return names.index(name) if name in names else 0


WITHOUT_GROWTH = ("max_dendrites", "retain_all_dendrites", "testing_dendrite_capacity")
"""What early-stop cannot be told, because it grows nothing."""

KNOBS = [
    (name, field.name)
    for name in mode_names()
    for field in dataclasses.fields(mode_named(name))
    if not (name == "early-stop" and field.name in WITHOUT_GROWTH)
]


@pytest.mark.parametrize("mode, knob", KNOBS)
def test_every_knob_changes_the_id_and_the_label(mode, knob):
    usual = TrialSpec.of("[1*32]", mode)
    before = usual.program.segments[0].components[0].knobs[knob]
    if knob in OTHER_KNOBS:
        value, *needed = OTHER_KNOBS[knob]
    else:
        value, needed = before * 2 if isinstance(before, int) and before else before / 2, []
    written = "".join(f":{name}" for name in sorted([f"{knob}={value}", *needed], key=_order))
    changed, beside = (
        TrialSpec.of("[1*32]", f"{mode}{knobs}") for knobs in (written, ":".join(["", *needed]))
    )
    assert changed.id not in (usual.id, beside.id)
    label = f"wide@{value}" if mode == "wide" else f"{mode}{written}"
    assert changed.label == label
    assert TrialSpec.of("[1*32]", label).id == changed.id


@pytest.mark.parametrize("mode", ["hidden", "full", "output", "noise"])
def test_all_units_are_not_one_unit(mode):
    """1 and 1.0 are equal numbers, and yet different doses."""
    one, all_units = (TrialSpec.of("[1*32]", f"{mode}:dose={dose}") for dose in ("1", "1.0"))
    assert one.id != all_units.id
    assert (one.label, all_units.label) == (mode, f"{mode}:dose=1.0")


def test_where_a_trial_runs_is_not_part_of_what_it_is():
    names = {field.name for field in dataclasses.fields(TrialSpec)}
    assert not names & {"device", "backend", "threads", "runner", "workers", "model_dir"}


def test_what_is_written_in_two_ways_is_one_trial():
    ways = [
        TrialSpec.of("[1*32]", "hidden/persist/patience-3", learning_rate=1),
        TrialSpec.of("1x32", " hidden:dose=1:selector=uniform/patience(3)/persist ", learning_rate=1.0),
        TrialSpec.of(
            Architecture((32,)), "hidden", optimizer="persist", acceptance="patience(3)", learning_rate=1
        ),
        TrialSpec.of("[1*32]", "hidden@1-", optimizer="persist", acceptance="patience-3", learning_rate=1),
    ]
    assert len({spec.id for spec in ways}) == 1
    assert len({spec.label for spec in ways}) == 1


@pytest.mark.parametrize("mode", [*GOLDEN_IDS, EVERY_FIELD["mode"], "hidden:dose=0.25", "hidden:dose=1.0"])
def test_a_spec_survives_json(mode):
    spec = TrialSpec.of(**{**EVERY_FIELD, "mode": mode})
    again = TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert again == spec
    assert again.id == spec.id
    assert json.dumps(again.to_dict()) == json.dumps(spec.to_dict())


def test_a_spec_of_another_schema_is_refused():
    with pytest.raises(InputError, match="schema 99"):
        TrialSpec.from_dict({**TrialSpec.of("[1*32]", "none").to_dict(), "schema": 99})


def test_a_policy_in_the_mode_wins_over_one_beside_it_and_that_over_the_modes_own():
    assert TrialSpec.of("[1*4]", "plain").optimizer == "persist"
    assert TrialSpec.of("[1*4]", "plain", optimizer="fresh").optimizer == "fresh"
    assert TrialSpec.of("[1*4]", "plain/persist-masked", optimizer="fresh").optimizer == "persist-masked"
    assert str(TrialSpec.of("[1*4]", "none/ties", acceptance="patience-2").acceptance) == "ties"
    assert str(TrialSpec.of("[1*4]", "none", acceptance="patience-2").acceptance) == "patience(2)"


@pytest.mark.parametrize(
    "mode, fields, label",
    [
        ("hidden", {}, "hidden"),
        ("hidden:dose=1", {}, "hidden"),
        ("hidden:dose=2+dropout:p=0.1", {}, "hidden:dose=2+dropout"),
        ("dropout@1-5,hidden@6-", {}, "dropout@1-5,hidden@6-"),
        ("none", {"optimizer": "persist"}, "none/persist"),
        ("plain", {}, "plain"),
        ("plain/fresh", {}, "plain/fresh"),
        ("none/patience-3/persist", {}, "none/persist/patience(3)"),
        ("none/strict", {"acceptance": "ties"}, "none"),
    ],
)
def test_a_label_says_what_differs_from_the_defaults(mode, fields, label):
    assert TrialSpec.of("[1*4]", mode, **fields).label == label


@pytest.mark.parametrize(
    "mode", [*GOLDEN_IDS, EVERY_FIELD["mode"], "full:dose=0.5:selector=uniform", "none/persist"]
)
def test_a_label_can_be_given_back_as_a_mode(mode):
    spec = TrialSpec.of("[1*32]", mode, acceptance="patience-4")
    # A label is read without what was said beside the mode.
    assert TrialSpec.of("[1*32]", spec.label).id == spec.id


@pytest.mark.parametrize(
    "field, values",
    [
        ("trial", [-1, 1.5, True, "1"]),
        ("seed", [-1, 2**63, None]),
        ("meta_loops", [0, -1, 2.0]),
        ("batch_size", [0, -256, 2**21]),
        ("learning_rate", [0, -1e-4, float("nan"), float("inf")]),
        ("train_fraction", [0, 1.01, -0.5, float("nan")]),
        ("optimizer", ["adam"]),
        ("acceptance", ["lenient", "patience(0)", "patience"]),
    ],
)
def test_values_that_make_no_sense_are_refused_by_name(field, values):
    flag = {"learning_rate": "lr"}.get(field, field.replace("_", "-"))
    for value in values:
        with pytest.raises(InputError, match=f"^{flag}"):
            TrialSpec.of("[1*4]", "none", **{field: value})


def test_a_spec_with_another_stop_rule_is_refused():
    written = {**TrialSpec.of("[1*4]", "none").to_dict(), "stop_rule": "plateau"}
    with pytest.raises(InputError, match=r'^the stop rule "plateau"'):
        TrialSpec.from_dict(written)


def test_a_spec_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        TrialSpec.of("[1*4]", "none").trial = 2


def test_a_record_survives_json():
    spec = TrialSpec.of(**{**EVERY_FIELD, "meta_loops": 2})
    trial = Trial.fresh(spec, Shape(spec.architecture, 784, 10))
    trial.curve = [
        LoopEntry(
            loop=1,
            mode="hidden",
            loss=1.5,
            before=None,
            damaged=None,
            accuracy=50.0,
            accepted=True,
            new_bounty=True,
        ),
        LoopEntry(
            loop=2,
            mode="hidden",
            loss=None,
            before=50.0,
            damaged=40.0,
            accuracy=None,
            accepted=False,
            new_bounty=False,
            diverged=True,
            evidence={"hidden": {"units": [[0, 1]], "removed": 2.0}},
        ),
    ]
    trial.loop, trial.seconds = 2, 1.25
    trial.bounty, trial.bounty_loop, trial.test_accuracy = 50.0, 1, 49.0
    trial.numerics, trial.past_numerics = {"backend": "torch"}, [{"backend": "reference", "until_loop": 1}]
    record = trial.record()
    again = read_record(json.dumps(record.to_dict(), allow_nan=False).encode()).record()
    assert again == record
    assert (again.loop, again.finished) == (2, True)
    with pytest.raises(InputError, match="schema 99"):
        read_record(json.dumps({**record.to_dict(), "record_schema": 99}).encode())


def test_harm_and_recovery_are_differences_of_accuracies():
    entry = LoopEntry(
        loop=2, mode="", loss=1, before=50, damaged=40, accuracy=55, accepted=True, new_bounty=True
    )
    assert (entry.harm, entry.recovery) == (10, 15)
    unharmed = dataclasses.replace(entry, damaged=None)
    assert (unharmed.harm, unharmed.recovery) == (None, None)
