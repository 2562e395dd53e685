"""The units of a network are found by running it: which there are, what drives them, and who listens."""

import pytest
import torch
from networks import CNN, Grouped, Residual, Transformer, mlp, normal
from torch import nn

from frustration.engine.module.dendritic import set_dendrites
from frustration.engine.module.units import Units, growable


def units_of(network, *shape):
    torch.manual_seed(0)
    x = normal(1, *shape)
    return Units(network, lambda: network(x))


@pytest.mark.parametrize("activation", [nn.ReLU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.SiLU, nn.LeakyReLU])
def test_in_an_mlp_they_are_the_published_ones(activation):
    units = units_of(mlp(activation), 6, 5)
    assert units.hidden == {"0": list(range(6)), "2": list(range(4))}
    assert units.output == {"5": [0, 1, 2]}
    assert list(units.all) == ["0", "2", "5"]


def test_a_channel_takes_its_batch_norm_with_it_and_its_columns_after_flattening():
    units = units_of(CNN(), 4, 1, 8, 8)
    assert {name: len(found) for name, found in units.hidden.items()} == {"c1": 4, "c2": 6, "fc": 5}
    assert list(units.output) == ["out"]
    found = units.incoming("c2", 3) + units.outgoing("c2", 3)
    parts = {(part.name, str(part.index)) for part in found}
    assert {name for name, _ in parts} == {"c2.weight", "c2.bias", "b2.weight", "b2.bias", "fc.weight"}
    assert sum(name == "fc.weight" for name, _ in parts) == 4  # its 2 x 2 pixels


def test_writers_of_a_residual_stream_are_not_hidden():
    units = units_of(Residual(), 4, 1, 8, 8)
    assert list(units.hidden) == ["inner"]
    assert list(units.output) == ["head"]
    assert list(units.all) == ["stem", "inner", "back", "head"]


def test_in_a_grouped_convolution_a_channel_is_heard_by_its_group_alone():
    network = Grouped()
    units = units_of(network, 4, 1, 8, 8)
    assert len(units.hidden["c1"]) == 6
    (part,) = [part for part in units.outgoing("c1", 4) if part.name == "c2.weight"]
    assert network.c2.weight[part.index].shape == (2, 3, 3)
    assert part.index[0] == slice(2, 4)


def test_of_a_transformer_only_the_inner_layer_of_its_mlp_is_found():
    """The packed projection of nn.MultiheadAttention has no module whose units could be told apart."""
    units = units_of(Transformer(), 4, 4, 8)
    assert list(units.hidden) == ["encoder.layers.0.linear1"]
    assert list(units.output) == ["out"]


@pytest.mark.parametrize("grown", [False, True])
@pytest.mark.parametrize(
    ("network", "shape", "layer"),
    [
        (mlp, (6, 5), "2"),
        (CNN, (4, 1, 8, 8), "c1"),
        (CNN, (4, 1, 8, 8), "c2"),
        (Residual, (4, 1, 8, 8), "inner"),
    ],
)
def test_a_unit_that_was_taken_drives_nothing_and_no_other_unit_has_changed(network, shape, layer, grown):
    """Whatever its own bias or statistics become, the output is that of a network which never had it."""
    torch.manual_seed(3)
    module = network()
    x = normal(1, *shape)
    units = Units(module, lambda: module(x))
    if grown:
        axes = growable(units)
        set_dendrites(module, dict.fromkeys(axes, 2), axes)
        for parameter in module.parameters():
            nn.init.normal_(parameter, 0, 0.3)
    module.eval()
    before = {name: p.detach().clone() for name, p in module.named_parameters()}
    removed = units.take(layer, 1, outgoing=True)
    changed = {name: (p != before[name]) for name, p in module.named_parameters()}
    norm = sum(float(before[n][where].square().sum()) for n, where in changed.items()) ** 0.5
    assert removed == pytest.approx(norm, rel=1e-5)
    assert all(float(p.detach()[changed[n]].abs().sum()) == 0 for n, p in module.named_parameters())
    without = module(x)
    holder = module.get_submodule(layer)
    width = units.layers[layer].width

    def loud(_module, _inputs, output):
        marked = output.clone()
        marked.movedim(units.layers[layer].axis, 0)[1] += 7.0
        return marked

    hook = holder.register_forward_hook(loud)
    torch.testing.assert_close(module(x), without)
    hook.remove()
    assert width > 1


def test_a_probe_leaves_no_trace_in_the_network():
    torch.manual_seed(0)
    network = CNN().train()
    network.b2.eval()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    modes = [module.training for module in network.modules()]
    x = normal(1, 4, 1, 8, 8)
    Units(network, lambda: network(x))
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert [module.training for module in network.modules()] == modes
    assert not any("forward" in module.__dict__ for module in network.modules())


def test_frozen_weights_make_no_unit_and_spare_those_that_they_hear():
    network = mlp()
    network[2].requires_grad_(False)
    x = normal(1, 6, 5)
    units = Units(network, lambda: network(x))
    assert list(units.all) == ["0", "5"]
    assert units.hidden == {}


def test_a_loss_will_do_for_hidden_units():
    network = CNN()
    x, y = normal(1, 4, 1, 8, 8), torch.tensor([0, 1, 2, 3])
    units = Units(network, lambda: nn.functional.cross_entropy(network(x), y))
    assert list(units.hidden) == ["c1", "c2", "fc"]
