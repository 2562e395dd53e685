"""One growth of a network, and what both ways of growing have in common."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import Attempt
from frustration.dendrites.settings import Settings
from frustration.modes import EpochSettings
from frustration.network import Network, Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class GrowthOutcome:
    """What a trial is to do after a loop."""

    network: Network | None = None
    """Puts itself in the place of the base, and the optimizer forgets; None: all goes on as it is."""
    accuracy: float | None = None
    """Of that network, in percent, as it was when it was last scored."""
    ends: bool = False


def grown(network: Network, layers: tuple[bool, ...], settings: Settings, draws: GrowthDraws) -> Network:
    """The same network with one more dendrite on every unit of some linear layers.

    It computes what it computed before: a new dendrite has no weight in its unit yet.
    """
    dendrites = [k + more for k, more in zip(network.shape.dendrites, layers, strict=True)]
    shape = network.shape.with_dendrites(dendrites, settings.pai_forward_function)
    bigger = Network(shape, np.zeros(shape.size, np.float32))
    for old, new in zip(network.layers, bigger.layers, strict=True):
        for part, room in zip(old, new, strict=True):
            room[: len(part)] = part
    for layer, grows in enumerate(layers):
        if grows:
            main = (network.weights[layer], network.biases[layer])
            bigger.all_weights[layer][-1], bigger.all_biases[layer][-1] = draws.dendrite(main, settings)
    return bigger


def slowed(epoch: EpochSettings, shape: Shape, settings: Settings) -> EpochSettings:
    """The learning rate of a network with dendrites, where the settings lower it."""
    factor = settings.post_growth_lr_factor if shape.grown else 1.0
    return epoch if factor == 1.0 else dataclasses.replace(epoch, learning_rate=epoch.learning_rate * factor)


def summary_of(
    earlier: Sequence[dict[str, Any]],
    attempts: list[Attempt],
    sizes: list[tuple[int, int]],
    why: str,
    adds: bool,
    ended: bool,
) -> dict[str, Any]:
    own = [
        {
            "loop": attempt.loop,
            "dendrites": attempt.dendrites if adds else 0,
            "parameters_before": before,
            "parameters_after": after,
            "outcome": attempt.outcome,
        }
        for attempt, (before, after) in zip(attempts, sizes, strict=True)
    ]
    return {
        "attempts": [*earlier, *own],
        "ended": "schedule" if ended else None,
        "why": why,
    }
