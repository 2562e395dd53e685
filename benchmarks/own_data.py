"""A user's own numbers beside the plain loop: CPU time of one epoch and its validation, on one thread.

    python benchmarks/own_data.py [--architecture "[2*64]"] [--backends native torch] [--rounds 5]

Two tables: scikit-learn's digits (1,797 x 64, ten classes) and a made one (100,000 x 54, seven classes).
Measured as in `engines.py`: all contenders take turns in one process, and the minimum over the rounds
counts. The plain loop is that of `plain.py`: a DataLoader over a TensorDataset.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence

import engines
import machine
import numpy as np

import frustration
from frustration.dataset import Split
from frustration.streams import Stream

GOAL = 3.0
"""How many times as fast as the plain loop the native engine is to be."""


def digits() -> Split:
    from sklearn.datasets import load_digits

    return frustration.make_split(*load_digits(return_X_y=True), name="digits")


def made(rows: int = 100_000, features: int = 54, classes: int = 7) -> Split:
    """Numbers whose label is the largest of a few sums of them."""
    stream = Stream(b"a table of rows!")
    X = stream.uniform(rows * features).reshape(rows, features) - 0.5
    towards = stream.uniform(features * classes).reshape(features, classes) - 0.5
    return frustration.make_split(X, (X @ towards).argmax(1).astype(np.int64), name="made")


def compare(
    data: Split, architecture: str, backends: Sequence[str], rounds: int, seconds: float
) -> list[engines.Row]:
    """The plain loop and some backends on one table, with the goal of the native engine."""
    parsed = frustration.Architecture.parse(architecture)
    rows = engines.compare(parsed, backends, data, rounds, seconds)
    size = f"{data.name}, {len(data.train):,} x {data.features}"
    return [
        dataclasses.replace(
            row, architecture=size, goal=engines.Goal(GOAL) if row.contender == "native" else None
        )
        for row in rows
    ]


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[2*64]", metavar="ARCH")
    parser.add_argument("--backends", nargs="+", default=["native", "torch"], choices=engines.BACKENDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=1.0, help="CPU seconds of a turn, about (default: 1)"
    )
    args = parser.parse_args(arguments)
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()), flush=True)
    rows = [
        row
        for data in (digits(), made())
        for row in compare(data, args.architecture, args.backends, args.rounds, args.seconds)
    ]
    print(f"load average afterwards: {machine.load_average()}\n\n{args.architecture}")
    print(engines.table(rows))
    print("\nms: CPU time of one epoch and its validation per trial, on one thread, minimum of the rounds.")


if __name__ == "__main__":
    main()
