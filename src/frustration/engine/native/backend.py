"""The native backend: the interface of the meta-loop, on top of teams of the C++ engine.

Slots of a run share their order of samples, and so the walk over the images: they are one team. A team
trains in the thread that calls it; groups train side by side in several.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from frustration.dataset import Split
from frustration.engine.native.build import BuildError
from frustration.engine.native.library import (
    MEANS,
    SQUARES,
    WEIGHTS,
    Images,
    Layout,
    Library,
    NetworkPlan,
    Team,
    this_cpu,
)
from frustration.engine.population import Epoch, Interrupted, Moments, Part
from frustration.engine.slots import SlotLayout
from frustration.modes.decay import decay_factor
from frustration.network import Shape, Vector
from frustration.streams import dropout_threshold

REVISION = 1
"""Raised whenever a change of the C++ sources changes a bit of any result; a test watches over it."""
CORE_ABOVE = 0.4
"""Share of images that light a pixel, above which the first layer multiplies it in all of them."""
GROUP_BYTES = 1 << 30
GROUP_PARAMETERS, FEWEST_SLOTS, MOST_SLOTS = 400_000, 2, 12
"""Slots share the walk over the images, and compete for the cache. Measured, ms per trial in groups of 1, 2,
3 and 6: `8*8` 21, 11, -, 7.7; `4*47` 45, 34, 34, 31; `2*115` 76, 71, 67, 70; `1*256` 110, 104, 107, 121;
`4*185` 234, 229, 240, 258. Networks of a few units gain on: `1*1` 3.5 in six, 2.0 in twelve."""


def native_available() -> str | None:
    """Why there is no native engine here, in one sentence; None if there is one."""
    try:
        this_cpu()
    except BuildError as error:
        return str(error)
    return None


@dataclass(frozen=True, eq=False)
class Prepared:
    """A data set as the engine holds it."""

    layout: Layout
    parts: dict[str, Images]


class NativePopulation:
    """Teams of networks of one shape, one team per run of slots."""

    def __init__(
        self,
        library: Library,
        shape: Shape,
        layout: Iterable[str],
        data: Split,
        batch_size: int,
        bf16: bool = False,
    ) -> None:
        self.shape, self.batch_size = shape, batch_size
        self.data = prepared(data)
        widths = [shape.features, *(outputs for outputs, _ in shape.layers)]
        largest_batch = max(1, min(batch_size, len(data.train.labels)))
        self.slots = SlotLayout(layout).ranges
        self.teams = [
            Team(
                library,
                len(run),
                widths,
                shape.dendrites,
                shape.forward_function,
                data.pixel_values,
                self.data.layout,
                largest_batch,
                bf16,
            )
            for run in self.slots
        ]
        self._place = [(n, slot - slots.start) for n, slots in enumerate(self.slots) for slot in slots]
        self._steps = [0] * len(self._place)
        self.step_losses: list[NDArray[np.float64]] = [np.empty(0)] * len(self._place)
        """By slot, of the last epoch: the mean loss over the batch of every step."""

    def load(self, slot: int, weights: Vector) -> None:
        team, network = self._at(slot)
        team.write(network, weights, WEIGHTS)

    def weights(self, slot: int) -> Vector:
        team, network = self._at(slot)
        return team.read(network, WEIGHTS)

    def moments(self, slot: int) -> Moments:
        team, network = self._at(slot)
        return Moments(team.read(network, MEANS), team.read(network, SQUARES), self._steps[slot])

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        means = [float("nan")] * len(self._place)
        for team, slots in zip(self.teams, self.slots, strict=True):
            awake = {slot: epochs[slot] for slot in slots if slot in epochs}
            if not awake:
                continue
            losses = self._train_team(team, slots, awake, stop)
            for slot in awake:
                self.step_losses[slot] = losses[:, slot - slots.start]
                means[slot] = float(self.step_losses[slot].mean()) if len(losses) else float("nan")
        return means

    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[int]:
        images = self.data.parts[part]
        counts: list[int] = []
        for team, within in zip(self.teams, self.slots, strict=True):
            wanted = [slots is None or slot in slots for slot in within]
            counts += team.evaluate(images, wanted, _pause(stop)).tolist()
        return counts

    def _train_team(
        self, team: Team, slots: range, epochs: Mapping[int, Epoch], stop: threading.Event
    ) -> NDArray[np.float64]:
        """One epoch of the networks of a team that do not rest; [steps, networks] losses."""
        first, *others = (epoch.order for epoch in epochs.values())
        if any(order is not first and not np.array_equal(order, first) for order in others):
            raise ValueError("slots of one run were given different orders")
        plans = [_plan(epochs[slot]) if slot in epochs else NetworkPlan(rests=True) for slot in slots]
        team.forget_moments()
        for slot, epoch in epochs.items():
            if epoch.moments is not None:
                team.write(slot - slots.start, epoch.moments.mean, MEANS)
                team.write(slot - slots.start, epoch.moments.square, SQUARES)
        losses = team.train(self.data.parts["train"], first, plans, _pause(stop))
        for slot, plan in zip(slots, plans, strict=True):
            self._steps[slot] = plan.steps_before + len(losses)
        return losses

    def _at(self, slot: int) -> tuple[Team, int]:
        team, network = self._place[slot]
        return self.teams[team], network


class NativeBackend:
    """The C++ engine on this CPU. A network's bits depend on nothing beside it, nor on the CPU's vectors.

    bf16: layers between two hidden layers of at least 64 units multiply numbers rounded to bfloat16, in
    training. Sums, weights, the first and the last layer and evaluation stay in float32.
    """

    depends_on_group = False

    def __init__(self, library: Library | None = None, *, bf16: bool = False) -> None:
        self.library, self.bf16 = library or this_cpu(), bf16
        self.name = "native-bf16" if bf16 else "native"

    def population(
        self, shape: Shape, layout: Iterable[str], data: Split, batch_size: int
    ) -> NativePopulation:
        return NativePopulation(self.library, shape, layout, data, batch_size, bf16=self.bf16)

    def group_limit(self, shape: Shape, batch_size: int) -> int:
        first = (shape.dendrites[0] + 1) * shape.layers[0][0]
        per_slot = 4 * (3 * shape.size + 2 * batch_size * first)
        by_cache = min(MOST_SLOTS, max(FEWEST_SLOTS, GROUP_PARAMETERS // shape.size))
        return max(1, min(by_cache, GROUP_BYTES // per_slot))

    def numerics(self) -> dict[str, Any]:
        numerics: dict[str, Any] = {"backend": self.name, "engine": REVISION}
        if self.bf16:
            numerics["bf16"] = "instruction" if self.library.has_bf16 else "emulated"
        return numerics if self.library.has_fma else numerics | {"fma": False}


def _pause(stop: threading.Event | None) -> Callable[[], None]:
    def pause() -> None:
        if stop is not None and stop.is_set():
            raise Interrupted

    return pause


def _plan(epoch: Epoch) -> NetworkPlan:
    rate = epoch.settings.dropout
    return NetworkPlan(
        steps_before=epoch.moments.steps if epoch.moments else 0,
        dropout_key=epoch.dropout_key,
        dropout_threshold=dropout_threshold(rate),
        learning_rate=epoch.settings.learning_rate,
        dropout_scale=1 / (1 - rate),
        decay=decay_factor(epoch.settings),
        drops=rate > 0,
        rests=False,
    )


_prepared: weakref.WeakKeyDictionary[Split, Prepared] = weakref.WeakKeyDictionary()
_preparing = threading.Lock()


def prepared(data: Split) -> Prepared:
    """A data set for the engine: made once, shared by all populations."""
    with _preparing:
        if data not in _prepared:
            layout = Layout.of(data.train.images, CORE_ABOVE)
            parts = {
                part: Images(samples.images, samples.labels, data.classes, layout)
                for part, samples in (
                    ("train", data.train),
                    ("validation", data.validation),
                    ("test", data.test),
                )
            }
            _prepared[data] = Prepared(layout, parts)
        return _prepared[data]
