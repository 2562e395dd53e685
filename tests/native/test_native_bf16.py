"""Wide hidden layers with operands rounded to bfloat16: chosen by name, recorded, and no more."""

import dataclasses
import threading

import numpy as np
import pytest
import torch
from native_cases import REGIMES, bits, epoch_of, initial, made_up, shape_of, trained
from torch.nn import functional

from frustration.engine.backends import backend_named, choose
from frustration.engine.native import NativeBackend
from frustration.engine.native.build import library_path
from frustration.engine.native.library import Library


@pytest.fixture(scope="module")
def bf16(native):
    return NativeBackend(bf16=True)


class RoundedLinear(torch.autograd.Function):
    """A linear layer whose three products see only numbers rounded to bfloat16."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        x, weight = near(x), near(weight)
        ctx.save_for_backward(x, weight)
        return x @ weight.T + bias

    @staticmethod
    def backward(ctx, delta):
        x, weight = ctx.saved_tensors
        delta = near(delta)
        return delta @ weight, delta.T @ x, delta.sum(0)


def near(x: torch.Tensor) -> torch.Tensor:
    return x.detach().float().bfloat16().to(x.dtype)


def reference_gradient(shape, data, epoch, batch: int) -> tuple[float, np.ndarray]:
    """Loss and gradient of the first step in float64, with hidden products of rounded operands."""
    flat = torch.tensor(initial(shape), dtype=torch.float64, requires_grad=True)
    rows = epoch.order[:batch]
    x, at = torch.from_numpy(data.pixel_values[data.train.images[rows]]).double(), 0
    for layer, (outputs, inputs) in enumerate(shape.layers):
        weight = flat[at : at + outputs * inputs].view(outputs, inputs)
        bias = flat[at + outputs * inputs : at + outputs * (inputs + 1)]
        at += outputs * (inputs + 1)
        hidden = 0 < layer < len(shape.layers) - 1 and min(outputs, inputs) >= 64
        linear = RoundedLinear.apply if hidden else functional.linear
        x = linear(torch.relu(x) if layer else x, weight, bias)
    loss = functional.cross_entropy(x, torch.from_numpy(data.train.labels[rows]))
    loss.backward()
    return loss.item(), flat.grad.numpy()


@pytest.mark.parametrize("architecture", ["[2*64]", "[1*70, 2*99]", "[1*40, 3*80]"])
def test_a_step_is_one_of_rounded_operands(architecture, digits, bf16, native):
    """A number that lies between two bfloat16 may go to either: gradients agree to three in ten thousand."""
    shape = shape_of(architecture, digits)
    epoch = epoch_of(shape, digits, REGIMES[0])
    epoch = dataclasses.replace(epoch, order=epoch.order[:64])
    loss, gradient = reference_gradient(shape, digits, epoch, 64)
    apart = {}
    for backend in (bf16, native):
        population, _ = trained(backend, shape, digits, {0: epoch})
        first_mean = population.moments(0).mean / 0.1  # of AdamW: a tenth of the gradient
        apart[backend.name] = np.linalg.norm(first_mean - gradient) / np.linalg.norm(gradient)
        if backend is bf16:
            assert population.step_losses[0][0] == pytest.approx(loss, abs=1e-5)
    assert apart["native-bf16"] < 3e-4
    assert apart["native"] > 1e-3


@pytest.mark.parametrize("dead", range(5))
def test_a_neighbour_that_is_not_finite_changes_no_bit(dead, bf16):
    """The last of an odd number of live units is paired with 0, and not with what a neighbour left there."""
    data = made_up(150)
    shape = shape_of("[3*67]", data)
    epoch = epoch_of(shape, data, REGIMES[0])
    weights = initial(shape).copy()
    weights[30 * 67 :][:dead] = -1000  # biases of the first layer
    population = bf16.population(shape, ("ff",), data, 64)
    population.load(0, np.full_like(weights, np.nan))
    population.load(1, weights)
    _, beside = population.train({0: epoch, 1: epoch}, threading.Event())
    alone, losses = trained(bf16, shape, data, {0: epoch}, weights=weights)
    assert losses == [beside]
    assert bits(population.weights(1)) == bits(alone.weights(0))


@pytest.mark.parametrize("architecture", ["[]", "[1*200]", "[3*63]", "[1*200, 1*30]"])
def test_networks_without_wide_hidden_layers_keep_their_bits(architecture, digits, bf16, native):
    shape = shape_of(architecture, digits)
    epoch = epoch_of(shape, digits, REGIMES[2])
    rounded, exact = (trained(backend, shape, digits, {0: epoch})[0] for backend in (bf16, native))
    assert bits(rounded.weights(0)) == bits(exact.weights(0))


def test_neighbours_vectors_and_the_cpus_instruction_do_not_matter(digits, bf16):
    """AVX2 has no instruction for it: there it is computed step by step."""
    shape = shape_of("[1*64, 1*90, 1*71]", digits)
    epochs = {slot: epoch_of(shape, digits, settings) for slot, settings in enumerate(REGIMES)}
    crowd, losses = trained(bf16, shape, digits, epochs)
    other = Library(library_path(["-mavx2", "-mfma"])) if bf16.library.lanes == 16 else bf16.library
    assert not (other.has_bf16 and other is not bf16.library)
    for slot, epoch in epochs.items():
        alone, (loss,) = trained(NativeBackend(other, bf16=True), shape, digits, {0: epoch})
        assert bits(crowd.weights(slot)) == bits(alone.weights(0))
        assert losses[slot] == loss


def test_evaluation_is_in_float32(digits, bf16, native):
    shape = shape_of("[3*90]", digits)
    weights = trained(bf16, shape, digits, {0: epoch_of(shape, digits, REGIMES[0])})[0].weights(0)
    scores = []
    for backend in (bf16, native):
        population = backend.population(shape, ("f",), digits, 64)
        population.load(0, weights)
        scores.append(population.evaluate("validation"))
    assert scores[0] == scores[1]


@pytest.mark.parametrize("payload", [0x7FC00000, 0x7FFFFFFF, 0xFFFFFFFF, 0x7F800001])
def test_no_nan_is_lost_in_rounding(payload, bf16):
    data = made_up(64)
    shape = shape_of("[2*64]", data)
    weights = initial(shape)
    shape.view(weights).weights[1].view(np.uint32)[3, 5] = payload
    _, losses = trained(bf16, shape, data, {0: epoch_of(shape, data, REGIMES[0])}, weights=weights)
    assert np.isnan(losses[0])


def test_it_is_asked_for_by_name_and_recorded():
    backend = backend_named("native-bf16", "cpu")
    assert backend.numerics()["backend"] == "native-bf16"
    assert backend.numerics()["bf16"] in ("instruction", "emulated")
    assert "bf16" not in backend_named("native", "cpu").numerics()
    assert choose(None, "cpu") == ("native", "cpu")
