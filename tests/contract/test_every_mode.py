"""Every registered mode keeps the contract of modes, and what the built-in ones promise beyond it.

`pytest tests/contract -k NAME` checks one mode.
"""

import pytest

from frustration.modes import mode_names, registry
from frustration.testing import contract
from frustration.testing.subject import ARCHITECTURE, LOOPS, Subject
from frustration.testing.trials import backends, same_bits, scores, spec_of, trained

BACKENDS = pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)


@pytest.mark.parametrize("claim", [claim for name in mode_names() for claim in contract(name)], ids=str)
def test_it_keeps_the_contract(claim):
    claim.check()


def test_every_built_in_treatment_acts_at_these_settings(data):
    # For a plateau, and for a share of six units that makes one: six loops do not reach them.
    waiting = {"dendrites": "switch_mode=every", "cbp": "rate=0.1"}
    names = [mode.name for mode in registry.BUILT_IN]
    usual = trained([spec_of(ARCHITECTURE, name, meta_loops=LOOPS) for name in names], data)
    inert = {name for name, trial in zip(names, usual, strict=True) if trial.record().inert}
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


@pytest.mark.parametrize("name", ["full", "hidden", "output", "noise", "restart"])
def test_another_loop_takes_other_damage(name):
    subject = Subject(name)
    before = subject.network()
    outcomes = {subject.intervention(before, loop)[0].vector.tobytes() for loop in range(2, 30)}
    assert len(outcomes) > 5


def test_modes_that_ablate_alike_do_the_same_damage():
    subject = Subject("hidden")
    before = subject.network()
    for loop in range(2, 8):
        _, hidden = subject.intervention(before, loop)
        for alike in ("hidden+dropout", "dropout@1-1,hidden@2-"):
            assert subject.intervention(before, loop, alike)[1] == hidden
        assert subject.intervention(before, loop, "noise")[1] == {"norm": hidden["removed"]}
