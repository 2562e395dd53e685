"""`redo` and `cbp`: which units start again, and what that changes."""

import numpy as np
import pytest

from frustration import Architecture, TrialSpec
from frustration.modes import LoopContext, ModeError, mode_named
from frustration.modes.renewal import renew
from frustration.network import Shape
from frustration.streams import Streams
from frustration.testing.trials import fresh, spec_of, trained

ARCHITECTURE = Architecture.parse("[1*7, 1*5]")


@pytest.fixture
def network(data):
    return fresh(TrialSpec.of(ARCHITECTURE, "none"), data).base


@pytest.fixture
def images(data):
    return data.pixel_values[data.train.images[:200]]


def context(images, loop=2, steps=1):
    return LoopContext(Streams(0, 0, ARCHITECTURE), loop, images, steps)


def test_a_renewed_unit_is_drawn_as_at_the_start_and_heard_by_nobody(network, images):
    before = network.copy()
    renew(network, [(0, 3), (1, 2)], context(images))
    fresh_weights = network.shape.view(network.shape.initial(Streams(0, 0, ARCHITECTURE).stream("init", 2)))
    for layer, unit in ((0, 3), (1, 2)):
        assert np.array_equal(network.biases[layer][unit], fresh_weights.biases[layer][unit])
        assert not network.weights[layer + 1][:, unit].any()
    assert np.array_equal(network.weights[0][3], fresh_weights.weights[0][3])
    heard = np.delete(network.weights[1][2], 3)
    assert np.array_equal(heard, np.delete(fresh_weights.weights[1][2], 3))
    touched = np.zeros_like(before.vector)
    view = network.shape.view(touched)
    for layer, unit in ((0, 3), (1, 2)):
        for part in (*view.incoming(layer, unit), *view.outgoing(layer, unit)):
            part[...] = 1
    assert np.array_equal(before.vector[touched == 0], network.vector[touched == 0])


def test_renewing_a_dead_unit_changes_no_output(network, images):
    network.weights[0][3], network.biases[0][3] = 0.0, -1.0
    before = network.copy()
    renew(network, [(0, 3)], context(images))
    assert not np.array_equal(before.vector, network.vector)
    assert np.array_equal(before.activations(images)[1], network.activations(images)[1])


def test_redo_takes_the_units_that_fire_at_most_tau_times_the_mean_of_their_layer(network, images):
    network.weights[0][3], network.biases[0][3] = 0.0, -1.0
    network.weights[1][0] *= np.float32(1e-3)
    network.biases[1][0] = np.float32(1e-4)
    fires = network.activity(images)
    expected = [(n, u) for n, layer in enumerate(fires) for u in np.flatnonzero(layer <= 0.1 * layer.mean())]
    assert {(0, 3), (1, 0)} <= set(expected)
    assert mode_named("redo")().worn_out(network, context(images)) == expected
    assert mode_named("redo")(tau=0.0).worn_out(network, context(images)) == [
        (n, u) for n, layer in enumerate(fires) for u in np.flatnonzero(layer == 0)
    ]


def test_cbp_renews_its_share_of_every_layer_whatever_the_length_of_a_loop(network, images):
    mode = mode_named("cbp")(rate=0.01)
    counts = {0: 0, 1: 0}
    for loop in range(2, 102):
        for layer, _ in mode.worn_out(network, context(images, loop, steps=10)):
            counts[layer] += 1
    assert counts == {0: 70, 1: 50}  # 0.01 x 10 steps x 100 loops x units


def test_cbp_takes_the_least_useful_first(network, images):
    network.weights[1][:, 4] = 0.0
    network.weights[2][:, 1] = 0.0
    units = mode_named("cbp")(rate=0.2).worn_out(network, context(images, loop=2, steps=1))
    assert units == [(0, 4), (1, 1)]


def test_at_rate_0_cbp_is_plain_training_to_the_bit(data):
    plain, cbp = trained([spec_of("[1*6]", mode, meta_loops=4) for mode in ("plain", "cbp:rate=0")], data)
    assert [e.accuracy for e in plain.curve] == [e.accuracy for e in cbp.curve]
    assert np.array_equal(plain.base.vector, cbp.base.vector)
    assert cbp.record().inert == ("cbp",)


@pytest.mark.parametrize("name", ["redo", "cbp"])
def test_without_a_hidden_layer_there_is_nothing_to_renew(name):
    with pytest.raises(ModeError, match="no hidden layer"):
        mode_named(name)().check(Shape(Architecture.parse("linear"), 6, 10))
