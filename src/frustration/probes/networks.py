"""A kept network as layers and as a module: the only place here that knows how a network computes.

A new kind of layer is added here: a `Layer` made of `product`s for what is
measured on many masks or weights at once, and a module for what is timed.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn

from frustration.dendrites.module import DendriticMLP
from frustration.engine.dendritic import join
from frustration.engine.products import layer_outputs, times_transposed
from frustration.network import Network, Shape, Vector
from frustration.saved import unpack_lkg
from frustration.sealed import CheckpointError, read


@dataclass(frozen=True, eq=False)
class Kept:
    """A network as it was kept."""

    network: Network
    sha256: str
    """Of its file."""

    @property
    def shape(self) -> Shape:
        return self.network.shape

    @property
    def weights(self) -> Vector:
        """[size], flat."""
        return self.network.vector


def load_network(path: Path) -> Kept:
    """The network in a file; CheckpointError says what is wrong with it."""
    network = unpack_lkg(path).lkg
    if not isinstance(network, Network):
        raise CheckpointError("it holds the network of a problem, and probes know SimpleMLPs")
    return Kept(network, hashlib.sha256(read(path)).hexdigest())


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


@dataclass(frozen=True, eq=False)
class Dendritic:
    """Units with D dendrites each, as `frustration.engine.dendritic` joins them.

    weight [K, (D + 1) outputs, inputs] and bias [K, (D + 1) outputs, 1]: the units' own, then those of their
    first dendrites, and so on; tops [K, D, outputs, 1]; links [K, pairs, outputs, 1].
    """

    weight: Tensor
    bias: Tensor
    tops: Tensor
    links: Tensor
    function: str

    def __call__(self, below: Tensor, keep: Tensor | None = None) -> Tensor:
        dendrites, outputs = self.tops.shape[1:3]
        sums = product(self.weight, self.bias, below, keep).unflatten(1, (dendrites + 1, outputs))
        result = torch.empty_like(sums[:, 0])
        join(sums, self.tops, self.links, self.function, result)
        return result


def layers_of(shape: Shape, weights: Tensor) -> list[Layer]:
    """The layers of K networks of one shape; weights [K, size], flat."""
    layers: list[Layer] = []
    start = 0
    for (outputs, inputs), dendrites, sizes in zip(shape.layers, shape.dendrites, shape.parts, strict=True):
        weight, bias, tops, links = weights[:, start : start + sum(sizes)].split(sizes, dim=1)
        start += sum(sizes)
        weight, bias = weight.unflatten(1, (-1, inputs)), bias[:, :, None]
        if dendrites:
            tops, links = (
                some.reshape(len(some), some.shape[1] // outputs, outputs, 1) for some in (tops, links)
            )
            layers.append(Dendritic(weight, bias, tops, links, shape.forward_function))
        else:
            layers.append(Affine(weight, bias))
    return layers


def module_of(kept: Kept) -> nn.Module:
    """The network as a user would run it: [images, features] in, logits [images, classes] out."""
    return DendriticMLP.of(kept.network).eval()


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
