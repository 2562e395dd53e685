"""What `--stacked` gives: an epoch of eight networks as one, beside the plain loop over them.

`python benchmarks/stacked.py`: CPU milliseconds of an epoch and trial, least of interleaved rounds, on one
thread. Evaluation is left out, because it is the same in both.
"""

from __future__ import annotations

import os
import threading
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from tabulate import tabulate
from torch import nn

from frustration.engine.module.data import data_of
from frustration.engine.module.population import ModulePopulation
from frustration.engine.module.shape import shape_of
from frustration.engine.module.stacked import STACK, StackedPopulation, why_not_stacked
from frustration.engine.population import Epoch
from frustration.modes import EpochSettings
from frustration.problems.digits import Digits

ROUNDS, BATCH = 5, 64


class DigitsMLP(Digits):
    """The same digits for an MLP."""

    def build(self) -> nn.Module:
        layers = [nn.Flatten(), nn.Linear(64, self.hidden), nn.ReLU()]
        return nn.Sequential(
            *layers, nn.Linear(self.hidden, self.hidden), nn.ReLU(), nn.Linear(self.hidden, 10)
        )


NETWORKS = {
    "MLP 64-32-32-10": DigitsMLP(hidden=32),
    "MLP 64-256-256-10": DigitsMLP(hidden=256),
    "CNN, 4 and 8 channels": Digits(channels=4),
    "CNN, 8 and 16 channels": Digits(),
    "CNN, 16 and 32 channels": Digits(channels=16, hidden=32),
}


def measured(problem: Digits, slots: int) -> tuple[float, float]:
    """Milliseconds of an epoch and trial: (plain, stacked)."""
    reference = problem.reference()
    assert why_not_stacked(reference, "cpu") is None
    shape, data, cpu = shape_of(reference), data_of(reference), torch.device("cpu")
    kinds = (ModulePopulation, StackedPopulation)
    populations = [kind(shape, slots, data, BATCH, cpu) for kind in kinds]
    start = [shape.vector_of(shape.layout.build(slot)) for slot in range(slots)]
    epochs = {
        slot: Epoch(
            order=np.random.default_rng(slot).permutation(data.samples),
            settings=EpochSettings(learning_rate=1e-3),
            dropout_key=0,
            moments=None,
        )
        for slot in range(slots)
    }
    seconds: list[list[float]] = [[], []]
    for _ in range(ROUNDS):
        for population, times in zip(populations, seconds, strict=True):
            for slot in range(slots):
                population.load(slot, start[slot])
            started = time.thread_time()
            population.train(epochs, threading.Event())
            times.append(time.thread_time() - started)
    plain, stacked = (1000 * min(times) / slots for times in seconds)
    return plain, stacked


def main() -> None:
    rows = []
    for name, problem in NETWORKS.items():
        for slots in (2, STACK):
            plain, stacked = measured(problem, slots)
            rows.append((name, slots, plain, stacked, plain / stacked))
    print(tabulate(rows, ["network", "in a stack", "plain ms", "stacked ms", "times"], floatfmt=".2f"))


if __name__ == "__main__":
    main()
