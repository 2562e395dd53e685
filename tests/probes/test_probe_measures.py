"""Calibration, representation, latency and memory against hand-computed cases."""

import itertools
import time

import numpy as np
import pytest
import torch
from probe_kit import layers, random_images, random_network, with_weights
from torch.nn import functional

from frustration.probes.calibration import binned, calibration, expected_calibration_error
from frustration.probes.forward import Images
from frustration.probes.latency import LEAST_RUNS, in_turns, latency, peak_memory
from frustration.probes.representation import effective_rank, representation
from frustration.simple_mlp import SimpleMLP


def test_calibration_error_by_hand():
    # Bins of a fifth: (0.4, 0.6] holds 0.5 and 0.6, half right; (0.8, 1] the others, two of three right.
    confidence = torch.tensor([0.5, 0.6, 0.9, 0.9, 1.0], dtype=torch.float64)
    correct = torch.tensor([True, False, True, False, True])
    count, mean, share = binned(confidence, correct, 5)
    assert count.tolist() == [0, 0, 2, 0, 3]
    assert mean[[2, 4]].tolist() == pytest.approx([0.55, 2.8 / 3])
    assert share[[2, 4]].tolist() == pytest.approx([0.5, 2 / 3])
    expected = (2 * abs(0.5 - 0.55) + 3 * abs(2 / 3 - 2.8 / 3)) / 5
    assert expected_calibration_error(confidence, correct, 5) == pytest.approx(expected)


def test_calibration_of_logits():
    generator = torch.Generator().manual_seed(0)
    outputs, labels = torch.randn(500, 6, generator=generator) * 3, torch.arange(500) % 6
    found = calibration(outputs, labels, 15)
    assert found["accuracy"] == 100 * int((outputs.argmax(1) == labels).sum()) / 500
    assert found["nll"] == pytest.approx(float(functional.cross_entropy(outputs, labels)), rel=1e-5)
    assert sum(found["bin_count"]) == 500
    # A second time, image by image.
    confidence = outputs.double().softmax(1).max(1).values.numpy()
    correct = (outputs.argmax(1) == labels).numpy()
    error = 0.0
    for low in range(15):
        inside = (confidence > low / 15) & (confidence <= (low + 1) / 15)
        if inside.any():
            error += inside.sum() * abs(correct[inside].mean() - confidence[inside].mean())
            assert found["bin_accuracy"][low] == pytest.approx(100 * correct[inside].mean())
        else:
            assert found["bin_accuracy"][low] is None
            assert found["bin_confidence"][low] is None
    assert found["ece"] == pytest.approx(100 * error / 500)


def test_one_that_is_always_sure_and_right_is_calibrated_and_one_that_is_wrong_is_not():
    labels = torch.arange(40) % 4
    sure = 1_000 * functional.one_hot(labels, 4).float()
    right, wrong = calibration(sure, labels, 15), calibration(sure.roll(1, 1), labels, 15)
    assert (right["ece"], right["nll"]) == (0, 0)
    assert (wrong["ece"], wrong["nll"]) == (100, 1_000)


def rank(matrix) -> float:
    return effective_rank(torch.as_tensor(np.asarray(matrix, np.float32)))


def test_effective_rank_of_known_matrices():
    orthogonal = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 8)))[0]
    orthogonal -= orthogonal.mean(0)  # all columns equally strong, in directions of their own
    orthogonal = np.linalg.qr(orthogonal)[0]
    assert rank(orthogonal) == pytest.approx(8, rel=1e-3)
    assert rank(orthogonal @ np.diag([3, 1, 0, 0, 0, 0, 0, 0])) == pytest.approx(
        np.exp(-0.75 * np.log(0.75) - 0.25 * np.log(0.25)), rel=1e-3
    )
    assert rank(np.outer(np.arange(50), [1, 2, 3])) == pytest.approx(1, rel=1e-3)
    assert rank(np.full((50, 3), 0.3)) == 0
    assert rank(np.zeros((50, 3))) == 0


def test_effective_rank_does_not_see_scale_nor_offset():
    matrix = np.random.default_rng(0).normal(size=(200, 6)) * [5, 4, 3, 2, 1, 0]
    assert rank(matrix) == pytest.approx(rank(7 * matrix + 3), rel=1e-4)
    values = np.linalg.svd(matrix - matrix.mean(0), compute_uv=False)
    shares = values[:5] / values[:5].sum()
    assert rank(matrix) == pytest.approx(np.exp(-(shares * np.log(shares)).sum()), rel=1e-4)


