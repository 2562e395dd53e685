"""A population that trains nothing and scores what it was told to: for tests of the rules around training."""

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from frustration import Architecture, TrialSpec
from frustration.dataset import Part, Split
from frustration.engine.group import Group
from frustration.engine.loop import MetaLoop
from frustration.engine.population import Epoch, Moments, Populations
from frustration.engine.trial import Trial
from frustration.network import Network, Shape

NAN = float("nan")
SHAPE = Shape(Architecture(()), features=2, classes=3)
DAMAGED = 7
"""What every network scores, in percent, before it is trained."""


def _part(samples: int) -> Part:
    labels = np.arange(samples) % SHAPE.classes
    return Part(np.zeros((samples, SHAPE.features), np.uint8), labels, SHAPE.classes)


DATA = Split.of("tiny", _part(8), _part(100), _part(100), np.zeros(256, np.float32))
"""100 validation images: what is scored is a percentage."""


@dataclass(eq=False)
class ScriptedPopulation:
    """Every epoch of a slot takes the next entry of its script: a percentage, or NAN where it diverged.

    Weights say where they come from: after its nth epoch all weights of a network are n.
    """

    scripts: Sequence[Sequence[float]]
    trained: list[dict[int, Epoch]] = field(default_factory=list)
    loaded: list[tuple[int, np.ndarray]] = field(default_factory=list)
    evaluated: list[list[int]] = field(default_factory=list)
    """The slots of every evaluation."""
    diverge_in_loss: bool = False
    """NAN in a script means a loss that is not finite; otherwise, outputs that are not."""

    def __post_init__(self) -> None:
        self.turns = [0] * len(self.scripts)
        self.held = [np.zeros(SHAPE.size, np.float32) for _ in self.scripts]
        self.score = [float(DAMAGED)] * len(self.scripts)

    def load(self, slot: int, weights: np.ndarray) -> None:
        self.loaded.append((slot, weights.copy()))
        self.held[slot], self.score[slot] = weights.copy(), DAMAGED

    def weights(self, slot: int) -> np.ndarray:
        return self.held[slot].copy()

    def moments(self, slot: int) -> Moments:
        ones = np.ones(SHAPE.size, np.float32)
        return Moments(ones, ones, self.turns[slot])

    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        self.trained.append(dict(epochs))
        losses = [1.0] * len(self.scripts)
        for slot in epochs:
            score = self.scripts[slot][self.turns[slot]]
            self.turns[slot] += 1
            self.held[slot] = np.full(SHAPE.size, self.turns[slot], np.float32)
            self.score[slot] = score
            if np.isnan(score) and self.diverge_in_loss:
                losses[slot], self.score[slot] = NAN, 99.0
        return losses

    def evaluate(
        self, part: str, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[int]:
        wanted = range(len(self.score)) if slots is None else slots
        self.evaluated.append(sorted(wanted))
        return [
            round(score) if slot in wanted and not np.isnan(score) else -1
            for slot, score in enumerate(self.score)
        ]


def scripted_trial(mode: str, loops: int, trial: int = 0) -> Trial:
    return Trial.fresh(TrialSpec.of(SHAPE.architecture, mode, meta_loops=loops, trial=trial), SHAPE)


def play(mode: str, script: Sequence[float], **settings) -> tuple[Trial, ScriptedPopulation]:
    """One trial of as many loops as the script has entries."""
    population = ScriptedPopulation([script], **settings)
    trial = scripted_trial(mode, len(script))
    play_group(Group.of(("f",), {0: trial}), population)
    return trial, population


def play_group(group: Group, population: ScriptedPopulation, observe=lambda trial, entry: None) -> None:
    MetaLoop(
        group,
        Populations(lambda shape, runs: population, group.layout, whole=True),
        DATA,
        observe,
        threading.Event(),
    ).run()


def origin(network: Network) -> int:
    """The epoch after which these weights were as they are; 0 for initial weights."""
    values = np.unique(network.vector)
    return int(values[0]) if len(values) == 1 else 0
