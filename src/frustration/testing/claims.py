"""The promises of every mode, one function each.

A promise that is broken raises ContractBroken with a sentence.
"""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
import math
import threading

import numpy as np

from frustration.engine.group import plan
from frustration.engine.loop import MetaLoop
from frustration.engine.population import Backend, Interrupted
from frustration.engine.torch import TorchBackend
from frustration.modes import Evidence, Mode, ModeError, mode_names
from frustration.modes.ablation import SELECTORS
from frustration.network import Network, Vector
from frustration.spec import TrialSpec
from frustration.testing.promises import (
    ablating,
    composable,
    damaging,
    damaging_only,
    dosed,
    every,
    in_training,
    not_widening,
    only_before_training,
    promise,
    promise_on_backends,
    side_by_side,
    widening,
)
from frustration.testing.subject import (
    ARCHITECTURE,
    ContractBroken,
    Subject,
    changed_in_training,
    hold,
    others,
)
from frustration.testing.trials import accuracy_of, fresh, populations_of, same_bits, scores, spec_of, trained


@promise("it has a name, knobs and help", every)
def name_knobs_help(subject: Subject) -> None:
    mode = subject.mode
    hold(mode.name == subject.name, f"its name is {mode.name!r}")
    hold(dataclasses.is_dataclass(mode), "it is not a dataclass, so that it has no knobs")
    written = inspect.getdoc(mode) not in (None, inspect.getdoc(Mode))
    # What a dataclass writes if nobody did is no help.
    hold(
        written and not str(mode.__doc__).startswith(f"{mode.__name__}("),
        "its docstring, its help, is missing",
    )
    if mode.dose_knob is not None:
        hold(mode.dose_knob in mode().knobs, f"its dose_knob {mode.dose_knob!r} is not one of its fields")


@promise("its knobs survive the spec", every)
def spec_keeps_knobs(subject: Subject) -> None:
    spec = spec_of(ARCHITECTURE, subject.name)
    hold([knobs["mode"] for knobs in spec.program.knobs] == [subject.name], "a spec names other modes")
    again = TrialSpec.from_dict(json.loads(json.dumps(spec.to_dict())))
    hold((again, again.id) == (spec, spec.id), "a spec that is written and read again is another")
    hold(spec_of(ARCHITECTURE, spec.label).id == spec.id, f"its label {spec.label!r} means another trial")


@promise("at dose 0 it is reported as inert", dosed)
def dose_0_is_inert(subject: Subject) -> None:
    (trial,) = trained([spec_of(ARCHITECTURE, subject.undosed)], subject.data)
    expected = () if subject.mode.control else (subject.name,)
    hold(trial.record().inert == expected, f"at dose 0 the record calls {trial.record().inert} inert")


@promise("it is reported as inert exactly if it never acted", every)
def inert_if_it_never_acted(subject: Subject) -> None:
    trial, _ = subject.history
    mode = subject.mode
    acted = any(mode().acted(entry.evidence.get(mode.name, {})) for entry in trial.curve)
    expected = () if acted or mode.control else (mode.name,)
    hold(
        trial.record().inert == expected, f"it acted: {acted}; the record calls {trial.record().inert} inert"
    )


@promise("in a trial of one loop its damage is reported as inert", damaging_only)
def one_loop_of_damage_is_inert(subject: Subject) -> None:
    (trial,) = trained([spec_of(ARCHITECTURE, subject.name, meta_loops=1)], subject.data)
    expected = () if subject.mode.control else (subject.name,)
    hold(trial.record().inert == expected, f"after loop 1 the record calls {trial.record().inert} inert")


@promise("what it changes in training no other mode changes", in_training)
def settings_are_its_own(subject: Subject) -> None:
    mine = changed_in_training(subject.name)
    for other in others(subject.name):
        both = mine & changed_in_training(other)
        hold(not both, f'it changes {sorted(both)} of an epoch, as mode "{other}" does')


@promise("if it widens the network it says so, and for all loops", widening)
def widening_is_said(subject: Subject) -> None:
    spec = spec_of(ARCHITECTURE, subject.name)
    before, after = subject.network().shape.architecture, fresh(spec, subject.data).lkg.shape.architecture
    hold(after != before, f"it says that it widens, and trains {after}")
    hold(after.depth == before.depth, f"it trains {after}")
    try:
        spec_of(ARCHITECTURE, f"{subject.name}@1-4,none@5-")
    except ModeError as refusal:
        hold("cannot change its width" in str(refusal), f"a schedule is refused with: {refusal}")
    else:
        raise ContractBroken("a schedule lets a network change its width")


