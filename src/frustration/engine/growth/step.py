"""One growth of a network, as both ways of growing use it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import Attempt
from frustration.dendrites.settings import Settings
from frustration.modes import EpochSettings
from frustration.protocols import AnyNetwork, AnyShape


@dataclass(frozen=True, kw_only=True, eq=False)
class GrowthOutcome:
    """What a trial is to do after a loop."""

    network: AnyNetwork | None = None
    """Replaces the base and resets the optimizer; None: continue unchanged."""
    accuracy: float | None = None
    """Of that network, in percent, as it was when it was last scored."""
    ends: bool = False


def grown(network: AnyNetwork, layers: Sequence[bool], settings: Settings, draws: GrowthDraws) -> AnyNetwork:
    """The same network with one more dendrite on every unit of some of the layers that can grow.

    It computes what it computed before: a new dendrite has no weight in its unit yet.
    """
    values = {n: draws.dendrite(network.own(n), settings) for n, grows in enumerate(layers) if grows}
    return network.with_dendrite(values, settings.pai_forward_function)


def slowed(epoch: EpochSettings, shape: AnyShape, settings: Settings) -> EpochSettings:
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
