"""What every mode promises, the built-in ones and those that other packages bring.

The suite asks the registry which modes there are. With your package installed, run it on your own mode:
`pytest tests/contract -k NAME`.
"""

import dataclasses
import inspect
import itertools
import json
import threading

import numpy as np
import pytest
from laboratory import backends, fresh, populations_of, same_bits, scores, spec_of, trained

from frustration import Architecture, TrialSpec
from frustration.engine.group import plan
from frustration.engine.loop import run
from frustration.engine.population import Interrupted
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend
from frustration.modes import (
    EpochSettings,
    LoopContext,
    Mode,
    ModeError,
    Program,
    mode_named,
    mode_names,
    registry,
)
from frustration.modes.ablation import Ablation
from frustration.network import Network, Shape
from frustration.streams import Streams

ARCHITECTURE = "[1*6, 1*5]"
LOOPS = 6
MODES = mode_names()
DOSED = [name for name in MODES if mode_named(name).dose_knob]
DAMAGING = [name for name in MODES if mode_named(name).damages]
WIDENING = [name for name in MODES if mode_named(name).widens]
REGIME = EpochSettings(learning_rate=1e-3)
IN_TRAINING = [name for name in MODES if mode_named(name)().training(REGIME) != REGIME]
ONLY_BEFORE_TRAINING = [name for name in MODES if name not in (*IN_TRAINING, *WIDENING)]
BACKENDS = pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)


@pytest.fixture(scope="module")
def population(data):
    """Every mode, trained for some loops side by side: name -> (trial, its base before every loop)."""
    bases: dict[str, list] = {}

    def observe(trial, entry):
        bases.setdefault(trial.spec.label, []).append(trial.base.copy())

    trials = trained([spec_of(ARCHITECTURE, mode, meta_loops=LOOPS) for mode in MODES], data, observe=observe)
    initial = fresh(trials[0].spec, data).base
    return {
        mode: (trial, [initial, *bases[trial.spec.label][:-1]])
        for mode, trial in zip(MODES, trials, strict=True)
    }


def intervention(mode: str, before, loop: int, data, architecture: str = ARCHITECTURE):
    """(network after it, evidence) of a mode's intervention alone, in a loop of trial 0."""
    probe = data.pixel_values[data.train.images[:1_000]]
    context = LoopContext(Streams(0, 0, Architecture.parse(architecture)), loop, probe)
    candidate = before.copy()
    evidence: dict = {}
    for component in Program.parse(mode).at(loop).components:
        evidence |= component.intervene(candidate, context)
    return candidate, evidence


def network_for(architecture: str, data, trial: int = 0):
    """Fresh: none of its weights is zero."""
    return fresh(TrialSpec.of(architecture, "none", trial=trial), data).base


@pytest.mark.parametrize("name", MODES)
def test_it_has_a_name_knobs_and_help(name):
    mode = mode_named(name)
    assert issubclass(mode, Mode)
    assert mode.name == name
    assert inspect.getdoc(mode) not in (None, inspect.getdoc(Mode))
    assert not mode.__doc__.startswith(f"{mode.__name__}(")  # what a dataclass writes if nobody did
    assert dataclasses.is_dataclass(mode)
    assert mode.dose_knob is None or mode.dose_knob in mode().knobs


@pytest.mark.parametrize("name", MODES)
def test_its_knobs_survive_the_spec(name):
    spec = spec_of(ARCHITECTURE, name)
    assert [knobs["mode"] for knobs in spec.program.knobs] == [name]
    again = TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    assert (again, again.id) == (spec, spec.id)
    assert spec_of(ARCHITECTURE, spec.label).label == spec.label


@BACKENDS
@pytest.mark.parametrize("name", DOSED)
def test_at_dose_0_it_is_its_control_to_the_bit(name, backend, data):
    knob = mode_named(name).dose_knob
    control, treated = trained(
        [spec_of(ARCHITECTURE, mode) for mode in ("none", f"{name}:{knob}=0")], data, backend
    )
    assert scores(control) == scores(treated)
    assert same_bits(control.base, treated.base)
    assert same_bits(control.lkg, treated.lkg)


