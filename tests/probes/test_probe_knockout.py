"""Silenced units: what is counted is what a plain network with those units at 0 gets right."""

import itertools

import numpy as np
import pytest
import torch
from probe_kit import NEVER, QUICK, accuracy, layers, measure, probed, random_images, random_network

from frustration.architecture import Architecture
from frustration.probes.draws import Draws
from frustration.probes.forward import right
from frustration.probes.knockout import area, knockout
from frustration.probes.networks import load_network, product
from frustration.probes.settings import FRACTIONS, Wanted

ALL_IMAGES = Wanted.of(["knockout"], draws=2)


def measured(kept, images, draws=5, fractions=FRACTIONS, trial=3):
    settings = {"images": len(images), "draws": draws, "fractions": list(fractions)}
    return knockout(layers(kept), kept.shape, images, Draws(0, trial), settings, NEVER)


def test_with_nothing_silenced_a_network_has_its_recorded_accuracy_to_the_digit(store):
    probed(store, ALL_IMAGES)
    found = measure(store, "knockout")
    assert len(found) == 12
    for trial_id, one in found.items():
        recorded = store.record(trial_id).test_accuracy
        assert one["accuracy"][0] == recorded
        assert one["by_draw"][0] == [recorded] * 2
        assert one["std"][0] == 0


def test_with_everything_silenced_a_network_predicts_by_its_output_biases_alone(store, mnist):
    probed(store, ALL_IMAGES)
    for trial_id, one in measure(store, "knockout").items():
        kept = load_network(store.network_path(trial_id))
        prediction = int(kept.network.biases[-1].argmax())
        assert one["silenced"][-1] == one["units"] == sum(kept.shape.architecture.hidden)
        assert one["accuracy"][-1] == 100 * mnist.test.counts[prediction] / len(mnist.test)


@pytest.mark.parametrize(
    "architecture, dendrites, function",
    [
        ("[1*7]", (), "sigmoid"),
        ("[3*5]", (), "sigmoid"),
        ("[1*9, 2*3]", (), "sigmoid"),
        ("[1*40]", (), "sigmoid"),
        ("[6*1]", (), "sigmoid"),
        ("[1*7]", (1, 0), "sigmoid"),
        ("[2*6]", (3, 3, 3), "sigmoid"),
        ("[2*6]", (0, 2, 1), "tanh"),
        ("[1*9, 1*3]", (2, 0, 3), "relu"),
    ],
)
def test_every_draw_is_a_plain_network_with_those_units_at_zero(architecture, dendrites, function):
    kept = random_network(architecture, dendrites=dendrites, function=function)
    images = random_images(kept)
    found = measured(kept, images)
    units = sum(kept.shape.architecture.hidden)
    for draw, places in enumerate(Draws(0, 3).of_units(kept.shape.architecture, 5)):
        for level, fraction in enumerate(FRACTIONS):
            count = int(fraction * units + 0.5)
            assert found["silenced"][level] == count
            expected = accuracy(kept, images, np.flatnonzero(places < count))
            assert found["by_draw"][level][draw] == pytest.approx(expected, abs=1e-9)
    assert found["accuracy"] == pytest.approx(np.mean(found["by_draw"], 1))
    assert found["std"] == pytest.approx(np.std(found["by_draw"], 1))


def test_a_linear_classifier_has_no_unit_to_lose():
    kept = random_network("[]")
    images = random_images(kept)
    found = measured(kept, images)
    assert found["units"] == 0
    assert set(found["accuracy"]) == {accuracy(kept, images)}
    assert found["area"] == accuracy(kept, images)


def test_units_are_drawn_uniformly_and_each_once():
    places = Draws(0, 0).of_units(Architecture.parse("[1*3, 1*2]"), 4_000)
    assert (np.sort(places, 1) == np.arange(5)).all()
    counts = np.stack([np.bincount(column, minlength=5) for column in places.T])
    # Chi-square of 25 cells with 16 degrees of freedom: above 39.3 in one of a thousand.
    assert ((counts - 800) ** 2 / 800).sum() < 39.3


def test_more_draws_contain_the_fewer():
    kept = random_network("[2*6]")
    images = random_images(kept, 300)
    few, many = measured(kept, images, draws=3)["by_draw"], measured(kept, images, draws=8)["by_draw"]
    assert [level[:3] for level in many] == few


def test_draws_change_with_seed_trial_and_architecture_and_with_nothing_else():
    square, line = Architecture.parse("[2*4]"), Architecture.parse("[1*8]")
    drawn = [
        Draws(seed, trial).of_units(architecture, 6).tobytes()
        for seed, trial, architecture in itertools.product((0, 1), (0, 1), (square, line))
    ]
    assert len(set(drawn)) == 8
    assert Draws(1, 1).of_units(line, 6).tobytes() == drawn[-1]


def test_modes_of_one_trial_number_are_measured_with_the_same_draws(store):
    """`hidden` at dose 0 is `none` to the bit, so whatever differed would be the draws."""
    probed(store, QUICK)
    for name in ("knockout", "weight_noise", "corruptions"):
        by_cell = {}
        for trial_id, found in measure(store, name).items():
            spec = store.record(trial_id).spec
            by_cell[str(spec.architecture), spec.trial, spec.label] = found
        pairs = [(by_cell[(*key[:2], "hidden:dose=0")], by_cell[key]) for key in by_cell if key[2] == "none"]
        assert len(pairs) == 4
        assert all(one == other for one, other in pairs)
        assert by_cell["[1*6]", 0, "none"] != by_cell["[1*6]", 1, "none"]


@pytest.mark.parametrize(
    "accuracies, shares, expected",
    [
        ([100, 50, 0], [0, 0.5, 1], 50),
        ([90, 90, 10], [0, 0.25, 1], 0.25 * 90 + 0.75 * 50),
        ([80, 80, 20, 20], [0, 0, 1, 1], 50),  # one unit: fractions that silence as many
    ],
)
def test_area_by_hand(accuracies, shares, expected):
    assert area(accuracies, shares) == pytest.approx(expected)


@pytest.mark.parametrize(
    "weights, belows, masks", [(1, 1, 0), (1, 1, 4), (4, 1, 0), (1, 4, 0), (1, 4, 4), (4, 4, 0)]
)
@pytest.mark.parametrize("inputs", [1, 9, 300])
def test_product_is_the_sum_it_says(weights, belows, masks, inputs):
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(weights, 5, inputs, generator=generator)
    bias = torch.randn(weights, 5, 1, generator=generator)
    below = torch.randn(belows, inputs, 70, generator=generator)
    keep = torch.randint(0, 2, (masks, inputs), generator=generator).float() if masks else None
    kept = below if keep is None else below * keep[:, :, None]
    copies = max(len(weight), len(kept))
    expected = torch.einsum("koi,kin->kon", weight.expand(copies, -1, -1), kept.expand(copies, -1, -1))
    torch.testing.assert_close(product(weight, bias, below, keep), expected + bias, rtol=1e-4, atol=1e-4)


def test_of_classes_that_are_level_the_first_is_meant_as_by_argmax():
    generator = torch.Generator().manual_seed(0)
    outputs = torch.randint(0, 3, (6, 4, 200), generator=generator).float()
    labels = torch.randint(0, 4, (200,), generator=generator)
    assert right(outputs, labels).tolist() == (outputs.argmax(1) == labels).sum(1).tolist()
