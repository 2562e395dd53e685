"""A kept network as layers and as a module: the only place here that knows how a network computes.

Whoever gives a network another kind of layer gives it here: a `Layer` made of `product`s for what is
measured on many masks or weights at once, and a module for what is timed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from frustration.checkpoint import unpack_lkg
from frustration.engine.products import layer_outputs, times_transposed
from frustration.network import Shape, Vector, to_state
from frustration.simple_mlp import SimpleMLP


@dataclass(frozen=True, eq=False)
class Kept:
    """A network as it was kept."""

    shape: Shape
    weights: Vector
    """[size], flat."""
    sha256: str
    """Of its file."""


def load_network(path: Path) -> Kept:
    """The network in a file; CheckpointError says what is wrong with it."""
    saved = unpack_lkg(path)
    shape = Shape(saved.architecture, saved.features, saved.classes)
    return Kept(shape, saved.lkg, hashlib.sha256(path.read_bytes()).hexdigest())


class Layer(Protocol):
    """One layer of K networks, up to but without its ReLU."""

    def __call__(self, below: Tensor, keep: Tensor | None = None) -> Tensor:
        """[C, outputs, images] of below [B, inputs, images]: K, B and the rows of keep [D, inputs] are each
        1 or C. Inputs where keep is 0 are silenced."""


@dataclass(frozen=True, eq=False)
class Affine:
    """weight [K, outputs, inputs] times what comes from below, plus bias [K, outputs, 1]."""

    weight: Tensor
    bias: Tensor

    def __call__(self, below: Tensor, keep: Tensor | None = None) -> Tensor:
        return product(self.weight, self.bias, below, keep)


def layers_of(shape: Shape, weights: Tensor) -> list[Layer]:
    """The layers of K networks of one shape; weights [K, size], flat."""
    layers: list[Layer] = []
    start = 0
    for outputs, inputs in shape.layers:
        end = start + outputs * inputs
        weight, bias = weights[:, start:end], weights[:, end : end + outputs]
        layers.append(Affine(weight.reshape(-1, outputs, inputs), bias.reshape(-1, outputs, 1)))
        start = end + outputs
    return layers


def module_of(kept: Kept) -> nn.Module:
    """The network as a user would run it: [images, features] in, logits [images, classes] out."""
    shape = kept.shape
    module = SimpleMLP(shape.architecture, shape.features, shape.classes)
    state = to_state(shape, kept.weights)
    module.load_state_dict({name: torch.from_numpy(values.copy()) for name, values in state.items()})
    return module.eval()


def product(weight: Tensor, bias: Tensor, below: Tensor, keep: Tensor | None = None) -> Tensor:
    """[C, outputs, images]: weight [K, outputs, inputs] times below [B, inputs, images], plus bias
    [K, outputs, 1]; inputs where keep [D, inputs] is 0 are silenced. K, B and D are each 1 or C."""
    if len(below) > 1 and keep is not None:
        below, keep = below * keep[:, :, None], None
    if len(below) == 1:
        # What all copies see is multiplied once, by one tall matrix; silencing an input is then nothing
        # but a column of zeros. 450 masks on [1*32] and 1,000 images: 1/5 of the time (measured).
        weight = weight if keep is None else weight * keep[:, None, :]
        copies, outputs, inputs = weight.shape
        tall = times_transposed(weight.reshape(copies * outputs, inputs), below[0].t())
        return tall.view(copies, outputs, -1).add_(bias)
    copies, _, images = below.shape
    weight, bias = weight.expand(copies, -1, -1), bias.expand(copies, -1, -1)
    return layer_outputs(weight, below, bias, torch.empty(copies, weight.shape[1], images))
