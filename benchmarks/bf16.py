"""What bfloat16 does to accuracy, and what it gains: pairs of trials that differ in nothing else.

    python benchmarks/bf16.py [--architectures "[2*115]" "[4*119]"] [--trials 12] [--loops 5]

Each trial is trained for some loops with the optimizer of the paper (fresh in every loop) by `native` and by
`native-bf16`, from the same start and with the same batches. Differences of validation accuracy are those
of pairs, bf16 - float32, in points. What rounding alone does is in the column beside it: the same in
float32 from a start in which every weight differs by a millionth of itself. CPU time is of training.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from collections.abc import Sequence
from typing import Final

import machine
import numpy as np
from tabulate import tabulate

import frustration
from frustration.dataset import Split
from frustration.engine.backends import backend_named
from frustration.engine.population import Epoch
from frustration.modes import EpochSettings
from frustration.network import Shape, Vector
from frustration.streams import Streams

LEARNING_RATE, BATCH_SIZE = 1e-4, 256
NUDGE: Final = np.float32(1 + 1e-6)


def accuracy(
    backend: str, shape: Shape, trial: int, loops: int, data: Split, weights: Vector
) -> tuple[float, float]:
    """In percent after the last loop; and CPU seconds per loop."""
    streams = Streams(0, trial, shape.architecture)
    population = backend_named(backend, "cpu").population(shape, ("f",), data, BATCH_SIZE)
    population.load(0, weights)
    started = time.process_time()
    for loop in range(1, loops + 1):
        epoch = Epoch(
            order=streams.order(loop, len(data.train)),
            settings=EpochSettings(learning_rate=LEARNING_RATE),
            dropout_key=0,
            moments=None,
        )
        population.train({0: epoch}, threading.Event())
    seconds = (time.process_time() - started) / loops
    return 100 * population.evaluate("validation")[0] / len(data.validation), seconds


def compare(architecture: frustration.Architecture, trials: int, loops: int, data: Split) -> list[str]:
    """A row: the architecture, its differences and its gain."""
    shape = Shape(architecture, data.features, data.classes)
    bf16, nudged, seconds = [], [], []
    for trial in range(trials):
        start = shape.initial(Streams(0, trial, architecture).stream("init", loop=1))
        exact, usual = accuracy("native", shape, trial, loops, data, start)
        rounded, quick = accuracy("native-bf16", shape, trial, loops, data, start)
        bf16.append(rounded - exact)
        nudged.append(accuracy("native", shape, trial, loops, data, start * NUDGE)[0] - exact)
        seconds.append((usual, quick))
    gain = min(usual for usual, _ in seconds) / min(quick for _, quick in seconds)
    return [str(architecture), str(trials), *map(_spread, (bf16, nudged)), f"{gain:.2f}"]


def _spread(differences: Sequence[float]) -> str:
    """Mean, its standard error, and the standard deviation of single pairs."""
    deviation = statistics.stdev(differences) if len(differences) > 1 else 0.0
    error = deviation / len(differences) ** 0.5
    return f"{statistics.mean(differences):+.3f} +- {error:.3f} (sd {deviation:.3f})"


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architectures", nargs="+", default=["[2*115]", "[4*119]"], metavar="ARCH")
    parser.add_argument("--trials", type=int, default=12)
    parser.add_argument("--loops", type=int, default=5)
    args = parser.parse_args(arguments)
    data = frustration.load_dataset("mnist")
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    print(f"bf16: {backend_named('native-bf16', 'cpu').numerics()['bf16']}")
    parsed = [frustration.Architecture.parse(text) for text in args.architectures]
    rows = [compare(architecture, args.trials, args.loops, data) for architecture in parsed]
    print(f"load average afterwards: {machine.load_average()}\n")
    headers = ["architecture", "pairs", "bf16 - float32", "nudged - float32", "times as fast"]
    print(f"validation accuracy after {args.loops} loops, points")
    print(tabulate(rows, headers=headers, disable_numparse=True))


if __name__ == "__main__":
    main()
