"""New dendrites are drawn as the library draws them: from torch's generator, weight, then bias."""

import numpy as np
import torch

from frustration import Architecture
from frustration.dendrites import Settings
from frustration.dendrites.draws import GrowthDraws
from frustration.engine.growth.step import grown
from frustration.network import Network, Shape

LAYERS = [(5, 7), (3, 5)]


def network(dendrites=(0, 0)) -> Network:
    shape = Shape(Architecture((5,)), 7, 3, dendrites)
    random = np.random.Generator(np.random.Philox(1))
    return shape.view(random.normal(size=shape.size).astype(np.float32))


def test_weights_and_biases_are_the_generators_in_the_order_of_the_model():
    bigger = grown(network(), (True, True), Settings(), GrowthDraws.seeded(9))
    torch.manual_seed(9)
    for layer, (outputs, inputs) in enumerate(LAYERS):
        weight, bias = torch.randn(outputs, inputs) * 0.01, torch.randn(outputs) * 0.01
        assert np.array_equal(bigger.all_weights[layer][1], weight.numpy())
        assert np.array_equal(bigger.all_biases[layer][1], bias.numpy())


def test_going_back_consumes_one_draw_for_every_dendrite():
    draws = GrowthDraws.seeded(9)
    draws.restore(network((2, 1)).shape)
    torch.manual_seed(9)
    for count, (outputs, inputs) in zip((2, 1), LAYERS, strict=True):
        for _ in range(count):
            torch.randn(outputs, inputs)
            torch.randn(outputs)
    main = (np.ones((5, 7), np.float32), np.ones(5, np.float32))
    weight, _ = draws.dendrite(main, Settings())
    assert np.array_equal(weight, (torch.randn(5, 7) * 0.01).numpy())


def test_the_size_of_the_neurons_scales_the_draw_where_asked():
    main = (np.full((5, 7), -3.0, np.float32), np.full(5, 1.0, np.float32))
    plain, _ = GrowthDraws.seeded(9).dendrite(main, Settings())
    scaled, _ = GrowthDraws.seeded(9).dendrite(main, Settings(candidate_weight_init_by_main=True))
    np.testing.assert_allclose(scaled, plain * (3 * 35 + 5) / 40, rtol=1e-6)


def test_a_stream_kept_as_bytes_continues_where_it_stood():
    draws = GrowthDraws.seeded(9)
    main = (np.ones((3, 3), np.float32), np.ones(3, np.float32))  # fewer than 16: half a pair is left over
    draws.dendrite(main, Settings())
    again = GrowthDraws.from_bytes(draws.to_bytes())
    for _ in range(3):
        left, right = draws.dendrite(main, Settings()), again.dendrite(main, Settings())
        assert all(np.array_equal(a, b) for a, b in zip(left, right, strict=True))


def test_a_network_computes_the_same_after_it_has_grown():
    before = network((1, 2))
    after = grown(before, (True, False), Settings(), GrowthDraws.seeded(3))
    images = np.random.Generator(np.random.Philox(2)).normal(size=(20, 7)).astype(np.float32)
    assert after.shape.dendrites == (2, 2)
    below = before.activations(images)[-1]
    assert np.array_equal(below, after.activations(images)[-1])
    assert np.array_equal(before.outputs(1, below), after.outputs(1, below))