@promise("it leaves nothing behind for the mode that follows it", not_widening)
def nothing_left_behind(subject: Subject) -> None:
    """The contamination that spoilt published runs: one mode's setting left on in another."""
    for other in (name for name in mode_names() if not Subject(name).mode.widens):
        try:
            specs = [
                spec_of(ARCHITECTURE, mode, meta_loops=9)
                for mode in (other, f"{subject.name}@1-4,{other}@5-")
            ]
        except ModeError:
            hold(other != "none", 'no schedule goes from it to mode "none"')
            continue  # for example a network that has grown cannot begin anew
        trials = [fresh(spec, subject.data) for spec in specs]
        for trial in trials:
            trial.loop = 4
        probe = subject.data.probe(50)
        alone, after = (trial.intervene(trial.base.copy(), trial.order(64), probe) for trial in trials)
        hold(alone.epoch.settings == after.epoch.settings, f'after it mode "{other}" has other settings')
        hold(alone.evidence == after.evidence, f'after it mode "{other}" does something else')


@promise("the LKG never falls", every)
def lkg_never_falls(subject: Subject) -> None:
    trial, _ = subject.history
    bounty = -math.inf
    for entry in trial.curve:
        better = entry.accuracy is not None and entry.accuracy > bounty
        bounty = entry.accuracy if better and entry.accuracy is not None else bounty
        hold(entry.new_bounty == better, f"loop {entry.loop}: new bounty {entry.new_bounty}, really {better}")
        if subject.mode.ratchet:
            hold(entry.accepted == better, f"loop {entry.loop}: accepted {entry.accepted}, better {better}")
    hold(trial.bounty == bounty, f"the bounty is {trial.bounty}, the best accuracy {bounty}")
    lkg = trial.lkg
    hold(isinstance(lkg, Network) and accuracy_of(lkg, subject.data) == bounty, "the LKG is another network")
    if subject.mode.ratchet:
        hold(same_bits(trial.base, lkg), "the ratchet holds another network than the LKG")


@promise("its evidence tells the truth about the weights", every)
def evidence_is_true(subject: Subject) -> None:
    before = subject.network()
    for loop in (2, 3, 17):
        after, evidence = subject.intervention(before, loop)
        acted = not same_bits(before, after)
        hold(bool(evidence) == acted, f"it changed weights: {acted}; its evidence is {evidence}")
        hold(subject.mode.damages or not acted, "it changes weights, and `damages` is False")
        json.dumps(evidence, allow_nan=False)
        norm = float(np.linalg.norm(after.vector.astype(np.float64) - before.vector))
        for claim in ("removed", "norm"):
            told = evidence.get(claim, norm)
            hold(
                math.isclose(told, norm, rel_tol=1e-6),
                f"{claim} is told as {told}; the weights moved by {norm}",
            )
        if "units" in evidence:
            _only_these_units(subject, before, after, evidence)


def _only_these_units(subject: Subject, before: Network, after: Network, evidence: Evidence) -> None:
    """Listed units have no weights left, outgoing ones included if the mode takes those; no other changed."""

    def parts(network: Network, layer: int, unit: int) -> list[Vector]:
        takes_outgoing = getattr(subject.mode, "outgoing", False)
        return network.incoming(layer, unit) + (network.outgoing(layer, unit) if takes_outgoing else [])

    listed = Network(after.shape, np.zeros_like(after.vector))
    for layer, unit in evidence["units"]:
        silent = not any(part.any() for part in parts(after, layer, unit))
        hold(silent, f"it lists unit {unit} of layer {layer}, which still has weights")
        for part in parts(listed, layer, unit):
            part[...] = 1
    hold(np.array_equal(before.vector != after.vector, listed.vector == 1), "it changed more than it lists")


@promise("the record tells the truth about harm and recovery", every)
def harm_is_true(subject: Subject) -> None:
    """Every loop done again from its base: the same evidence, and the accuracies that were recorded."""
    trial, bases = subject.history
    for entry, base in zip(trial.curve, bases, strict=True):
        told = (entry.damaged, entry.harm, entry.recovery)
        if entry.loop == 1 or not subject.mode.damages:
            hold(told == (None, None, None), f"loop {entry.loop} harmed nothing, and tells of {told}")
            continue
        after, evidence = subject.intervention(base, entry.loop)
        recorded = entry.evidence.get(subject.name, {})
        hold(
            recorded.items() >= evidence.items(),
            f"done again, loop {entry.loop} is {evidence}, not {recorded}",
        )
        hold(
            entry.before == accuracy_of(base, subject.data),
            f"loop {entry.loop}: the accuracy before is wrong",
        )
        if same_bits(base, after):  # for example it hit a unit that was dead already
            hold(told == (None, None, None), f"loop {entry.loop} harmed nothing, and tells of {told}")
            continue
        harmed = accuracy_of(after, subject.data)
        hold(
            entry.damaged == harmed, f"loop {entry.loop}: {entry.damaged} % after the damage, really {harmed}"
        )
        if entry.before is not None and entry.accuracy is not None:
            really = (harmed, entry.before - harmed, entry.accuracy - harmed)
            hold(told == really, f"loop {entry.loop}: harm and recovery are {really}, told as {told}")


@promise("the same loop takes the same damage", damaging)
def same_loop_same_damage(subject: Subject) -> None:
    before = subject.network()
    one, again = (subject.intervention(before, 5)[0] for _ in range(2))
    hold(same_bits(one, again), "the same loop of the same trial takes other damage the second time")


