"""What the meta-loop costs around its epochs: whole trials through `train`, on one thread.

    python benchmarks/end_to_end.py [--architecture "[1*32]"] [--trials 10] [--meta-loops 100]

Ten trials of six modes and 100 meta-loops each, as `train` runs them: streams, interventions, epochs,
evaluations, ratchet, a checkpoint per meta-loop, the test, the records. An epoch is what it is everywhere
here: its training steps and the one validation after them. Evaluations right after damage are a cost of
the meta-loop, and so is all that is left over. The whole should be at most 110 % of the epochs.
"""

from __future__ import annotations

import argparse
import contextlib
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from unittest import mock

import machine

import frustration
from frustration.engine.native import backend as native
from frustration.engine.population import Epoch, Part
from frustration.original.reproduction import PAPER_MODES

GOAL: Final = 1.10


@dataclass
class Spent:
    """CPU seconds of this process: of the whole, and of what is inside it."""

    training: float = 0.0
    validation: float = 0.0
    """Of what was trained just before."""
    damage: float = 0.0
    """Evaluations of what is yet to be trained."""
    whole: float = 0.0

    @property
    def epochs(self) -> float:
        return self.training + self.validation

    @property
    def rest(self) -> float:
        """Streams, interventions, the ratchet, files, the test of the LKGs."""
        return self.whole - self.epochs - self.damage

    @contextlib.contextmanager
    def on(self, name: str) -> Iterator[None]:
        started = time.process_time()
        yield
        setattr(self, name, getattr(self, name) + time.process_time() - started)


def measure(architecture: str, trials: int, meta_loops: int, dataset: Any = "mnist") -> Spent:
    spent = Spent()

    class TimedPopulation(native.NativePopulation):
        """Knows whether it has been trained since it was last evaluated."""

        trained = False

        def train(self, epochs: Mapping[int, Epoch], *others: Any) -> list[float]:
            self.trained = True
            with spent.on("training"):
                return super().train(epochs, *others)

        def evaluate(self, part: Part, *others: Any) -> list[int]:
            if part == "test":
                return super().evaluate(part, *others)
            name, self.trained = "validation" if self.trained else "damage", False
            with spent.on(name):
                return super().evaluate(part, *others)

    with (
        mock.patch.object(native, "NativePopulation", TimedPopulation),
        tempfile.TemporaryDirectory() as folder,
        spent.on("whole"),
    ):
        frustration.train(
            architecture,
            PAPER_MODES,
            trials=trials,
            meta_loops=meta_loops,
            seed=0,
            dataset=dataset,
            backend="native",
            threads=1,
            model_dir=folder,
        )
    return spent


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*32]")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--meta-loops", type=int, default=100)
    args = parser.parse_args(arguments)
    data = frustration.load_dataset("mnist")
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    spent = measure(args.architecture, args.trials, args.meta_loops, data)
    print(f"load average afterwards: {machine.load_average()}\n")
    networks = args.trials * len(PAPER_MODES)
    count = networks * args.meta_loops
    print(f"{args.architecture}: {count} epochs of {networks} trials; CPU seconds, and ms an epoch")
    for name in ("training", "validation", "epochs", "damage", "rest", "whole"):
        seconds = getattr(spent, name)
        print(f"  {name:10}  {seconds:8.2f}   {1000 * seconds / count:6.2f}")
    of_epochs, of_training = spent.whole / spent.epochs, spent.whole / spent.training
    print(f"the whole is {100 * of_epochs:.1f} % of the epochs, {100 * of_training:.1f} % of training alone")
    print(f"at most {100 * GOAL:.0f} % of the epochs: {'reached' if of_epochs <= GOAL else 'NOT reached'}")


if __name__ == "__main__":
    main()
