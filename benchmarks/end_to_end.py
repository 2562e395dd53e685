"""What the meta-loop costs around its epochs: whole trials through `train`, on one thread.

    python benchmarks/end_to_end.py [--architecture "[1*32]"] [--trials 10] [--meta-loops 100]

Ten trials of six modes and 100 meta-loops each, as `train` runs them: streams, interventions, epochs,
evaluations, ratchet, a checkpoint per meta-loop, the test, the records. CPU time of the process, and of it
what was spent inside epochs and inside evaluations; the whole should be at most 110 % of the two.
"""

from __future__ import annotations

import argparse
import functools
import tempfile
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import engines
import machine

import frustration
from frustration.engine.native import backend as native

GOAL: Final = 1.10


class Clock:
    """CPU seconds inside the calls of one function, whose results pass through."""

    def __init__(self, call: Callable[..., Any]) -> None:
        self.seconds = 0.0
        self.call = call

    def __get__(self, owner: object, kind: type) -> Callable[..., Any]:
        return functools.partial(self.timed, owner)

    def timed(self, *arguments: Any) -> Any:
        started = time.process_time()
        try:
            return self.call(*arguments)
        finally:
            self.seconds += time.process_time() - started


def measure(architecture: str, trials: int, meta_loops: int, dataset: Any = "mnist") -> dict[str, float]:
    """CPU seconds: of the whole, of its epochs, of its evaluations."""
    population: Any = native.NativePopulation
    clocks = {name: Clock(getattr(population, name)) for name in ("train", "evaluate")}
    for name, clock in clocks.items():
        setattr(population, name, clock)
    try:
        with tempfile.TemporaryDirectory() as folder:
            started = time.process_time()
            frustration.train(
                architecture,
                engines.MODES,
                trials=trials,
                meta_loops=meta_loops,
                seed=0,
                dataset=dataset,
                backend="native",
                threads=1,
                model_dir=folder,
            )
            whole = time.process_time() - started
    finally:
        for name, clock in clocks.items():
            setattr(population, name, clock.call)
    return {
        "whole": whole,
        "epochs": clocks["train"].seconds,
        "evaluations": clocks["evaluate"].seconds,
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*32]")
    parser.add_argument("--trials", type=int, default=engines.TRIALS)
    parser.add_argument("--meta-loops", type=int, default=100)
    args = parser.parse_args(arguments)
    data = frustration.load_dataset("mnist")
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    spent = measure(args.architecture, args.trials, args.meta_loops, data)
    epochs = args.trials * len(engines.MODES) * args.meta_loops
    inside = spent["epochs"] + spent["evaluations"]
    ratio = spent["whole"] / inside
    print(f"load average afterwards: {machine.load_average()}\n")
    print(f"{args.architecture}: {epochs} epochs of {args.trials * len(engines.MODES)} trials, CPU seconds")
    print(f"  epochs       {spent['epochs']:8.2f}   {1000 * spent['epochs'] / epochs:.2f} ms each")
    print(f"  evaluations  {spent['evaluations']:8.2f}")
    print(f"  whole        {spent['whole']:8.2f}   {100 * ratio:.1f} % of epochs and evaluations")
    print(f"at most {100 * GOAL:.0f} %: {'reached' if ratio <= GOAL else 'NOT reached'}")


if __name__ == "__main__":
    main()