@pytest.mark.parametrize("name", DOSED)
def test_at_dose_0_it_is_reported_as_inert(name, data):
    knob = mode_named(name).dose_knob
    (trial,) = trained([spec_of(ARCHITECTURE, f"{name}:{knob}=0")], data)
    assert trial.record().inert == ((name,) if not mode_named(name).control else ())


@pytest.mark.parametrize("name", MODES)
def test_it_is_reported_as_inert_exactly_if_it_never_acted(name, population):
    trial, _ = population[name]
    mode = mode_named(name)
    acted = any(mode().acted(entry.evidence.get(name, {})) for entry in trial.curve)
    assert trial.record().inert == (() if acted or mode.control else (name,))


def test_every_built_in_treatment_acts_at_these_settings(population, data):
    # For a plateau, and for a share of six units that makes one: six loops do not reach them.
    waiting = {"dendrites": "switch_mode=every", "cbp": "rate=0.1"}
    inert = {mode.name for mode in registry.BUILT_IN if population[mode.name][0].record().inert}
    assert inert == waiting.keys()
    impatient = [spec_of(ARCHITECTURE, f"{mode}:{knob}", meta_loops=LOOPS) for mode, knob in waiting.items()]
    assert not any(trial.record().inert for trial in trained(impatient, data))


@BACKENDS
def test_at_the_published_settings_decay_is_none_to_the_bit_and_inert(backend, data):
    """1 - 1e-4 * 1e-4 is 1 in float32."""
    control, decay = trained(
        [spec_of(ARCHITECTURE, mode, learning_rate=1e-4) for mode in ("none", "decay")], data, backend
    )
    assert scores(decay) == scores(control)
    assert same_bits(decay.base, control.base)
    assert decay.record().inert == ("decay",)


@pytest.mark.parametrize("name", [name for name in DAMAGING if name in ONLY_BEFORE_TRAINING])
def test_in_a_trial_of_one_loop_damage_is_reported_as_inert(name, data):
    (trial,) = trained([spec_of(ARCHITECTURE, name, meta_loops=1)], data)
    assert trial.record().inert == (() if mode_named(name).control else (name,))


@BACKENDS
@pytest.mark.parametrize("name", ONLY_BEFORE_TRAINING)
def test_if_it_does_not_act_in_training_its_loop_1_is_that_of_its_control(name, backend, data):
    control, treated = trained(
        [spec_of(ARCHITECTURE, mode, meta_loops=1) for mode in ("none", name)], data, backend
    )
    assert scores(treated) == scores(control)
    assert same_bits(treated.base, control.base)


@pytest.mark.parametrize("name", IN_TRAINING)
def test_what_it_changes_in_training_no_other_mode_changes(name):
    def changed(mode):
        after = mode_named(mode)().training(REGIME)
        return {
            f.name
            for f in dataclasses.fields(EpochSettings)
            if getattr(after, f.name) != getattr(REGIME, f.name)
        }

    for other in IN_TRAINING:
        assert other == name or not changed(other) & changed(name)


@pytest.mark.parametrize("name", WIDENING)
def test_if_it_widens_the_network_it_says_so_and_does_so_for_all_loops(name, data):
    spec = spec_of(ARCHITECTURE, name)
    assert fresh(spec, data).lkg.shape.architecture != spec.architecture
    assert fresh(spec, data).lkg.shape.architecture.depth == spec.architecture.depth
    with pytest.raises(ModeError, match="cannot change its width"):
        spec_of(ARCHITECTURE, f"{name}@1-4,none@5-")


