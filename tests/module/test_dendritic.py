"""`Dendritic` around any layer: the published equations, in ordinary PyTorch."""

import copy
import io
import itertools
import pickle

import pytest
import torch
from networks import CNN, Transformer, normal
from torch import nn

from frustration.dendrites.module import DendriticLinear
from frustration.engine.module.dendritic import Dendritic, dendrites_of, set_dendrites
from frustration.engine.module.growing import library_order
from frustration.errors import InputError

FUNCTIONS = ["sigmoid", "relu", "tanh", "leaky_relu", "softplus"]
AXES = {"c1": 1, "c2": 1, "fc": -1, "out": -1}


def shaken(module: nn.Module, seed: int = 0) -> nn.Module:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * 0.4)
    return module


def grown_cnn(dendrites: int = 2) -> CNN:
    network = CNN()
    set_dendrites(network, dict.fromkeys(AXES, dendrites), AXES)
    return shaken(network).eval()


@pytest.mark.parametrize("function", FUNCTIONS)
@pytest.mark.parametrize("dendrites", [1, 2, 3])
def test_on_a_linear_layer_it_computes_what_dendritic_linear_does_to_the_bit(dendrites, function):
    ours = shaken(Dendritic(nn.Linear(5, 4), dendrites, -1, function))
    theirs = DendriticLinear(5, 4, dendrites, function)
    with torch.no_grad():
        theirs.weight.copy_(ours.neuron.weight)
        theirs.bias.copy_(ours.neuron.bias)
        theirs.dendrites.weight.copy_(torch.stack([d.weight for d in ours.dendrites]))
        theirs.dendrites.bias.copy_(torch.stack([d.bias for d in ours.dendrites]))
        theirs.tops.copy_(ours.tops)
        if dendrites > 1:
            theirs.links.copy_(ours.links)
    inputs = [normal(2, 7, 5).requires_grad_() for _ in range(2)]
    outputs = [ours(inputs[0]), theirs(inputs[1])]
    for output in outputs:
        output.square().sum().backward()
    assert torch.equal(*outputs)
    assert torch.equal(inputs[0].grad, inputs[1].grad)
    assert torch.equal(ours.tops.grad, theirs.tops.grad)
    assert torch.equal(torch.stack([d.weight.grad for d in ours.dendrites]), theirs.dendrites.weight.grad)


@pytest.mark.parametrize(
    "layer", [nn.Conv2d(2, 3, 3), nn.Conv1d(2, 3, 2), nn.Linear(4, 3), nn.Embedding(9, 3)]
)
def test_a_new_dendrite_changes_nothing_until_it_is_trained(layer):
    axis = 1 if isinstance(layer, (nn.Conv1d, nn.Conv2d)) else -1
    shape = {nn.Conv2d: (5, 2, 4, 4), nn.Conv1d: (5, 2, 4), nn.Linear: (5, 4)}.get(type(layer))
    x = normal(1, *shape) if shape else torch.tensor([[1, 2], [3, 8]])
    grown = Dendritic(layer, 1, axis)
    for _ in range(2):
        grown.grow()
        with torch.no_grad():
            for parameter in grown.dendrites[-1].parameters():
                parameter.fill_(0.5)
        assert torch.equal(grown(x), layer(x))
    assert len(grown.dendrites) == 3
    assert grown.links.shape == (3, 3)


def test_rows_of_earlier_dendrites_survive_growth_and_return():
    layer = shaken(Dendritic(nn.Linear(3, 2), 2, -1))
    tops, links = layer.tops.detach().clone(), layer.links.detach().clone()
    layer.grow()
    assert torch.equal(layer.tops[:2], tops)
    assert torch.equal(layer.links[:1], links)
    assert not layer.tops[2].any()
    assert not layer.links[1:].any()
    layer.shrink(2)
    assert torch.equal(layer.tops, tops)
    assert torch.equal(layer.links, links)
    layer.shrink(1)
    assert layer.links is None


def test_at_zero_dendrites_the_layer_is_the_one_that_was_there():
    network = CNN()
    layers = {name: network.get_submodule(name) for name in AXES}
    weights = dict(network.named_parameters())
    set_dendrites(network, dict.fromkeys(AXES, 3), AXES)
    assert dendrites_of(network) == dict.fromkeys(AXES, 3)
    set_dendrites(network, dict.fromkeys(AXES, 0), AXES)
    assert all(network.get_submodule(name) is layer for name, layer in layers.items())
    assert all(parameter is weights[name] for name, parameter in network.named_parameters())


def test_it_answers_for_its_layer():
    layer = Dendritic(nn.Linear(5, 4), 1, -1)
    assert (layer.in_features, layer.out_features) == (5, 4)
    assert layer.weight is layer.neuron.weight
    with pytest.raises(AttributeError, match="kernel_size"):
        _ = layer.kernel_size


def test_a_layer_without_a_number_of_units_and_a_function_that_is_not_known_are_refused():
    with pytest.raises(InputError, match="ReLU does not say how many units"):
        Dendritic(nn.ReLU(), 1, -1)
    with pytest.raises(InputError, match='"swish" is not one of sigmoid'):
        Dendritic(nn.Linear(2, 2), 1, -1, "swish")


def test_a_grown_network_can_be_copied_pickled_and_compared():
    network, x = grown_cnn(), normal(1, 3, 1, 8, 8)
    expected = network(x)
    assert torch.equal(copy.deepcopy(network)(x), expected)
    assert torch.equal(pickle.loads(pickle.dumps(network))(x), expected)


def test_a_grown_network_leaves_for_plain_pytorch_by_trace_and_by_export(tmp_path):
    network, x = grown_cnn(), normal(1, 3, 1, 8, 8)
    expected = network(x)
    buffer = io.BytesIO()
    torch.jit.save(torch.jit.trace(network, x), buffer)
    buffer.seek(0)
    torch.testing.assert_close(torch.jit.load(buffer)(x), expected)
    torch.export.save(torch.export.export(network, (x,)), tmp_path / "grown.pt2")
    torch.testing.assert_close(torch.export.load(tmp_path / "grown.pt2").module()(x), expected)


@pytest.mark.parametrize("padded", [False, True])
def test_the_fast_path_of_a_transformer_does_not_pass_dendrites_by(padded):
    """Unguarded, evaluation ignores the dendrites of linear1 and linear2: they are not measured."""
    torch.manual_seed(0)
    network, x = Transformer(), normal(1, 3, 4, 8)
    names = {"encoder.layers.0.linear1": -1, "encoder.layers.0.linear2": -1}
    set_dendrites(network, dict.fromkeys(names, 1), names)
    shaken(network)
    padding = torch.tensor([[False] * 4, [False] * 3 + [True], [False] * 2 + [True] * 2]) if padded else None
    assert torch.backends.mha.get_fastpath_enabled()
    network.eval()
    with torch.no_grad():
        evaluated = network(x, padding)
    network.train()
    torch.testing.assert_close(evaluated, network(x, padding))


def test_dendrites_are_drawn_in_the_librarys_order():
    network = CNN()
    assert list(library_order(network, AXES)) == ["c1", "c2", "fc", "out"]
    network.a_last = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    chosen = [*AXES, "a_last.0", "a_last.1"]
    order = list(library_order(network, chosen))
    assert order == ["a_last.0", "a_last.1", "c1", "c2", "fc", "out"]
    assert len(list(itertools.chain(order))) == len(chosen)
