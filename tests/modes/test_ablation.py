"""Which units ablation takes, and what it leaves of them."""

import numpy as np
import pytest
import torch

from frustration import Architecture, SimpleMLP, TrialSpec
from frustration.modes import LoopContext, mode_named
from frustration.modes.ablation import ablate, read_dose, units_of
from frustration.network import Shape, to_state
from frustration.streams import Streams
from frustration.testing.trials import fresh, spec_of

LOOPS = 2_000
HIDDEN = Architecture((7, 2, 3))


def network(architecture: Architecture = HIDDEN, classes: int = 4, features: int = 6):
    shape = Shape(architecture, features, classes)
    return shape.view(shape.initial(Streams(1, 1, architecture).stream("init", 1)))


def taken(mode: str, loops: int, **knobs) -> np.ndarray:
    """[loops, 2]: layer and unit of the first unit that a mode takes in each of so many loops."""
    units, probe = [], np.ones((5, 6), np.float32)
    for loop in range(2, loops + 2):
        evidence = (
            mode_named(mode)
            .with_knobs(knobs)
            .intervene(network(), LoopContext(Streams(1, 1, HIDDEN), loop, probe))
        )
        units.append(evidence["units"][0])
    return np.array(units)


def uniform(values: np.ndarray, kinds: int) -> bool:
    """Whether values in [0, kinds) are uniform, by chi-square within 5 standard deviations."""
    seen = np.bincount(values, minlength=kinds)
    freedom = kinds - 1
    chi_square = ((seen - len(values) / kinds) ** 2 / (len(values) / kinds)).sum()
    return len(seen) == kinds and abs(chi_square - freedom) < 5 * (2 * freedom) ** 0.5


def test_hidden_draws_uniformly_over_all_hidden_units():
    units = taken("hidden", LOOPS)
    starts = np.array([0, 7, 9])
    assert uniform(starts[units[:, 0]] + units[:, 1], 12)


def test_full_draws_a_layer_uniformly_the_output_layer_included_then_a_unit_in_it():
    units = taken("full", LOOPS)
    assert uniform(units[:, 0], 4)
    for layer, width in enumerate((7, 2, 3, 4)):
        assert uniform(units[units[:, 0] == layer, 1], width)


def test_output_draws_uniformly_over_the_output_units():
    units = taken("output", LOOPS)
    assert set(units[:, 0]) == {3}
    assert uniform(units[:, 1], 4)


def test_full_may_draw_over_all_units_and_hidden_by_layers():
    units = taken("full", LOOPS, selector="uniform")
    assert uniform(np.array([0, 7, 9, 12])[units[:, 0]] + units[:, 1], 16)
    assert uniform(taken("hidden", LOOPS, selector="layer-then-unit")[:, 0], 3)


@pytest.mark.parametrize("outgoing", [False, True])
def test_ablation_zeroes_a_unit_and_nothing_else(outgoing):
    whole, damaged = network(), network()
    evidence = ablate(damaged, [(1, 0)], outgoing=outgoing)
    for layer in range(4):
        row = [0] if layer == 1 else []
        column = [0] if layer == 2 and outgoing else []
        expected = whole.weights[layer].copy()
        expected[row], expected[:, column] = 0, 0
        assert np.array_equal(damaged.weights[layer], expected)
        bias = whole.biases[layer].copy()
        bias[row] = 0
        assert np.array_equal(damaged.biases[layer], bias)
    gone = whole.vector.astype(float) - damaged.vector
    assert evidence == {"units": [[1, 0]], "removed": pytest.approx(np.linalg.norm(gone), rel=1e-12)}


def test_what_is_zero_already_is_not_removed_twice():
    damaged = network()
    ablate(damaged, [(1, 0)], outgoing=True)
    again = ablate(damaged, [(1, 0)], outgoing=True)
    assert again["removed"] == 0
    assert not mode_named("hidden")().acted(again)


@pytest.mark.parametrize(
    "dose, eligible, units",
    [
        (0, 10, 0),
        (3, 10, 3),
        (30, 10, 10),
        (0.0, 10, 0),
        (0.01, 10, 1),
        (0.25, 10, 2),
        (0.35, 10, 4),
        (1.0, 10, 10),
    ],
)
def test_a_dose_is_a_number_of_units_or_a_share_of_them(dose, eligible, units):
    assert units_of(read_dose(str(dose)), eligible) == units


def test_utility_is_mean_activation_times_the_norm_of_the_outgoing_weights(data):
    trial = fresh(TrialSpec.of("[1*7, 1*5]", "none"), data)
    images = data.pixel_values[data.train.images[:100]]
    module = SimpleMLP("[1*7, 1*5]", data.features, data.classes)
    state = to_state(trial.base)
    module.load_state_dict({name: torch.from_numpy(array) for name, array in state.items()})
    layers = module.double().linear_layers
    below = torch.from_numpy(images).double()
    for layer, of_layer in enumerate(trial.base.utilities(images)):
        below = torch.relu(layers[layer](below))
        expected = below.abs().mean(0) * layers[layer + 1].weight.norm(dim=0)
        assert of_layer == pytest.approx(expected.detach().numpy(), rel=1e-9)


def test_selecting_by_utility_takes_the_least_or_the_most_useful_units(data):
    trial = fresh(TrialSpec.of("[1*7, 1*5]", "none"), data)
    view = trial.base
    images = data.pixel_values[data.train.images[:100]]
    useful = np.concatenate(view.utilities(images))
    ranks = [(layer, unit) for layer, width in enumerate((7, 5)) for unit in range(width)]
    by_utility = [list(ranks[n]) for n in np.argsort(useful, kind="stable")]
    for selector, expected in (("lowest-utility", by_utility[:4]), ("highest-utility", by_utility[:-5:-1])):
        mode = mode_named("hidden").with_knobs({"selector": selector, "dose": 4})
        candidate = trial.base.copy()
        evidence = mode.intervene(candidate, LoopContext(Streams(0, 0, HIDDEN), 2, images))
        assert evidence["units"] == expected


def test_output_units_have_no_utility_so_selecting_them_by_it_is_refused():
    for mode in ("output", "full"):
        with pytest.raises(Exception, match="cannot select by utility"):
            mode_named(mode).with_knobs({"selector": "lowest-utility"}).check(Shape(HIDDEN, 6, 4))


def test_noise_touches_all_weights_and_spares_the_units_that_hidden_would_take():
    before, after = network(), network()
    context = LoopContext(Streams(1, 1, HIDDEN), 5, np.ones((5, 6), np.float32))
    mode_named("noise")().intervene(after, context)
    assert (before.vector != after.vector).mean() > 0.99


def test_a_unit_without_weights_is_skipped_when_units_are_ranked_by_utility(data):
    """Its utility is 0 for ever: it would be taken again and again, and nothing would happen."""
    trial = fresh(spec_of("[1*6]", "none"), data)
    context = LoopContext(
        Streams(0, 0, trial.spec.architecture), 2, data.pixel_values[data.train.images[:50]]
    )
    network, mode = (
        trial.base.copy(),
        mode_named("hidden").with_knobs({"selector": "lowest-utility"}),
    )
    taken = [mode.intervene(network, context) for _ in range(7)]
    assert sorted(evidence["units"][0][1] for evidence in taken[:6]) == [0, 1, 2, 3, 4, 5]
    assert all(evidence["removed"] > 0 for evidence in taken[:6])
    assert taken[6] == {}
