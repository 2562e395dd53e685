"""What a network with dendrites computes, the same in every backend, and what growing it changes."""

import dataclasses
import json
import threading

import numpy as np
import pytest
import torch
from laboratory import distance, epoch_of
from torch.nn import functional

from frustration.architecture import Architecture
from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.module import DendriticMLP
from frustration.dendrites.settings import FORWARD_FUNCTIONS, Settings
from frustration.engine.growth.step import grown
from frustration.engine.reference import ReferenceBackend
from frustration.engine.torch import TorchBackend
from frustration.modes.ablation import ablate
from frustration.network import Network, Shape, from_state, to_state
from frustration.testing.trials import backends, fresh, same_bits, spec_of

ARCHITECTURE = Architecture.parse("[1*9, 1*5]")
EARLY = 20
FAST = [backend for backend in backends() if backend.name != "reference"]


def network(dendrites, function="sigmoid", seed=0, scale=0.2) -> Network:
    """Weights of every kind, none of them zero."""
    shape = Shape(ARCHITECTURE, 784, 10, tuple(dendrites), function)
    draws = np.random.default_rng(seed)
    vector = draws.normal(0, scale, shape.size).astype(np.float32)
    bare = shape.view(vector)
    for weights in bare.all_weights:
        weights /= np.float32(np.sqrt(weights.shape[-1]) * scale * 2)
    return bare


@pytest.fixture(scope="module")
def images(data):
    return data.pixel_values[data.train.images[:50]]


