"""The paper's whole grid, estimated from slices: core-hours of a backend and the plain loop, on one thread.

    python benchmarks/grid.py [--backend native] [--rounds 2] [--seconds 0.15]

98 architectures, six modes, ten trials, 100 meta-loops. Each architecture is measured as `engines.py` does
it, on short slices; two minutes of CPU time, on a busy machine up to a quarter of an hour.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Final

import engines
import machine
from tabulate import tabulate

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
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()), flush=True)
    epochs = len(engines.MODES) * engines.TRIALS * META_LOOPS
    classes: list[tuple[str, float, float]] = []
    each: list[tuple[str, float, float]] = []
    for name, pairs in grid().items():
        for layers, width in pairs:
            architecture = frustration.Architecture.parse(f"[{layers}*{width}]")
            plain, ours = engines.compare(architecture, [args.backend], data, args.rounds, args.seconds)
            each.append((str(architecture), plain.milliseconds, ours.milliseconds))
            print(f"{each[-1][0]}: {plain.milliseconds:.1f} and {ours.milliseconds:.1f} ms", flush=True)
        hours = [sum(row[column] for row in each[-len(pairs) :]) * epochs / 3.6e6 for column in (1, 2)]
        classes.append((f"{name} ({len(pairs)})", *hours))
    total = sum(hours for _, _, hours in classes)
    classes.append((f"all {len(each)}", sum(hours for _, hours, _ in classes), total))
    print(f"load average afterwards: {machine.load_average()}\n")
    rows = [(*row, f"{row[1] / row[2]:.1f}", f"{100 * row[2] / total:.0f} %") for row in classes]
    print(f"core-hours on one thread: {len(each)} architectures, {epochs} epochs and validations of each;")
    print(f"{args.rounds} rounds of slices of about {args.seconds} CPU seconds")
    print(tabulate(rows, headers=["class", "plain loop", args.backend, "ratio", "share"], floatfmt=".2f"))
    print("\nthe ten that take longest:")
    for name, _, milliseconds in sorted(each, key=lambda row: -row[2])[:10]:
        hours_of_one = milliseconds * epochs / 3.6e6
        print(f"  {name:10} {hours_of_one:6.2f} core-hours, {100 * hours_of_one / total:.0f} %")


if __name__ == "__main__":
    main()
