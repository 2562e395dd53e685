"""`precision = "bfloat16"`: forward passes under autocast, weights and evidence as before."""

import pytest
import torch
from test_problems import trained
from tiny_problem import TinyCNN

from frustration.references import ProblemError
from frustration.spec import TrialSpec
from frustration.testing.trials import same_bits, scores


class Half(TinyCNN):
    held_as = ("notebook:half", "held")
    precision = "bfloat16"

    def loss(self, network, batch):
        if network.training:  # units are found in float32
            assert torch.is_autocast_enabled("cpu")
        return super().loss(network, batch)


class Eighth(TinyCNN):
    held_as = ("notebook:eighth", "held")
    precision = "float8"


@pytest.mark.parametrize("mode", ["hidden", "dendrites:switch_mode=every"])
def test_a_problem_trains_in_bfloat16_to_the_same_bits_and_to_others_than_in_float32(mode):
    one, again = (trained(Half(), mode)[0] for _ in range(2))
    assert scores(one) == scores(again)
    assert same_bits(one.lkg.vector, again.lkg.vector)
    assert one.lkg.vector.dtype == "float32"
    (plain,) = trained(TinyCNN(), mode)
    assert not same_bits(one.lkg.vector, plain.lkg.vector)


def test_precision_is_part_of_what_identifies_a_trial():
    assert TrialSpec.of(Half().reference(), "none").id != TrialSpec.of(TinyCNN().reference(), "none").id


def test_a_precision_that_is_not_known_is_refused():
    with pytest.raises(ProblemError, match="precision is float32 or bfloat16, not float8"):
        trained(Eighth(), "none")