@promise("a larger dose takes the units of a smaller one first", ablating)
def doses_are_nested(subject: Subject) -> None:
    before = subject.network()
    for selector in SELECTORS:
        try:
            subject.mode.with_knobs({"selector": selector}).check(before.shape)
        except ModeError as refusal:
            hold(
                "cannot select by utility" in str(refusal), f"selector {selector} is refused with: {refusal}"
            )
            continue
        taken = []
        for dose in ("0", "1", "2", "4", "0.5", "1.0", "999"):
            mode = f"{subject.name}:selector={selector}:dose={dose}"
            taken.append(subject.intervention(before, 3, mode)[1].get("units", []))
        for smaller, larger in itertools.pairwise(sorted(taken, key=len)):
            hold(
                larger[: len(smaller)] == smaller, f"{selector}: a larger dose spares units of a smaller one"
            )
        if any(taken):  # noise lists no unit, for it spares them all
            eligible = len(taken[-1])
            sizes = [len(units) for units in taken]
            expected = [0, 1, 2, 4, round(eligible / 2), eligible, eligible]
            hold(sizes == expected, f"{selector}: doses take {sizes} units, not {expected}")
            hold(len({tuple(unit) for unit in taken[-1]}) == eligible, f"{selector}: a unit is taken twice")


@promise("without hidden layers it is refused in one sentence, or trains", every)
def refused_or_trained(subject: Subject) -> None:
    spec = spec_of("[]", subject.name, meta_loops=2)
    try:
        spec.check(subject.data.classes)
    except ModeError as refusal:
        sentence = str(refusal)
        clear = sentence.startswith(f'mode "{subject.name}" ') and "\n" not in sentence
        hold(clear, f"without hidden layers it is refused with: {sentence}")
    else:
        (trial,) = trained([spec], subject.data)
        hold(trial.finished, "without hidden layers it does not finish")


@promise("it composes with dropout", composable)
def composes(subject: Subject) -> None:
    (trial,) = trained([spec_of(ARCHITECTURE, f"{subject.name}+dropout", meta_loops=2)], subject.data)
    hold(trial.finished, "with dropout it does not finish")
    hold(not any(entry.diverged for entry in trial.curve), "with dropout it diverges")
    hold(
        all(entry.evidence["dropout"] == {"p": 0.1} for entry in trial.curve), "with it dropout does not act"
    )


@promise("it can be interrupted in any epoch", every)
def interruptible(subject: Subject) -> None:
    stop, backend = threading.Event(), TorchBackend()
    trial = fresh(spec_of(ARCHITECTURE, subject.name, meta_loops=9), subject.data)
    (group,) = plan([trial], backend)
    populations = populations_of(group, subject.data, backend)
    try:
        MetaLoop(
            group,
            populations,
            subject.data,
            lambda trial, entry: stop.set() if entry.loop == 2 else None,
            stop,
        ).run()
    except Interrupted:
        hold(trial.loop == len(trial.curve) == 2, f"interrupted in loop 3 it stands at {trial.loop}")
    else:
        raise ContractBroken("it cannot be interrupted")


@promise_on_backends("at dose 0 it is its control to the bit", dosed)
def dose_0_is_untreated(subject: Subject, backend: Backend) -> None:
    specs = [spec_of(ARCHITECTURE, mode) for mode in (subject.untreated, subject.undosed)]
    control, treated = trained(specs, subject.data, backend)
    hold(scores(control) == scores(treated), f"at dose 0 its curve is not that of {subject.untreated}")
    hold(same_bits(control.base, treated.base), "at dose 0 its base has other bits")
    hold(same_bits(control.lkg, treated.lkg), "at dose 0 its LKG has other bits")


@promise_on_backends("loop 1 is that of its control", only_before_training)
def loop_1_is_untreated(subject: Subject, backend: Backend) -> None:
    specs = [spec_of(ARCHITECTURE, mode, meta_loops=1) for mode in ("none", subject.name)]
    control, treated = trained(specs, subject.data, backend)
    hold(scores(treated) == scores(control), "it acts in loop 1, which no mode damages")
    hold(same_bits(treated.base, control.base), "after loop 1 its weights have other bits")


@promise_on_backends("what is trained beside it has the same bits", every, side_by_side)
def neighbours_are_left_alone(subject: Subject, backend: Backend) -> None:
    """The same two trials beside the mode and beside its control; one of them looks at the probe."""
    first, last = "hidden", "hidden:selector=lowest-utility+dropout"
    # A wider network trains in a group of its own.
    control = [] if subject.mode.widens else [f"none/{subject.mode.optimizer}"]
    outcomes = []
    for middle in ([subject.name], control):
        specs = [spec_of(ARCHITECTURE, mode) for mode in (first, *middle, last)]
        trials = trained(specs, subject.data, backend)
        outcomes.append((trials[0], trials[-1]))
    for one, other in zip(*outcomes, strict=True):
        hold(scores(one) == scores(other), f'beside it mode "{one.spec.label}" has another curve')
        hold(same_bits(one.lkg, other.lkg), f'beside it mode "{one.spec.label}" has other bits')
