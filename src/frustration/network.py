"""A network as one flat vector of float32, with the matrices of its layers as views into it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.streams import Stream

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Shape:
    """Where each layer of a SimpleMLP lies in a flat vector: W0, b0, W1, b1, …, output layer last."""

    architecture: Architecture
    features: int
    classes: int

    @property
    def layers(self) -> list[tuple[int, int]]:
        """(outputs, inputs) of every linear layer."""
        return self.architecture.shapes(self.features, self.classes)

    @property
    def size(self) -> int:
        return self.architecture.parameters(self.features, self.classes)

    def view(self, vector: Vector) -> Network:
        return Network(self, vector)

    def initial(self, stream: Stream) -> Vector:
        """[size] fresh weights, distributed as PyTorch's nn.Linear draws them by default."""
        vector = stream.uniform(self.size) * np.float32(2) - np.float32(1)
        network = self.view(vector)
        for weight, bias in zip(network.weights, network.biases, strict=True):
            bound = np.float32(1 / np.sqrt(weight.shape[1]))
            weight *= bound
            bias *= bound
        return vector


class Network:
    """The layers of a flat vector: `weights[l]` [outputs, inputs] and `biases[l]` [outputs] are views."""

    def __init__(self, shape: Shape, vector: Vector) -> None:
        if vector.shape != (shape.size,):
            raise ValueError(f"{shape.architecture} has {shape.size} parameters, not {vector.shape}")
        self.shape, self.vector = shape, vector
        self.weights: list[Vector] = []
        self.biases: list[Vector] = []
        start = 0
        for outputs, inputs in shape.layers:
            self.weights.append(vector[start : start + outputs * inputs].reshape(outputs, inputs))
            start += outputs * inputs
            self.biases.append(vector[start : start + outputs])
            start += outputs

    def activations(self, images: Vector) -> list[NDArray[np.float64]]:
        """[samples, units] after the ReLU of every hidden layer, in float64; images [samples, features]."""
        hidden: list[NDArray[np.float64]] = []
        below = images.astype(np.float64)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            below = np.maximum(below @ weight.T.astype(np.float64) + bias, 0.0)
            hidden.append(below)
        return hidden


def state_names(architecture: Architecture) -> list[tuple[str, str]]:
    """The names of (weight, bias) of every linear layer in a SimpleMLP's state dict.

    A hidden block is Linear, ReLU, Dropout, so linear layers stand at 0, 3, 6, …
    """
    return [
        (f"layer_stack.{3 * n}.weight", f"layer_stack.{3 * n}.bias") for n in range(architecture.depth + 1)
    ]


def to_state(shape: Shape, vector: Vector, prefix: str = "") -> dict[str, Vector]:
    """The state dict of a flat vector; the arrays are views."""
    network = shape.view(vector)
    state: dict[str, Vector] = {}
    for (weight, bias), w, b in zip(
        state_names(shape.architecture), network.weights, network.biases, strict=True
    ):
        state[prefix + weight], state[prefix + bias] = w, b
    return state


def from_state(shape: Shape, state: dict[str, Vector], prefix: str = "") -> Vector:
    """The flat vector of a state dict; KeyError or ValueError where it is another network's."""
    vector = np.empty(shape.size, np.float32)
    for name, view in to_state(shape, vector, prefix).items():
        if state[name].shape != view.shape:
            raise ValueError(f"{name} has the shape {state[name].shape}, not {view.shape}")
        view[...] = state[name]
    return vector
