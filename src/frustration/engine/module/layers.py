"""The layers of a network whose units can be told apart, and where the weights of a unit are."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

Index = tuple[int | slice, ...]

NOBODY, SEVERAL = -1, -2
"""Of an input column: it depends on no unit of a layer, or on more than one."""


@dataclass(frozen=True)
class Slice:
    """A part of a tensor, by the tensor's name in the network. Basic indexing: a view, in torch and NumPy."""

    name: str
    index: Index


@dataclass
class Layer:
    """A module with one weight and a number of units: features of its output."""

    name: str
    module: nn.Module
    axis: int
    """Of the features, in its input and its output."""
    transposed: bool = False
    """Whether its weight is [inputs, outputs], as in transformers' Conv1D."""
    is_output: bool = False
    """Whether the network's output hears it directly."""
    heard_by: dict[str, Tensor] = field(default_factory=dict)
    """By listener: [its input columns] the unit of this layer that each depends on, NOBODY or SEVERAL."""
    private: bool = False
    """Whether its listeners hear nothing else: they become constant when it does."""

    @property
    def weight(self) -> Tensor:
        return cast(Tensor, self.module.weight)

    @property
    def is_norm(self) -> bool:
        """Whether its units are those of the layer before: a BatchNorm."""
        return isinstance(self.module, BatchNorm)

    @property
    def width(self) -> int:
        return int(self.weight.shape[-1 if self.transposed else 0])

    @property
    def trains(self) -> bool:
        return self.weight.requires_grad

    @property
    def owns_weight(self) -> bool:
        """Whether its weight is a parameter; under weight_norm it is computed from others in every step."""
        return isinstance(self.weight, nn.Parameter)

    def row(self, unit: int) -> Iterator[tuple[str, Index]]:
        """By which of its own parameters a unit is driven, and which part of each."""
        own = slice(unit, unit + 1) if self.is_norm else unit  # a view, not a number
        yield "weight", (slice(None), unit) if self.transposed else (own,)
        if self.module.bias is not None:
            yield "bias", (slice(unit, unit + 1),)

    def column(self, number: int) -> tuple[str, Index]:
        """The part of its weight with which it hears one input column."""
        if self.transposed:
            return "weight", (number,)
        groups = int(getattr(self.module, "groups", 1))
        rows = self.weight.shape[0] // groups
        group, within = divmod(number, self.weight.shape[1])
        return "weight", (slice(group * rows, (group + 1) * rows), within)


def layer_of(name: str, module: nn.Module) -> Layer | None:
    """The layer that a module is; None where it has no units of its own."""
    if type(module).__name__ == "Conv1D":  # of transformers
        return Layer(name, module, axis=-1, transposed=True)
    if isinstance(module, nn.Linear):
        return Layer(name, module, axis=-1)
    if isinstance(module, CONVOLUTIONS) or (isinstance(module, BatchNorm) and module.affine):
        return Layer(name, module, axis=1)
    return None


def layers_of(network: nn.Module) -> dict[str, Layer]:
    """All layers of a network by name; one that has two names has the first."""
    return {name: layer for name, module in network.named_modules() if (layer := layer_of(name, module))}


def tensors_of(value: object) -> Iterator[Tensor]:
    """All tensors in an output of any form."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from tensors_of(one)
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from tensors_of(one)


def tensors(network: nn.Module) -> dict[str, Tensor]:
    """Every tensor that a network consists of, once, buffers that are not saved included."""
    found = {n: p.detach() for n, p in network.named_parameters()}
    return found | dict(network.named_buffers())


def snapshot(network: nn.Module) -> dict[str, Tensor]:
    """A copy of every tensor. Modules, hooks and ties are not copied."""
    return {name: tensor.clone() for name, tensor in tensors(network).items()}


@torch.no_grad()
def restore(network: nn.Module, saved: dict[str, Tensor]) -> None:
    """Copy a snapshot into the tensors of a network of the same form, in place."""
    for name, tensor in tensors(network).items():
        tensor.copy_(saved[name])
