"""The interface of a backend: K networks of one shape that train side by side."""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from frustration.engine.slots import SlotLayout
from frustration.modes import EpochSettings
from frustration.protocols import AnyNetwork, AnyShape, Vector

Part = Literal["validation", "test"]


class TrialData(Protocol):
    """What a trial is trained and judged on: a data set's split, or a problem's parts."""

    @property
    def name(self) -> str: ...
    @property
    def digest(self) -> str: ...
    @property
    def samples(self) -> int:
        """To train on."""

    def probe(self, samples: int) -> Any:
        """The first training samples, as a network's `activity` takes them."""

    def score(self, part: Part, measured: float) -> float | None:
        """What a population measured, as a score of the trial's metric; None where it was not finite."""


Order = NDArray[np.int64]
N = TypeVar("N")


class Interrupted(Exception):
    """Training was asked to stop in the middle of an epoch; nothing of that epoch counts."""


@dataclass(frozen=True, eq=False)
class OptimizerState:
    """An optimizer's state for one network: vectors as long as the trained parameters, and single numbers."""

    vectors: Mapping[str, Vector]
    numbers: Mapping[str, float]

    def without(self, touched: NDArray[np.bool_]) -> OptimizerState:
        """The same with nothing remembered of some weights."""
        vectors = {
            name: np.where(touched[: len(vector)], np.float32(0), vector)
            for name, vector in self.vectors.items()
        }
        return OptimizerState(vectors, self.numbers)

    @property
    def mean(self) -> Vector:
        return self.vectors["mean"]

    @property
    def square(self) -> Vector:
        return self.vectors["square"]

    @property
    def steps(self) -> int:
        return int(self.numbers["steps"])


class Moments(OptimizerState):
    """AdamW's state."""

    def __init__(self, mean: Vector, square: Vector, steps: int) -> None:
        super().__init__({"mean": mean, "square": square}, {"steps": steps})


@dataclass(frozen=True, kw_only=True, eq=False)
class Epoch:
    """How one network is to be trained for one epoch."""

    order: Order
    """[samples]: training samples in the order in which they are seen."""
    settings: EpochSettings
    dropout_key: int
    moments: OptimizerState | None
    """Where the optimizer resumes from; None: it starts afresh."""


class Population(Protocol):
    """K networks in K slots. Weights go in and come out as flat vectors; slots that are not
    trained are left undefined."""

    def load(self, slot: int, weights: Vector) -> None:
        """Copy weights into a slot."""

    def weights(self, slot: int) -> Vector:
        """A copy of the weights in a slot."""

    def moments(self, slot: int) -> OptimizerState:
        """A copy of the optimizer's memory of a slot, after `train`."""

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        """Train slots for their epochs; the mean loss of each (NaN or infinite where it diverged)."""

    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> Sequence[float]:
        """What the data makes a score of, for every slot, or for each of `slots` where only some are wanted.

        Of a SimpleMLP: how many samples it classifies correctly, -1 where its outputs are not finite and
        where it is not wanted. Of a problem: its score, or NaN. What else is wanted changes no value.
        Raises Interrupted soon after `stop` is set."""


class Populations:
    """The populations of one group: networks that have grown alike train side by side."""

    def __init__(
        self, make: Callable[[AnyShape, SlotLayout], Population], layout: SlotLayout, whole: bool
    ) -> None:
        """`whole`: every population has all the slots of the group, because bits may depend on how many there
        are. If not, it has those slots only that are put into it."""
        self._make, self._layout, self._whole = make, SlotLayout(layout), whole
        self._held: dict[tuple[AnyShape, tuple[int, ...]], Population] = {}

    def sort(self, networks: Mapping[int, AnyNetwork]) -> Iterator[tuple[Population, list[int]]]:
        """Slots with the population that their networks fit into; populations without any are let go."""
        slots: dict[AnyShape, list[int]] = {}
        for slot, network in networks.items():
            slots.setdefault(network.shape, []).append(slot)
        wanted = {(shape, () if self._whole else tuple(alike)): alike for shape, alike in slots.items()}
        self._held = {key: population for key, population in self._held.items() if key in wanted}
        for key, alike in wanted.items():
            if key not in self._held:
                self._held[key] = self._population(key[0], alike)
            yield self._held[key], alike

    def _population(self, shape: AnyShape, slots: list[int]) -> Population:
        if self._whole or len(slots) == self._layout.slots:
            return self._make(shape, self._layout)
        chosen = self._make(shape, self._layout.only(slots))
        return Selection(chosen, sorted(slots), self._layout.slots)


class Selection:
    """A population of some slots of a group, addressed as if it had them all."""

    def __init__(self, population: Population, slots: Sequence[int], in_all: int) -> None:
        self._population, self._slots, self._in_all = population, slots, in_all
        self._place = {slot: place for place, slot in enumerate(slots)}

    def load(self, slot: int, weights: Vector) -> None:
        self._population.load(self._place[slot], weights)

    def weights(self, slot: int) -> Vector:
        return self._population.weights(self._place[slot])

    def moments(self, slot: int) -> OptimizerState:
        return self._population.moments(self._place[slot])

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        losses = self._population.train({self._place[slot]: epoch for slot, epoch in epochs.items()}, stop)
        return self._spread(losses, float("nan"))

    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> Sequence[float]:
        places = None if slots is None else [self._place[slot] for slot in slots]
        return self._spread(self._population.evaluate(part, stop, places), -1)

    def _spread(self, values: Sequence[N], missing: N) -> list[N]:
        spread = [missing] * self._in_all
        for slot, value in zip(self._slots, values, strict=True):
            spread[slot] = value
        return spread


class Backend(Protocol):
    """A way of training populations."""

    name: str
    depends_on_group: bool
    """Whether a network's bits may depend on the shape of its population and its slot in it."""

    def population(self, shape: Any, layout: Iterable[str], data: Any, batch_size: int) -> Population:
        """An empty population with the slots of `SlotLayout(layout)`."""

    def group_limit(self, shape: Any, batch_size: int) -> int:
        """How many slots a group should have at most, by speed and memory; never by this machine's state."""

    def numerics(self) -> dict[str, Any]:
        """What the bits of a result may depend on, besides the group."""
