"""The units of a network are found by running it: which there are, what drives them, and who listens."""

import dataclasses

import pytest
import torch
from networks import CNN, Attention, Grouped, Residual, Transformer, mlp, normal
from torch import nn

from frustration.engine.module.dendritic import set_dendrites
from frustration.engine.module.heads import Heads
from frustration.engine.module.units import Units, growable
from frustration.errors import InputError


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


HEADS = Heads(queries="q", keys="k", values="v", count=2)


@pytest.mark.parametrize("grown", [False, True])
def test_a_head_is_a_unit_where_that_is_said_and_goes_as_a_whole(grown):
    torch.manual_seed(3)
    network, x = Attention(), normal(1, 4, 4, 8)
    assert units_of(network, 4, 4, 8).hidden == {"v": [*range(8)], "o": [*range(8)]}
    units = Units(network, lambda: network(x), heads=[HEADS])
    assert units.hidden == {"v": [0, 1], "o": [*range(8)]}
    assert list(units.all) == ["v", "o", "out"]
    assert list(growable(units)) == ["q", "k", "v", "o", "out"]
    if grown:
        set_dendrites(network, dict.fromkeys(growable(units), 2), growable(units))
        for parameter in network.parameters():
            nn.init.normal_(parameter, 0, 0.3)
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    units.take("v", 1, outgoing=True)
    for name, now in network.named_parameters():
        layer, kept = name.partition(".")[0], torch.ones_like(now, dtype=torch.bool)
        if layer in ("q", "k", "v"):
            kept[(..., slice(4, None)) if name.endswith(("tops", "links")) else slice(4, None)] = False
        elif layer == "o" and name.endswith("weight"):
            kept[:, 4:] = False
        assert torch.equal(now, torch.where(kept, before[name], 0.0)), name


def test_queries_keys_and_values_of_one_layer_make_heads_too():
    layers = Units(
        network := nn.Sequential(nn.Linear(8, 24), nn.Linear(24, 3)), lambda: network(normal(1, 4, 8))
    )
    packed = Heads(queries="0", keys="0", values="0", count=4)
    head = packed.units(layers.layers)[1]
    assert head.rows == tuple(("0", row) for row in (2, 3, 10, 11, 18, 19))
    assert head.heard == (18, 19)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"keys": "kk"}, "kk is no layer that the network runs"),
        ({"count": 3}, "8 features of q are not 3 heads"),
        ({"count": 0}, "8 features of q are not 0 heads"),
        ({"queries": "frozen"}, "frozen is not trained"),
    ],
)
def test_heads_that_are_none_are_refused_in_one_sentence(changed, says):
    network = Attention()
    network.frozen = nn.Linear(8, 8).requires_grad_(False)
    with pytest.raises(InputError, match=says):
        Units(
            network,
            lambda: network(network.frozen(normal(1, 4, 4, 8))),
            heads=[dataclasses.replace(HEADS, **changed)],
        )


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
