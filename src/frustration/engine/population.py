"""What the meta-loop asks of a backend: K networks of one shape that train side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from frustration.dataset import Split
from frustration.modes import Regime
from frustration.network import Network, Shape, Vector

Part = Literal["validation", "test"]

Order = NDArray[np.int64]


class Interrupted(Exception):
    """Training was asked to stop in the middle of an epoch; nothing of that epoch counts."""


@dataclass(frozen=True, eq=False)
class Moments:
    """What AdamW remembers of one network: flat, as the weights are."""

    mean: Vector
    square: Vector
    steps: int

    def without(self, touched: NDArray[np.bool_]) -> Moments:
        """The same with nothing remembered of some weights."""
        zero = np.float32(0)
        return Moments(np.where(touched, zero, self.mean), np.where(touched, zero, self.square), self.steps)


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """How one network is to be trained for one epoch."""

    order: Order
    """[samples]: training samples in the order in which they are seen."""
    regime: Regime
    dropout_key: int
    moments: Moments | None
    """Where AdamW goes on from; None: it starts afresh."""


Runs = tuple[str, ...]
"""The shape of a group, for example ("ff", "fp"): a run of slots that share their order of samples, one
letter a slot, f for a fresh optimizer and p for a persistent one. Rounding may depend on it."""


class Population(Protocol):
    """K networks in K slots. Weights go in and come out as flat vectors; a slot that is not trained
    rests, and what lies in it afterwards is undefined."""

    def load(self, slot: int, weights: Vector) -> None:
        """Copy weights into a slot."""

    def weights(self, slot: int) -> Vector:
        """A copy of the weights in a slot."""

    def moments(self, slot: int) -> Moments:
        """A copy of AdamW's memory of a slot, after `train`."""

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        """Train slots for their epochs; the mean loss of each (NaN or infinite where it diverged)."""

    def evaluate(self, part: Part) -> list[int]:
        """How many samples every slot classifies correctly; -1 where its outputs are not finite."""


class Populations:
    """The populations of one group: networks that have grown alike train side by side.

    Each has all the slots of the group, so that nothing depends on how many of the others have grown.
    """

    def __init__(self, make: Callable[[Shape], Population]) -> None:
        self._make = make
        self._of: dict[Shape, Population] = {}

    def sort(self, networks: Mapping[int, Network]) -> Iterator[tuple[Population, list[int]]]:
        """Slots with the population that their networks fit into; populations without any are let go."""
        slots: dict[Shape, list[int]] = {}
        for slot, network in networks.items():
            slots.setdefault(network.shape, []).append(slot)
        self._of = {shape: population for shape, population in self._of.items() if shape in slots}
        for shape, alike in slots.items():
            if shape not in self._of:
                self._of[shape] = self._make(shape)
            yield self._of[shape], alike


class Backend(Protocol):
    """A way of training populations."""

    name: str
    depends_on_group: bool
    """Whether a network's bits may depend on the shape of its population and its slot in it."""

    def population(self, shape: Shape, runs: Runs, data: Split, batch_size: int) -> Population:
        """An empty population; `sum(map(len, runs))` slots."""

    def group_limit(self, shape: Shape, batch_size: int) -> int:
        """How many slots a group should have at most, by speed and memory; never by this machine's state."""

    def numerics(self) -> dict[str, Any]:
        """What the bits of a result may depend on, besides the group."""