def test_dead_units_are_those_that_no_image_turns_on():
    kept = random_network("[1*6, 1*5]")
    weights = kept.weights.copy()
    network = kept.shape.view(weights)
    network.weights[0][[1, 4]] = 0
    network.biases[0][[1, 4]] = (-1, 0)  # off for every image: one below 0, one at 0
    network.biases[0][2] = 1_000  # on for every image
    network.biases[1][:] = -1_000_000
    found = representation(layers(with_weights(kept.shape, weights)), random_images(kept))
    assert found["units"] == [6, 5]
    assert found["dead"] == [2, 5]
    assert found["effective_rank"][1] == 0
    assert 100 * 2 / 6 <= found["zero"][0] < 100 * 5 / 6
    assert found["zero"][1] == 100


@pytest.mark.parametrize("dendrites", [(), (2, 1)])
def test_a_layer_is_judged_by_its_activations(dendrites):
    kept = random_network("[1*6]", dendrites=dendrites)
    images = random_images(kept)
    (activations,) = kept.network.activations(images.pixels.numpy())
    (found,) = representation(layers(kept), images)["effective_rank"]
    assert found == pytest.approx(rank(activations), rel=1e-4)


def test_latency_is_the_median_of_many_warmed_passes():
    calls = []

    def forward(batch):
        calls.append(time.perf_counter())
        time.sleep(0.05 if len(calls) <= 5 else 0.002)  # the first ones are slow, as where caches are cold

    found = latency(forward, torch.zeros(1), seconds=0.1)
    assert found.runs >= LEAST_RUNS
    assert len(calls) >= found.runs + LEAST_RUNS
    assert 0.002 <= found.q25 <= found.median <= found.q75
    # Unless this machine stands still for half of the passes.
    assert found.median < 0.05
    assert found.spread == found.q75 - found.q25


def test_latency_grows_with_the_batch():
    module = SimpleMLP("[1*256]").eval()
    with torch.inference_mode():
        one, many = (latency(module, torch.zeros(size, 784), 0.05) for size in (1, 1024))
    assert one.median < many.median


def test_times_taken_in_turns_are_the_least_of_cpu_time_whatever_slows_a_while_of_it():
    order = []

    def work(name, amount, waits=0.0):
        order.append(name)
        time.sleep(waits)
        slow = 20 if len(order) < 30 else 1  # the first rounds meet a busy machine
        return sum(range(slow * amount))

    found = in_turns(
        {
            "one": lambda: work("one", 20_000),
            "three": lambda: work("three", 60_000),
            "sleeps": lambda: work("sleeps", 20_000, waits=0.001),
        }
    )
    assert 2 < found["three"] / found["one"] < 4
    assert found["sleeps"] / found["one"] < 2  # waiting is no CPU time
    changes = sum(before != after for before, after in itertools.pairwise(order))
    assert changes >= 3 * 20 - 1


@pytest.mark.parametrize("batch", [1, 256])
def test_peak_memory_by_hand(batch):
    """[1*32]: weights, images, and at the ReLU both what goes in and what comes out of it."""
    module = SimpleMLP("[1*32]").eval()
    weights = 4 * (784 * 32 + 32 + 32 * 10 + 10)
    peak = peak_memory(module, torch.zeros(batch, 784), list(module.parameters()))
    assert peak == weights + 4 * batch * (784 + 32 + 32)


def test_memory_that_is_free_again_is_not_counted():
    def forward(batch):
        for _ in range(10):
            batch = batch + 1
        return batch.view(-1)[:3]

    # The caller's batch, the last sum and the one before it.
    assert peak_memory(forward, torch.zeros(1_000)) == 3 * 4_000


def test_images_come_as_pixels_of_the_data_set(mnist):
    images = Images.of(mnist.test.head(5), mnist)
    expected = (mnist.test.images[:5] / np.float32(255) - np.float32(0.1307)) / np.float32(0.3081)
    np.testing.assert_allclose(images.pixels.numpy(), expected, rtol=1e-5, atol=1e-6)
