"""A network as one flat vector of float32, with the matrices of its layers as views into it.

A layer of N units with K dendrites on each is a matrix of (K + 1) N rows, the units first, then their
first dendrites, then their second ones; then as many biases; then what the dendrites weigh in their units
(`tops`, K x N) and in the dendrites after them (`links`, K (K - 1) / 2 x N). Without dendrites that is a
weight matrix and its biases.
"""

from __future__ import annotations

import dataclasses
import functools
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import MAX_WIDTH, Architecture
from frustration.errors import InputError
from frustration.protocols import Role
from frustration.protocols import Vector as Vector  # re-exported for users of SimpleMLP
from frustration.streams import Stream

Floats = NDArray[np.float64]


def _sigmoid(z: Floats) -> Floats:
    return np.where(z >= 0, 1.0, np.exp(-np.abs(z))) / (1.0 + np.exp(-np.abs(z)))


FORWARD_FUNCTIONS: dict[str, Callable[[Floats], Floats]] = {
    "sigmoid": _sigmoid,
    "relu": lambda z: np.maximum(z, 0.0),
    "tanh": lambda z: np.asarray(np.tanh(z)),
    "leaky_relu": lambda z: np.where(z > 0, z, 0.01 * z),
    "softplus": lambda z: np.logaddexp(z, 0.0),
}
"""What a dendrite makes of its weighted sum."""