KINDS = {
    "none": ((0, 0, 0), "sigmoid"),
    "one on every unit": ((1, 1, 1), "sigmoid"),
    "three on every unit": ((3, 3, 3), "sigmoid"),
    "another number in every layer": ((2, 0, 4), "sigmoid"),
    **{function: ((2, 2, 1), function) for function in FORWARD_FUNCTIONS if function != "sigmoid"},
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_module_computes_what_the_network_does(kind, images):
    one = network(*KINDS[kind])
    below = one.activations(images)[-1]
    expected = one.outputs(2, below)
    module = DendriticMLP.of(one).double()
    assert module(torch.from_numpy(images).double()).detach().numpy() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("backend", FAST, ids=lambda b: b.name)
@pytest.mark.parametrize("kind", KINDS)
def test_the_first_20_losses_are_those_of_the_reference(kind, backend, mnist):
    data = mnist.head(64 * EARLY + 17, 200, 200)
    modes = ["none", "dropout", "decay:weight_decay=100", "none/persist"]
    networks = [network(*KINDS[kind], seed=seed) for seed in range(len(modes))]
    specs = [spec_of("[1*9, 1*5]", mode, learning_rate=1e-3) for mode in modes]
    order = epoch_of(specs[0], 64 * EARLY + 17).order
    populations = [
        b.population(networks[0].shape, ("pppp",), data, 64) for b in (ReferenceBackend(), backend)
    ]
    losses: list[list[float]] = [[], []]
    for steps in (1, 2, 5, EARLY, EARLY + 1):
        for population, found in zip(populations, losses, strict=True):
            for slot, one in enumerate(networks):
                population.load(slot, one.vector)
            epochs = {slot: epoch_of(spec, 64 * EARLY + 17) for slot, spec in enumerate(specs)}
            cut = order[: 64 * steps]
            cut_epochs = {slot: _with_order(epoch, cut) for slot, epoch in epochs.items()}
            found += population.train(cut_epochs, threading.Event())
    assert np.abs(np.array(losses[0]) - losses[1]).max() < 1e-5
    ends = [[population.weights(slot) for slot in range(4)] for population in populations]
    assert max(distance(a, b) for a, b in zip(*ends, strict=True)) < 1e-4
    means = [population.moments(0).mean for population in populations]
    assert distance(*means) < 1e-4 * np.abs(means[0]).max()
    assert populations[0].evaluate("test") == pytest.approx(populations[1].evaluate("test"), abs=1)


def _with_order(epoch, order):
    return dataclasses.replace(epoch, order=order)


@pytest.mark.parametrize("backend", backends(), ids=lambda b: b.name)
def test_a_new_dendrite_changes_nothing_that_is_computed(backend, data):
    for dendrites in ((0, 0, 0), (1, 1, 1), (2, 2, 2)):
        before = network(dendrites)
        after = grown(before, (True, True, True), Settings(), GrowthDraws.seeded(1))
        assert after.shape.dendrites == tuple(k + 1 for k in dendrites)
        counts = []
        for one in (before, after):
            population = backend.population(one.shape, ("f",), data, 64)
            population.load(0, one.vector)
            counts.append(population.evaluate("validation"))
        assert counts[0] == counts[1]


def test_only_the_layers_that_are_named_grow():
    layers = Settings(layers="0;2").grown_layers((False, False, True))
    after = grown(network((0, 0, 0)), layers, Settings(), GrowthDraws.seeded(1))
    assert after.shape.dendrites == (1, 0, 1)


def test_parameters_are_counted_as_the_equations_count_them():
    """(K + 1) P + N (K + K (K - 1) / 2), of P bare parameters and N units."""
    bare = ARCHITECTURE.parameters(784, 10)
    units = 9 + 5 + 10
    for k in range(5):
        shape = Shape(ARCHITECTURE, 784, 10, (k, k, k))
        assert shape.size == (k + 1) * bare + units * (k + k * (k - 1) // 2)
        module = DendriticMLP.of(shape.view(np.ones(shape.size, np.float32)))
        assert shape.size == sum(p.numel() for p in module.parameters() if p.requires_grad)


@pytest.mark.parametrize("outgoing", [False, True])
def test_ablation_takes_a_unit_with_its_dendrites_and_nothing_else(outgoing, images):
    whole, damaged = network((2, 3, 1)), network((2, 3, 1))
    ablate(damaged, [(0, 4)], outgoing)
    expected = whole.copy()
    expected.all_weights[0][:, 4], expected.all_biases[0][:, 4] = 0, 0
    expected.tops[0][:, 4], expected.links[0][:, 4] = 0, 0
    if outgoing:
        expected.all_weights[1][:, :, 4] = 0
    assert same_bits(damaged, expected)
    assert not damaged.activations(images)[0][:, 4].any()


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_dict_gives_the_network_back(kind):
    one = network(*KINDS[kind])
    assert same_bits(from_state(one.shape, to_state(one)), one)
    json.dumps(one.shape.dendrites)


def test_torch_gives_a_network_the_same_bits_whoever_rests_beside_it(data):
    spec = spec_of("[1*9, 1*5]", "none")
    one, other = network((1, 1, 1)), network((1, 1, 1), seed=5)
    ends = []
    for awake in ({0}, {0, 1, 2}):
        population = TorchBackend().population(one.shape, ("fff",), data, 64)
        for slot in awake:
            population.load(slot, one.vector if slot == 0 else other.vector)
        epoch = epoch_of(spec, len(data.train))
        population.train(dict.fromkeys(awake, epoch), threading.Event())
        ends.append(population.weights(0))
    assert same_bits(*ends)


def test_autograd_agrees_with_the_gradients_of_tops_and_links(data):
    """One step of the torch backend against autograd on the equations, written out once more."""
    one = network((2, 2, 2))
    spec = spec_of("[1*9, 1*5]", "none", learning_rate=1e-3)
    parameters = [
        [torch.tensor(part, requires_grad=True, dtype=torch.float64) for part in layer]
        for layer in one.layers
    ]
    order = epoch_of(spec, 64).order
    x = torch.from_numpy(data.pixel_values[data.train.images[order]]).double()
    for layer, (weights, biases, tops, links) in enumerate(parameters):
        sums = [x @ w.T + b for w, b in zip(weights, biases, strict=True)]
        a1 = torch.sigmoid(sums[1])
        a2 = torch.sigmoid(sums[2] + links[0] * a1)
        y = sums[0] + tops[0] * a1 + tops[1] * a2
        x = y if layer == 2 else torch.relu(y)
    functional.cross_entropy(x, torch.from_numpy(data.train.labels[order])).backward()
    population = TorchBackend().population(one.shape, ("p",), data, 64)
    population.load(0, one.vector)
    population.train({0: _with_order(epoch_of(spec, 64), order)}, threading.Event())
    mean = one.shape.view(population.moments(0).mean)
    for found, expected in zip(mean.layers, parameters, strict=True):
        for part, tensor in zip(found, expected, strict=True):
            assert part / 0.1 == pytest.approx(tensor.grad.numpy(), abs=2e-6)


def test_a_trial_starts_without_dendrites(data):
    assert not fresh(spec_of("[1*9, 1*5]", "dendrites"), data).lkg.shape.grown