@pytest.mark.parametrize("name", [name for name in MODES if name not in WIDENING])
def test_it_leaves_nothing_behind_for_the_mode_that_follows_it(name, data):
    """The contamination that spoilt published runs: one mode's setting left on in another."""
    for other in ONLY_BEFORE_TRAINING + IN_TRAINING:
        if (name, other) == ("dendrites", "restart"):
            continue  # refused: a network that has grown cannot begin anew
        alone, after = (
            fresh(spec_of(ARCHITECTURE, mode, meta_loops=9), data)
            for mode in (other, f"{name}@1-4,{other}@5-")
        )
        for trial in (alone, after):
            trial.loop = 4
        plans = [
            trial.intervene(trial.base.copy(), trial.order(64), data.pixel_values[data.train.images[:50]])
            for trial in (alone, after)
        ]
        assert plans[0].epoch.settings == plans[1].epoch.settings
        assert plans[0].evidence == plans[1].evidence


@pytest.mark.parametrize("name", MODES)
def test_the_lkg_never_falls(name, population, data):
    trial, _ = population[name]
    best = [max(e.accuracy for e in trial.curve[: n + 1]) for n in range(LOOPS)]
    assert trial.bounty == best[-1]
    assert [entry.new_bounty for entry in trial.curve] == [
        n == 0 or best[n] > best[n - 1] for n in range(LOOPS)
    ]
    if mode_named(name).ratchet:
        assert [entry.accepted for entry in trial.curve] == [entry.new_bounty for entry in trial.curve]
        assert same_bits(trial.base, trial.lkg)
    assert evaluated(trial.lkg, data) == trial.bounty


def evaluated(network, data, part: str = "validation") -> float:
    """Accuracy in percent, of the reference."""
    population = ReferenceBackend().population(network.shape, ("f",), data, 64)
    population.load(0, network.vector)
    return 100 * population.evaluate(part)[0] / len(getattr(data, part))


@pytest.mark.parametrize("name", MODES)
@pytest.mark.parametrize("loop", [2, 3, 17])
def test_its_evidence_tells_the_truth_about_the_weights(name, loop, data):
    before = network_for(ARCHITECTURE, data)
    after, evidence = intervention(name, before, loop, data)
    acted = not same_bits(before, after)
    assert bool(evidence) == acted
    assert mode_named(name).damages or not acted
    json.dumps(evidence, allow_nan=False)
    norm = float(np.linalg.norm(after.vector.astype(np.float64) - before.vector))
    for claim in ("removed", "norm"):
        if claim in evidence:
            assert evidence[claim] == pytest.approx(norm, rel=1e-6)
    if "units" in evidence:
        network, listed = after, Network(after.shape, np.zeros_like(after.vector))
        for layer, unit in evidence["units"]:
            assert not network.weights[layer][unit].any()
            assert not network.biases[layer][unit]
            listed.weights[layer][unit] = listed.biases[layer][unit] = 1
            if layer < len(network.weights) - 1 and name == "hidden":
                assert not network.weights[layer + 1][:, unit].any()
                listed.weights[layer + 1][:, unit] = 1
        assert np.array_equal(before.vector != after.vector, listed.vector == 1)


@pytest.mark.parametrize("name", MODES)
def test_the_record_tells_the_truth_about_harm_and_recovery(name, population, data):
    """Every loop done again from its base: the same evidence, and the accuracies that were recorded."""
    trial, bases = population[name]
    for entry, base in zip(trial.curve, bases, strict=True):
        if entry.loop == 1 or not mode_named(name).damages:
            assert (entry.damaged, entry.harm, entry.recovery) == (None, None, None)
            continue
        after, evidence = intervention(name, base, entry.loop, data)
        recorded = entry.evidence.get(name, {})
        assert recorded == {**evidence, **{k: v for k, v in recorded.items() if k not in evidence}}
        assert entry.before == evaluated(base, data)
        if same_bits(base, after):  # it hit a unit that was dead already
            assert (entry.damaged, entry.harm, entry.recovery) == (None, None, None)
            continue
        assert entry.damaged == evaluated(after, data)
        assert entry.harm == entry.before - entry.damaged
        assert entry.recovery == entry.accuracy - entry.damaged


