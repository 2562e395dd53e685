"""How the cost of an epoch grows with width, depth and the number of trials: a table and a figure.

    python benchmarks/cost.py [--backend native] [--rounds 3] [--seconds 0.2] [--out docs/images]

CPU milliseconds per epoch (50,000 images of MNIST) and trial on one thread, from slices, without
validation. Against width and depth: six trials with one order of samples, as the modes of a study. Against
the number of trials: that many side by side, with one order.
"""

from __future__ import annotations

import argparse
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import machine
import plain

import frustration
from frustration.dataset import Split
from frustration.engine.backends import BACKENDS, backend_named
from frustration.engine.population import Backend, Epoch
from frustration.modes import EpochSettings
from frustration.network import Shape
from frustration.streams import Streams

SIX: Final = 6
BY_WIDTH: Final = {1: 2048, 2: 1024, 4: 512}
"""Layers, and the widest of them: from 2 units on by doubling."""
BY_DEPTH: Final = {1: 2048, 8: 256, 32: 64}
"""Units per layer, and the deepest of them, likewise."""
BY_TRIALS: Final = ("[1*16]", "[8*8]", "[2*115]", "[32*32]")
TRIALS: Final = {"[1*16]": "1*16", "[8*8]": "8*8", "[2*115]": "2*115", "[32*32]": "32*32"}
TRIALS: Final = (1, 2, 3, 6, 12, 24, 60)
STEPS: Final = 196


class Meter:
    """Times epochs of populations of one backend."""

    def __init__(self, backend: Backend, data: Split, rounds: int, seconds: float) -> None:
        self.backend, self.data, self.rounds, self.seconds = backend, data, rounds, seconds

    def milliseconds(self, text: str, slots: int) -> float:
        """Of an epoch per trial; the best of some rounds of as many steps as fit the time."""
        architecture = frustration.Architecture.parse(text)
        shape = Shape(architecture, self.data.features, self.data.classes)
        streams = Streams(0, 0, architecture)
        weights = shape.initial(streams.stream("init", loop=1))
        order = streams.order(1, len(self.data.train))
        limit = max(1, min(slots, self.backend.group_limit(shape, plain.BATCH_SIZE)))
        sizes = [len(range(first, min(first + limit, slots))) for first in range(0, slots, limit)]
        populations = [
            self.backend.population(shape, ("f" * size,), self.data, plain.BATCH_SIZE) for size in sizes
        ]
        for population, size in zip(populations, sizes, strict=True):
            for slot in range(size):
                population.load(slot, weights)
        steps = 2
        seconds = self._seconds(populations, sizes, order[: steps * plain.BATCH_SIZE])  # also warms up
        steps = max(2, min(STEPS, int(self.seconds / max(seconds, 1e-6) * steps)))
        cut = order[: steps * plain.BATCH_SIZE]
        best = min(self._seconds(populations, sizes, cut) for _ in range(self.rounds))
        return 1000 * best * len(order) / len(cut) / slots

    def _seconds(self, populations: Sequence[Any], sizes: Sequence[int], order: Any) -> float:
        settings = EpochSettings(learning_rate=plain.LEARNING_RATE)
        epoch = Epoch(order=order, settings=settings, dropout_key=0, moments=None)
        started = time.process_time()
        for population, size in zip(populations, sizes, strict=True):
            population.train(dict.fromkeys(range(size), epoch), threading.Event())
        return time.process_time() - started


Curves = dict[str, tuple[Sequence[int], list[float]]]


def measure(meter: Meter) -> dict[str, Curves]:
    """By what the cost is drawn against, and by curve."""
    figure: dict[str, Curves] = {"width": {}, "depth": {}, "trials": {}}
    for layers, widest in BY_WIDTH.items():
        name = f"{layers} hidden layer{'s' if layers > 1 else ''}"
        figure["width"][name] = _curve(meter, name, doubled(widest), lambda w, n=layers: (f"[{n}*{w}]", SIX))
    for width, deepest in BY_DEPTH.items():
        name = f"{width} unit{'s' if width > 1 else ''} per layer"
        figure["depth"][name] = _curve(meter, name, doubled(deepest), lambda d, n=width: (f"[{d}*{n}]", SIX))
    for text in BY_TRIALS:
        name = text.strip("[]")
        figure["trials"][name] = _curve(meter, name, TRIALS, lambda slots, text=text: (text, slots))
    return figure


def doubled(most: int) -> list[int]:
    return [2**n for n in range(1, most.bit_length())]


def _curve(
    meter: Meter, name: str, places: Sequence[int], what: Callable[[int], tuple[str, int]]
) -> tuple[Sequence[int], list[float]]:
    values = [meter.milliseconds(*what(place)) for place in places]
    print(
        f"{name}: " + ", ".join(f"{at}: {ms:.1f}" for at, ms in zip(places, values, strict=True)), flush=True
    )
    return places, values


def draw(figure: dict[str, Curves], backend: str, folder: Path) -> list[Path]:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    matplotlib.rcParams["svg.hashsalt"] = "cost"
    image, axes = pyplot.subplots(1, 3, figsize=(12, 4), constrained_layout=True)
    labels = {"width": "units per layer", "depth": "hidden layers", "trials": "trials side by side"}
    for axis, (against, curves) in zip(axes, figure.items(), strict=True):
        for name, (places, values) in curves.items():
            axis.loglog(places, values, marker="o", markersize=3, label=name)
        axis.set(xlabel=labels[against], ylabel="CPU ms per epoch and trial" if against == "width" else "")
        axis.grid(True, which="both", alpha=0.25)
        axis.legend(frameon=False)
    image.suptitle(f"Cost of an epoch of 50,000 images, backend {backend}, one thread, {machine.cpu_model()}")
    files = [folder / f"cost.{kind}" for kind in ("png", "svg")]
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        image.savefig(file, dpi=120, metadata={"Date": None} if file.suffix == ".svg" else None)
    return files


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--backend", default="native", choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.2, help="CPU seconds of a slice, about")
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs/images")
    args = parser.parse_args(arguments)
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    data = frustration.load_dataset("mnist")
    meter = Meter(backend_named(args.backend, "cpu"), data, args.rounds, args.seconds)
    figure = measure(meter)
    print(f"load average afterwards: {machine.load_average()}")
    for file in draw(figure, args.backend, args.out):
        print(f"wrote {file}")


if __name__ == "__main__":
    main()
