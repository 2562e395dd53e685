"""What the meta-loop, the modes and the checkpoints ask of a network, whatever it is.

`frustration.network` answers for a SimpleMLP, `frustration.engine.module` for any `torch.nn.Module`. A
network is one flat vector of float32: what is trained, then statistics that training leaves (BatchNorm's).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal, Protocol, Self

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.references import ProblemReference
from frustration.streams import Stream

Vector = NDArray[np.float32]
Role = Literal["hidden", "output", "all"]
"""Of units: hidden ones, those of the output layer, or both and those that are neither."""


class AnyShape(Protocol):
    """The form of a network. Two shapes are equal if their networks compute alike from equal vectors."""

    @property
    def subject(self) -> str:
        """What is trained, in words: an architecture or a problem. Networks of one subject share groups."""

    @property
    def form(self) -> tuple[Architecture | ProblemReference, int, int]:
        """(what is trained, features, classes): what a checkpoint is held to. A problem has 0 and 0."""

    @property
    def size(self) -> int:
        """Length of the vector."""

    @property
    def parameters(self) -> int:
        """How many numbers are trained."""

    @property
    def flops(self) -> int:
        """Multiplications and additions of one forward pass of one sample."""

    @property
    def work(self) -> int:
        """How long an epoch takes, in units of one's own; for what is to be begun first."""

    @property
    def dendrites(self) -> tuple[int, ...]:
        """On every unit of each layer that can grow."""

    @property
    def forward_function(self) -> str:
        """Of the dendrites."""

    @property
    def grown(self) -> bool: ...

    @property
    def outputs(self) -> Sequence[bool]:
        """Of each layer that can grow, whether it is an output layer."""

    def eligible(self, role: Role) -> Sequence[tuple[int, Sequence[int]]]:
        """(layer, its units) for every layer that has units of a role."""

    def lacks(self, role: Role) -> str:
        """One clause: what is missing where no unit has a role."""

    def layer_name(self, layer: int) -> int | str:
        """How evidence names a layer."""

    def layer_sizes(self) -> Sequence[tuple[str, int, int]]:
        """(name, units, parameters) of every layer that is trained."""

    def widened(self, dendrites: int) -> Self:
        """The shape of a plain network with about the parameters of so many dendrites on every unit."""

    def view(self, vector: Vector) -> AnyNetwork: ...

    def initial(self, stream: Stream) -> Vector:
        """Fresh weights."""

    def with_dendrites(self, dendrites: Iterable[int], forward_function: str | None = None) -> Self: ...

    def redrawn(self) -> Iterable[tuple[int, ...]]:
        """The shapes of what perforatedai draws, and throws away, where it goes back to such a network."""

    def from_state(self, state: Mapping[str, Vector], prefix: str, function: str | None) -> AnyNetwork:
        """The network of a state dict, with the dendrites that it has there."""


class AnyNetwork(Protocol):
    """A vector with its shape."""

    @property
    def shape(self) -> Any: ...

    vector: Vector

    def copy(self) -> AnyNetwork: ...

    def incoming(self, layer: int, unit: int) -> Sequence[Vector]:
        """Views of all that drives a unit, its dendrites included."""

    def outgoing(self, layer: int, unit: int) -> Sequence[Vector]:
        """Views of the weights that read a hidden unit."""

    def activity(self, probe: Any) -> Sequence[NDArray[np.float64]]:
        """Of every layer with hidden units, by its number, [units]: mean |activation| over some samples."""

    def utilities(self, probe: Any) -> Sequence[NDArray[np.float64]]:
        """Alike [units]: mean |activation| x norm of the outgoing weights."""

    def own(self, layer: int) -> Sequence[Vector]:
        """The parameters of a layer that can grow, its dendrites' left out, as a new dendrite has them."""

    def with_dendrite(self, values: Mapping[int, Sequence[Vector]], function: str) -> AnyNetwork:
        """The same with one more dendrite on every unit of some layers; it computes what it did before."""

    def to_state(self, prefix: str = "") -> dict[str, Vector]:
        """By name, as PyTorch has them; views."""