@pytest.mark.parametrize("name", DAMAGING)
def test_the_same_loop_takes_the_same_damage(name, data):
    before = network_for(ARCHITECTURE, data)
    one, again = (intervention(name, before, 5, data)[0] for _ in range(2))
    assert same_bits(one, again)


@pytest.mark.parametrize("name", ["full", "hidden", "output", "noise", "restart"])
def test_another_loop_takes_other_damage(name, data):
    before = network_for(ARCHITECTURE, data)
    outcomes = {intervention(name, before, loop, data)[0].vector.tobytes() for loop in range(2, 30)}
    assert len(outcomes) > 5


@pytest.mark.parametrize("name", [name for name in MODES if issubclass(mode_named(name), Ablation)])
@pytest.mark.parametrize("selector", ["uniform", "layer-then-unit", "lowest-utility", "highest-utility"])
def test_a_larger_dose_takes_the_units_of_a_smaller_one_first(name, selector, data):
    mode = mode_named(name).with_knobs({"selector": selector})
    try:
        mode.check(Shape(Architecture.parse(ARCHITECTURE), data.features, data.classes))
    except ModeError as refusal:
        assert "cannot select by utility" in str(refusal)  # noqa: PT017
        return
    before = network_for(ARCHITECTURE, data)
    taken = []
    for dose in ("0", "1", "2", "4", "0.5", "1.0", "999"):
        _, evidence = intervention(f"{name}:selector={selector}:dose={dose}", before, 3, data)
        taken.append(evidence.get("units", []))
    by_size = sorted(taken, key=len)
    for smaller, larger in itertools.pairwise(by_size):
        assert larger[: len(smaller)] == smaller
    if any(taken):  # noise lists no unit, for it spares them all
        eligible = len(taken[-1])
        assert [len(units) for units in taken] == [0, 1, 2, 4, round(eligible / 2), eligible, eligible]
        assert len({tuple(unit) for unit in taken[-1]}) == eligible


def test_modes_that_ablate_alike_do_the_same_damage(data):
    before = network_for(ARCHITECTURE, data)
    for loop in range(2, 8):
        _, hidden = intervention("hidden", before, loop, data)
        assert intervention("hidden+dropout", before, loop, data)[1] == hidden
        assert intervention("dropout@1-1,hidden@2-", before, loop, data)[1] == hidden
        assert intervention("noise", before, loop, data)[1] == {"norm": hidden["removed"]}


@pytest.mark.parametrize("name", MODES)
def test_where_it_has_nothing_to_act_on_it_is_refused_in_one_sentence_and_elsewhere_it_trains(name, data):
    spec = spec_of("[]", name, meta_loops=2)
    try:
        spec.check(data.classes)
    except ModeError as refusal:
        sentence = str(refusal)
        assert sentence.startswith(f'mode "{name}" ')
        assert "\n" not in sentence
    else:
        (trial,) = trained([spec], data)
        assert trial.finished


@pytest.mark.parametrize("name", [name for name in MODES if name not in ("none", "dropout")])
def test_it_composes_with_another_mode(name, data):
    (trial,) = trained([spec_of(ARCHITECTURE, f"{name}+dropout", meta_loops=2)], data)
    assert trial.finished
    assert not any(entry.diverged for entry in trial.curve)
    assert all(entry.evidence["dropout"] == {"p": 0.1} for entry in trial.curve)


@pytest.mark.parametrize("name", MODES)
def test_it_can_be_interrupted_in_any_epoch(name, data):
    stop, backend = threading.Event(), TorchBackend()
    trial = fresh(spec_of(ARCHITECTURE, name, meta_loops=9), data)
    (group,) = plan([trial], backend)
    networks = populations_of(group, data, backend)
    with pytest.raises(Interrupted):
        run(group, networks, data, lambda trial, entry: entry.loop == 2 and stop.set(), stop)
    assert trial.loop == len(trial.curve) == 2
