"""A grown network as a plain PyTorch module, for export, serving or further training.

It needs nothing else of this package, goes through TorchScript and ONNX, and its state dict is what a
checkpoint's safetensors file holds.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import torch
from torch import Tensor, nn
from torch.nn import functional

from frustration.architecture import Architecture
from frustration.dendrites.settings import FORWARD_FUNCTIONS
from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.network import Network


ALIGNMENT = 64
"""Where torch lets tensors of their own begin, in bytes."""


class Dendrites(nn.Module):
    """The dendrites of one layer: `weight` [dendrites, outputs, inputs], `bias` [dendrites, outputs]."""

    def __init__(self, dendrites: int, outputs: int, inputs: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(dendrites, outputs, inputs))
        self.bias = nn.Parameter(torch.zeros(dendrites, outputs))


class DendriticLinear(nn.Module):
    """A linear layer with K dendrites on each of its units:

        a_k = f(W_k x + b_k + sum over j < k of D[k, j] a_j),    y = W x + b + sum over k of T[k] a_k

    T is `tops` [K, outputs]; D is `links` [K (K - 1) / 2, outputs] in the order (2, 1), (3, 1), (3, 2), …
    """

    def __init__(self, inputs: int, outputs: int, dendrites: int, function: str = "sigmoid") -> None:
        super().__init__()
        if dendrites < 1:
            raise ValueError("a layer without dendrites is an nn.Linear")
        if function not in FORWARD_FUNCTIONS:
            raise InputError(f'forward function "{function}" is not one of {", ".join(FORWARD_FUNCTIONS)}')
        self.in_features, self.out_features = inputs, outputs
        self.count, self.function = dendrites, function
        plain = nn.Linear(inputs, outputs)
        self.weight, self.bias = plain.weight, plain.bias
        self.dendrites = Dendrites(dendrites, outputs, inputs)
        self.tops = nn.Parameter(torch.zeros(dendrites, outputs))
        self.unaligned = inputs * outputs * 4 % ALIGNMENT != 0
        links = torch.zeros(dendrites * (dendrites - 1) // 2, outputs)
        if dendrites > 1:
            self.links: Tensor = nn.Parameter(links)
        else:
            self.register_buffer("links", links, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        # In this order the library computes, and autograd adds up the gradients of x in its reverse.
        y = functional.linear(x, self.weight, self.bias)
        sums: list[Tensor] = []
        for k in range(self.count):
            weight = self.dendrites.weight[k]
            if self.unaligned:  # some matrix products round by where a matrix begins; the library's are apart
                weight = weight.clone()
            sums.append(functional.linear(x, weight, self.dendrites.bias[k]))
        active: list[Tensor] = []
        link = 0
        for k in range(self.count):
            z = sums[k]
            for j in range(k):
                z = z + self.links[link] * active[j]
                link += 1
            active.append(self.activate(z))
        for k in range(self.count):
            y = y + active[k] * self.tops[k]
        return y

    def activate(self, z: Tensor) -> Tensor:
        # Spelt out, because TorchScript cannot look a function up.
        if self.function == "relu":
            return torch.relu(z)
        if self.function == "tanh":
            return torch.tanh(z)
        if self.function == "leaky_relu":
            return functional.leaky_relu(z, 0.01)
        if self.function == "softplus":
            return functional.softplus(z)
        return torch.sigmoid(z)

    def extra_repr(self) -> str:
        return f"{self.in_features}, {self.out_features}, dendrites={self.count}, function={self.function}"


class DendriticMLP(nn.Module):
    """SimpleMLP with dendrites: hidden blocks of linear layer, ReLU, Dropout, then a layer to the classes.

    `DendriticMLP.load("models/mnist_lkg.safetensors")`, or, where the numbers are known,
    `DendriticMLP("[1*32]", [1, 1])`. Without dendrites it has the state dict of SimpleMLP.
    """

    __jit_unused_properties__: ClassVar = ["linear_layers"]

    def __init__(
        self,
        architecture: str | Architecture,
        dendrites: Sequence[int] = (),
        features: int = 784,
        classes: int = 10,
        forward_function: str = "sigmoid",
        dropout: float = 0.0,
    ) -> None:
        """`dendrites`: on each unit of every linear layer, the output layer last; empty stands for none."""
        super().__init__()
        if isinstance(architecture, str):
            architecture = Architecture.parse(architecture)
        shapes = architecture.shapes(features, classes)
        counts = list(dendrites) or [0] * len(shapes)
        if len(counts) != len(shapes):
            raise InputError(
                f"{architecture} has {len(shapes)} linear layers; dendrites were given for {len(counts)}"
            )
        *hidden, output = [
            DendriticLinear(inputs, outputs, count, forward_function) if count else nn.Linear(inputs, outputs)
            for (outputs, inputs), count in zip(shapes, counts, strict=True)
        ]
        blocks: list[nn.Module] = []
        for layer in hidden:
            blocks += [layer, nn.ReLU(), nn.Dropout(dropout)]
        self.layer_stack = nn.Sequential(*blocks, output)

    @property
    def linear_layers(self) -> list[nn.Module]:
        return [layer for layer in self.layer_stack if isinstance(layer, (nn.Linear, DendriticLinear))]

    def forward(self, images: Tensor) -> Tensor:
        """Logits [samples, classes] of images [samples, features] or [samples, height, width]."""
        logits: Tensor = self.layer_stack(images.flatten(1))
        return logits

    @classmethod
    def of(cls, network: Network) -> Self:
        """A module with a copy of a network's weights."""
        shape = network.shape
        module = cls(
            shape.architecture, shape.dendrites, shape.features, shape.classes, shape.forward_function
        )
        module.take(network)
        return module

    def take(self, network: Network) -> None:
        """Copy the weights of a network of the same shape."""
        from frustration.network import to_state

        self.load_state_dict({name: torch.tensor(values) for name, values in to_state(network).items()})

    def give(self, network: Network) -> None:
        """Copy the weights into a network of the same shape."""
        from frustration.network import to_state

        state = self.state_dict()
        for name, values in to_state(network).items():
            values[...] = state[name].numpy()

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The network in an LKG file of a checkpoint."""
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata() or {}
                state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        except (OSError, SafetensorError) as error:
            raise InputError(f"{path} cannot be read as safetensors: {error}") from None
        if not {"architecture", "features", "classes"} <= said.keys():
            raise InputError(f"{path} does not say what network it holds; it is no LKG file of this package")
        module = cls(
            said["architecture"],
            json.loads(said.get("dendrites", "[]")),
            int(said["features"]),
            int(said["classes"]),
            said.get("forward_function", "sigmoid"),
        )
        module.load_state_dict(state)
        return module