@dataclass(frozen=True)
class Shape:
    """Where each layer of a SimpleMLP is in a flat vector, the output layer last."""

    architecture: Architecture
    features: int
    classes: int
    dendrites: tuple[int, ...] = ()
    """On every unit of each linear layer, the output layer last; () stands for none anywhere."""
    forward_function: str = "sigmoid"
    """Of the dendrites."""

    def __post_init__(self) -> None:
        # Shapes that compute the same are equal.
        dendrites = self.dendrites or (0,) * (self.architecture.depth + 1)
        if len(dendrites) != self.architecture.depth + 1:
            raise ValueError(f"{self.architecture} has {self.architecture.depth + 1} linear layers")
        object.__setattr__(self, "dendrites", dendrites)
        if not any(dendrites):
            object.__setattr__(self, "forward_function", "sigmoid")

    @functools.cached_property
    def layers(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of every linear layer."""
        return self.architecture.shapes(self.features, self.classes)

    @functools.cached_property
    def parts(self) -> list[tuple[int, int, int, int]]:
        """(weights, biases, tops, links) of every linear layer: how many of each, in this order."""
        return [
            ((k + 1) * n * inputs, (k + 1) * n, k * n, k * (k - 1) // 2 * n)
            for (n, inputs), k in zip(self.layers, self.dendrites, strict=True)
        ]

    @functools.cached_property
    def size(self) -> int:
        """Effective parameters: every one of them is trained and used."""
        return sum(map(sum, self.parts))

    @property
    def parameters(self) -> int:
        return self.size

    @property
    def form(self) -> tuple[Architecture, int, int]:
        return self.architecture, self.features, self.classes

    @property
    def subject(self) -> str:
        return str(self.architecture)

    @property
    def work(self) -> int:
        return self.size + 1000 * self.architecture.depth

    @property
    def grown(self) -> bool:
        return any(self.dendrites)

    @property
    def outputs(self) -> tuple[bool, ...]:
        """Every linear layer can grow."""
        return (False,) * self.architecture.depth + (True,)

    def eligible(self, role: Role) -> list[tuple[int, range]]:
        depth = self.architecture.depth
        layers = {"hidden": range(depth), "output": range(depth, depth + 1), "all": range(depth + 1)}[role]
        return [(layer, range(self.layers[layer][0])) for layer in layers]

    def lacks(self, role: Role) -> str:
        return "the architecture has no hidden layer"

    def layer_name(self, layer: int) -> int:
        return layer

    def layer_sizes(self) -> list[tuple[str, int, int]]:
        sizes = zip(self.layers, self.parts, strict=True)
        return [(str(number), n, sum(parts)) for number, ((n, _), parts) in enumerate(sizes)]

    def widened(self, dendrites: int) -> Shape:
        """All hidden layers wider by one factor, as near as can be to the parameters of K dendrites."""
        if not self.architecture.hidden:
            raise InputError("the architecture has no hidden layer")
        wanted = self.with_dendrites((dendrites,) * (self.architecture.depth + 1)).size

        def scaled(factor: float) -> Shape:
            widths = (min(MAX_WIDTH, max(1, round(width * factor))) for width in self.architecture.hidden)
            return Shape(Architecture(tuple(widths)), self.features, self.classes)

        low, high = 1.0, 2.0 * (dendrites + 1)
        while scaled(high).size < wanted and high < MAX_WIDTH:
            high *= 2
        while high - low > 1e-6:
            middle = (low + high) / 2
            low, high = (middle, high) if scaled(middle).size <= wanted else (low, middle)
        return min((scaled(low), scaled(high)), key=lambda wide: abs(wide.size - wanted))

    @property
    def flops(self) -> int:
        """Multiplications and additions of one forward pass of one sample; a nonlinearity counts as one."""
        bare = self.architecture.flops(self.features, self.classes)
        extra = sum(
            k * (2 * n * inputs + n) + n * (k + 2 * k + k * (k - 1))
            for (n, inputs), k in zip(self.layers, self.dendrites, strict=True)
        )
        return bare + extra

    def with_dendrites(self, dendrites: Iterable[int], forward_function: str | None = None) -> Shape:
        return dataclasses.replace(
            self,
            dendrites=tuple(dendrites),
            forward_function=forward_function or self.forward_function,
        )

    def view(self, vector: Vector) -> Network:
        return Network(self, vector)

    def redrawn(self) -> Iterator[tuple[int, ...]]:
        for (outputs, inputs), dendrites in zip(self.layers, self.dendrites, strict=True):
            for _ in range(dendrites):
                yield outputs, inputs
                yield (outputs,)

    def from_state(self, state: Mapping[str, Vector], prefix: str, function: str | None) -> Network:
        """KeyError or ValueError where the state dict is another's."""
        return from_state(
            self.with_dendrites(dendrites_in(self.architecture, state, prefix), function), state, prefix
        )

    def initial(self, stream: Stream) -> Vector:
        """[size] fresh weights, distributed as PyTorch's nn.Linear draws them by default."""
        if self.grown:
            raise ValueError("a network starts without dendrites")
        vector = stream.uniform(self.size) * np.float32(2) - np.float32(1)
        network = self.view(vector)
        for weight, bias in zip(network.weights, network.biases, strict=True):
            bound = np.float32(1 / np.sqrt(weight.shape[1]))
            weight *= bound
            bias *= bound
        return vector


class Network:
    """The layers of a flat vector, as views into it."""

    def __init__(self, shape: Shape, vector: Vector) -> None:
        if vector.shape != (shape.size,):
            raise ValueError(f"{shape.architecture} has {shape.size} parameters, not {vector.shape}")
        self.shape, self.vector = shape, vector

    @functools.cached_property
    def layers(self) -> list[tuple[Vector, Vector, Vector, Vector]]:
        """Per layer its weights, biases, tops and links, as the properties below have them."""
        views, start = [], 0
        for (n, inputs), k, sizes in zip(
            self.shape.layers, self.shape.dendrites, self.shape.parts, strict=True
        ):
            ends = list(itertools.accumulate(sizes, initial=start))
            weights, biases, tops, links = (self.vector[a:b] for a, b in itertools.pairwise(ends))
            views.append(
                (
                    weights.reshape(k + 1, n, inputs),
                    biases.reshape(k + 1, n),
                    tops.reshape(k, n),
                    links.reshape(k * (k - 1) // 2, n),
                )
            )
            start = ends[-1]
        return views

    @functools.cached_property
    def weights(self) -> list[Vector]:
        """Of every layer its units' own weights, [outputs, inputs]."""
        return [weights[0] for weights, _, _, _ in self.layers]

    @functools.cached_property
    def biases(self) -> list[Vector]:
        """Of every layer its units' own biases, [outputs]."""
        return [biases[0] for _, biases, _, _ in self.layers]

    @property
    def all_weights(self) -> list[Vector]:
        """Of every layer [1 + dendrites, outputs, inputs]."""
        return [weights for weights, _, _, _ in self.layers]

    @property
    def all_biases(self) -> list[Vector]:
        """Of every layer [1 + dendrites, outputs]."""
        return [biases for _, biases, _, _ in self.layers]

    @property
    def tops(self) -> list[Vector]:
        """Per layer [dendrites, outputs]: the weight of each dendrite in its unit."""
        return [tops for _, _, tops, _ in self.layers]

    @property
    def links(self) -> list[Vector]:
        """Per layer [pairs, outputs]: the weight of a dendrite in a later one: 1-2, 1-3, 2-3, 1-4, …"""
        return [links for _, _, _, links in self.layers]

    def copy(self) -> Network:
        return Network(self.shape, self.vector.copy())

    def incoming(self, layer: int, unit: int) -> list[Vector]:
        """All incoming weights of a unit, with its dendrites and their weights in it."""
        weights, biases, tops, links = self.layers[layer]
        parts = []
        for k in range(len(weights)):
            parts += [weights[k, unit], biases[k, unit : unit + 1]]
        if len(tops):
            parts += [tops[:, unit], links[:, unit]]
        return parts

    def outgoing(self, layer: int, unit: int) -> list[Vector]:
        """The weights of a hidden unit in every unit and dendrite of the next layer."""
        return [weights[:, unit] for weights in self.layers[layer + 1][0]]

    def activity(self, images: Vector) -> list[Floats]:
        return [np.abs(hidden).mean(axis=0) for hidden in self.activations(images)]

    def utilities(self, images: Vector) -> list[Floats]:
        return [
            fires * np.linalg.norm(outgoing.astype(np.float64).reshape(-1, len(fires)), axis=0)
            for fires, outgoing in zip(self.activity(images), self.all_weights[1:], strict=True)
        ]

    def own(self, layer: int) -> tuple[Vector, Vector]:
        return self.weights[layer], self.biases[layer]

    def with_dendrite(self, values: Mapping[int, Sequence[Vector]], function: str) -> Network:
        dendrites = [k + (layer in values) for layer, k in enumerate(self.shape.dendrites)]
        shape = self.shape.with_dendrites(dendrites, function)
        bigger = Network(shape, np.zeros(shape.size, np.float32))
        for old, new in zip(self.layers, bigger.layers, strict=True):
            for part, room in zip(old, new, strict=True):
                room[: len(part)] = part
        for layer, (weight, bias) in values.items():
            bigger.all_weights[layer][-1], bigger.all_biases[layer][-1] = weight, bias
        return bigger

    def to_state(self, prefix: str = "") -> dict[str, Vector]:
        return to_state(self, prefix)

    def outputs(self, layer: int, below: Floats) -> Floats:
        """[samples, outputs] of one layer before its ReLU, in float64; below [samples, inputs]."""
        weights, biases, tops, links = self.layers[layer]
        sums = [below @ w.T.astype(np.float64) + b for w, b in zip(weights, biases, strict=True)]
        output: Floats = sums[0]
        function = FORWARD_FUNCTIONS[self.shape.forward_function]
        active: list[Floats] = []
        link = iter(links)
        for z in sums[1:]:
            for earlier in active:
                z = z + next(link) * earlier
            active.append(function(z))
        for top, a in zip(tops, active, strict=True):
            output = output + top * a
        return output

    def activations(self, images: Vector) -> list[Floats]:
        """[samples, units] after the ReLU of every hidden layer, in float64; images [samples, features]."""
        hidden: list[Floats] = []
        below = images.astype(np.float64)
        for layer in range(self.shape.architecture.depth):
            below = np.maximum(self.outputs(layer, below), 0.0)
            hidden.append(below)
        return hidden


def state_names(architecture: Architecture) -> list[str]:
    """The names of every linear layer in a SimpleMLP's state dict.

    A hidden block is Linear, ReLU, Dropout, so linear layers stand at 0, 3, 6, …
    """
    return [f"layer_stack.{3 * n}" for n in range(architecture.depth + 1)]


DENDRITES = ("dendrites.weight", "dendrites.bias", "tops", "links")
"""What a layer with dendrites has beside weight and bias: [K, N, inputs], [K, N], [K, N], [pairs, N]."""


def to_state(network: Network, prefix: str = "") -> dict[str, Vector]:
    """The state dict of a network; the arrays are views."""
    state: dict[str, Vector] = {}
    for name, views in zip(state_names(network.shape.architecture), network.layers, strict=True):
        weights, biases, tops, links = views
        state[f"{prefix}{name}.weight"], state[f"{prefix}{name}.bias"] = weights[0], biases[0]
        if len(tops):
            for part, values in zip(DENDRITES, (weights[1:], biases[1:], tops, links), strict=True):
                if values.size:
                    state[f"{prefix}{name}.{part}"] = values
    return state


def from_state(shape: Shape, state: Mapping[str, Vector], prefix: str = "") -> Network:
    """The network of a state dict; KeyError or ValueError where it is another's."""
    network = Network(shape, np.empty(shape.size, np.float32))
    for name, view in to_state(network, prefix).items():
        if state[name].shape != view.shape:
            raise ValueError(f"{name} has the shape {state[name].shape}, not {view.shape}")
        view[...] = state[name]
    return network


def dendrites_in(architecture: Architecture, tensors: Mapping[str, Vector], prefix: str) -> list[int]:
    """How many dendrites the units of every linear layer have in a state dict."""
    tops = [tensors.get(f"{prefix}{name}.tops") for name in state_names(architecture)]
    return [0 if top is None else len(top) for top in tops]
