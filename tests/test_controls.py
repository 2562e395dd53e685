"""Every mode has its own control, found by one rule wherever treatments are compared."""

import pytest

from frustration.controls import Contender, baseline_of, control_of, own_control
from frustration.errors import InputError
from frustration.modes import Mode
from frustration.modes.grammar import Program, Segment
from frustration.spec import TrialSpec


def arms(*modes):
    return [Contender.of(TrialSpec.of("[1*2]", mode)) for mode in modes]


def own(mode, *others):
    every = arms(mode, *others)
    found = own_control(every[0], every)
    return found and found.label


@pytest.mark.parametrize(
    "mode, others, control",
    [
        ("hidden", ("plain", "none"), "none"),
        ("dropout", ("plain", "none"), "none"),
        ("decay", ("none",), "none"),
        ("restart", ("none", "plain"), "none"),
        ("hidden+dropout", ("none", "hidden"), "none"),
        ("dendrites", ("none", "early-stop", "plain"), "plain"),
        ("dendrites", ("none", "early-stop"), "early-stop"),
        ("dendrites", ("none", "hidden"), None),
        ("reset", ("none", "early-stop"), "early-stop"),
        ("early-stop", ("none", "plain"), "plain"),
        ("wide@2", ("none", "plain"), "plain"),
        ("redo", ("none", "plain"), "plain"),
        ("cbp", ("none", "plain"), "plain"),
        ("none", ("hidden", "plain"), "plain"),
        ("plain", ("none", "hidden"), None),
        ("dendrites+hidden", ("none", "plain"), "plain"),
        ("ratchet+dendrites", ("none", "plain"), "none"),
        ("ratchet", ("none", "plain"), "plain"),
        ("none@1-1,hidden@2-", ("none", "plain"), "none"),
        ("dropout@1-5,hidden@6-", ("none",), "none"),
        ("plain@1-5,hidden@6-", ("none", "plain"), None),
        ("plain@1-5,hidden@6-", ("none", "plain@1-5,none@6-"), "plain@1-5,none@6-"),
    ],
)
def test_a_mode_is_compared_with_what_lacks_only_its_treatment(mode, others, control):
    assert own(mode, *others) == control


@pytest.mark.parametrize(
    "mode, others, control",
    [
        ("hidden/persist", ("none", "none/persist", "hidden"), "none/persist"),
        ("hidden/persist", ("none", "hidden"), "hidden"),
        ("hidden/ties", ("none", "none/ties"), "none/ties"),
        ("none/persist", ("none",), "none"),
        ("none/persist", ("none", "plain"), "plain"),  # the ratchet, the optimizer kept in both
        ("none", ("plain", "plain/fresh"), "plain/fresh"),  # the ratchet, the optimizer fresh in both
        ("hidden", ("none/persist",), None),
        ("redo/ties", ("none/ties", "plain/ties"), "plain/ties"),  # each keeps the optimizer of its own
        ("redo/ties", ("none", "plain"), None),
        ("hidden:dose=2/ties", ("hidden", "none"), None),  # dose and policy differ from `hidden`'s
        ("hidden:dose=2/ties", ("hidden:dose=2", "none"), "hidden:dose=2"),
    ],
)
def test_policies_are_those_of_the_control_or_what_is_compared(mode, others, control):
    assert own(mode, *others) == control


@pytest.mark.parametrize(
    "modes, baseline",
    [
        (["hidden", "none", "decay"], "none"),
        (["hidden", "decay"], "hidden"),
        (["hidden", "plain"], "plain"),
        (["dendrites", "early-stop", "plain"], "plain"),
        (["none@1-1,hidden@2-", "hidden+dropout"], "none@1-1,hidden@2-"),
        (["none", "none/ties", "hidden/ties", "full/ties", "hidden"], "none/ties"),
        (["none/persist", "none", "hidden", "hidden/ties"], "none"),
        (["none/ties", "none/persist"], "none/ties"),
        (["hidden/ties", "none/patience-3", "none/persist"], "none/patience(3)"),
        (["hidden", "dropout", "plain", "none", "wide@1", "dendrites"], "none"),
    ],
)
def test_the_baseline_is_what_most_others_are_compared_with(modes, baseline):
    assert baseline_of(arms(*modes)).label == baseline


def test_the_user_may_choose_the_baseline_and_nothing_that_is_not_there():
    every = arms("none", "hidden", "plain")
    assert baseline_of(every, "plain").label == "plain"
    with pytest.raises(
        InputError, match='no treatment "full" to compare with; there are none, hidden, plain'
    ):
        baseline_of(every, "full")


def test_for_want_of_its_control_a_treatment_is_compared_with_the_baseline():
    every = arms("none", "dendrites", "wide@1")
    found = {arm.label: control_of(arm, every, baseline_of(every)) for arm in every}
    assert {label: control and control.label for label, control in found.items()} == {
        "none": None,
        "dendrites": "none",
        "wide@1": "none",
    }


def test_a_mode_of_another_package_names_its_own_control():
    class Shrink(Mode):
        name = "shrink"
        controls = ("hidden",)

    class Wander(Mode):
        name = "wander"
        ratchet = False

    assert Program((Segment((Shrink(),)),)).controls == ("hidden",)
    assert Program((Segment((Wander(),)),)).controls == ("plain",)
