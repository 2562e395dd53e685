"""Noisy weights: w (1 + sigma e), so that a network's own scale does not matter."""

import numpy as np
import pytest
from probe_kit import NEVER, accuracy, random_images, random_network, with_weights

from frustration.probes import weight_noise as module
from frustration.probes.draws import Draws
from frustration.probes.weight_noise import weight_noise

SIGMAS = (0.0, 0.1, 0.5)


def measured(kept, images, draws=4):
    settings = {"images": len(images), "draws": draws, "sigmas": list(SIGMAS)}
    return weight_noise(kept.shape, kept.weights, images, Draws(0, 3), settings, NEVER)


@pytest.mark.parametrize(
    "architecture, dendrites", [("[1*7]", ()), ("[3*5]", ()), ("[]", ()), ("[2*5]", (2, 0, 3)), ("[]", (1,))]
)
def test_every_draw_is_a_plain_network_with_weights_in_proportion_off(architecture, dendrites):
    kept = random_network(architecture, dendrites=dendrites)
    images = random_images(kept)
    found = measured(kept, images)
    for draw in range(4):
        noise = Draws(0, 3).of_weights(kept.shape.architecture, draw, kept.shape.size)
        for level, sigma in enumerate(SIGMAS):
            noisy = kept.weights * (1 + np.float32(sigma) * noise)
            expected = accuracy(with_weights(kept.shape, noisy), images)
            assert found["by_draw"][level][draw] == pytest.approx(expected, abs=1e-9)
    assert found["accuracy"][0] == accuracy(kept, images)
    assert found["area"] == pytest.approx(np.mean(found["accuracy"]))
    assert len({*found["by_draw"][2]}) > 1


def test_a_network_scaled_between_two_layers_computes_and_suffers_the_same():
    kept = random_network("[2*6]")
    images = random_images(kept)
    weights = kept.weights.copy()
    network = kept.shape.view(weights)
    network.weights[0][...] *= 4
    network.biases[0][...] *= 4
    network.weights[1][...] /= 4
    assert measured(with_weights(kept.shape, weights), images) == measured(kept, images)


def test_noise_is_standard_normal():
    noise = Draws(0, 0).of_weights(random_network("[1*7]").shape.architecture, 0, 100_000)
    assert abs(noise.mean()) < 0.01
    assert abs(noise.std() - 1) < 0.01
    assert abs((np.abs(noise) < 1).mean() - 0.6827) < 0.005


def test_how_many_copies_are_at_work_at_once_does_not_matter(monkeypatch):
    kept = random_network("[2*6]")
    images = random_images(kept)
    together = measured(kept, images, draws=7)
    monkeypatch.setattr(module, "FLOATS", 1)
    assert measured(kept, images, draws=7) == together
