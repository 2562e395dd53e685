"""The paper's whole grid, estimated from slices: core-hours of a backend and the plain loop, on one thread.

    python benchmarks/grid.py [--backend native] [--rounds 2] [--seconds 0.15]

98 architectures, six modes, ten trials, 100 meta-loops. Each architecture is measured as `engines.py` does
it, on short slices; about ten minutes.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

import engines
import machine

import frustration

META_LOOPS: Final = 100
SHALLOW: Final = {
    1: (2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2),
    2: (939, 588, 354, 214, 115, 59, 30, 16, 8, 4),
    4: (632, 425, 280, 185, 119, 76, 47, 29, 17),
}
"""Widths by number of layers. The paper also turned them: 2048 layers of one unit, and so on."""
SQUARES: Final = (115, 91, 71, 56, 44, 35, *range(32, 0, -1))


def grid() -> dict[str, list[tuple[int, int]]]:
    """(layers, width) of the paper's architectures, by class."""
    wide = [(layers, width) for layers, widths in SHALLOW.items() for width in widths]
    return {
        "one hidden layer": [pair for pair in wide if pair[0] == 1],
        "2 and 4 layers": [pair for pair in wide if pair[0] > 1],
        "square": [(n, n) for n in SQUARES],
        "deep and narrow": [(width, layers) for layers, width in wide],
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backend", default="native", choices=engines.BACKENDS)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.15, help="CPU seconds of a slice, about")
    args = parser.parse_args(arguments)
    data = frustration.load_dataset("mnist")
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    epochs = len(engines.MODES) * engines.TRIALS * META_LOOPS
    total = [0.0, 0.0]
    for name, pairs in grid().items():
        hours = [0.0, 0.0]
        for layers, width in pairs:
            architecture = frustration.Architecture.parse(f"[{layers}*{width}]")
            rows = engines.compare(architecture, [args.backend], data, args.rounds, args.seconds)
            hours = [sum_ + row.milliseconds * epochs / 3.6e6 for sum_, row in zip(hours, rows, strict=True)]
        total = [sum(both) for both in zip(total, hours, strict=True)]
        print(_line(f"{name} ({len(pairs)})", hours, args.backend), flush=True)
    print(_line("all 98", total, args.backend))


def _line(name: str, hours: Sequence[float], backend: str) -> str:
    plain, ours = hours
    return f"{name}: plain loop {plain:.1f} core-hours, {backend} {ours:.2f}, ratio {plain / ours:.1f}"


if __name__ == "__main__":
    main()
