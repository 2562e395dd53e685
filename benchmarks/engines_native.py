"""The native engine against a plain PyTorch training loop, side by side in one process, on one thread.

    python benchmarks/engines_native.py                          # all classes, 5 rounds
    python benchmarks/engines_native.py "1*16" "32*32" --rounds 9
    python benchmarks/engines_native.py --grid                   # the paper's 98 architectures, short slices

Unit: CPU milliseconds per epoch and trial: 196 training steps of 256 images and the evaluation of 10,000.
Large networks are timed on a slice of the steps and scaled. Rounds alternate between the two loops, and the
minimum counts. The native engine trains six trials of one order (none, decay, dropout, and three that
ablate, which changes weights between epochs only), as a study of the paper's modes does; the plain loop
trains one network without dropout, which is its fastest mode.
"""

from __future__ import annotations

import argparse
import math
import os
import threading
import time
from collections.abc import Callable

import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from frustration.architecture import Architecture
from frustration.dataset import Split, load
from frustration.engine.native import NativeBackend
from frustration.engine.population import Epoch
from frustration.modes import Regime
from frustration.network import Shape
from frustration.streams import Streams

CLASSES = ["1*16", "1*64", "1*256", "1*2048", "2*115", "4*119"]
CLASSES += ["8*8", "32*32", "115*115", "2*939", "4*632", "512*1"]
BATCH, EVALUATED = 256, 10_000
LEARNING_RATE = 1e-4
REGIMES = (
    Regime(learning_rate=LEARNING_RATE),
    Regime(learning_rate=LEARNING_RATE, weight_decay=1e-4),
    Regime(learning_rate=LEARNING_RATE, dropout=0.1),
) + (Regime(learning_rate=LEARNING_RATE),) * 3
SLICE_SECONDS, SHORT_SLICE_SECONDS = 0.8, 0.15
MODES, TRIALS, META_LOOPS = 6, 10, 100
"""Of the paper's grid, for each architecture."""


def paper_grid() -> list[str]:
    """The paper's architectures, layers times width: shallow, square, and the shallow ones turned."""
    shallow = {
        1: (2048, 1024, 512, 256, 128, 64, 32, 16, 8, 4, 2),
        2: (939, 588, 354, 214, 115, 59, 30, 16, 8, 4),
        4: (632, 425, 280, 185, 119, 76, 47, 29, 17),
    }
    pairs = [(depth, width) for depth, widths in shallow.items() for width in widths]
    squares = [(n, n) for n in (115, 91, 71, 56, 44, 35, *range(32, 0, -1))]
    return [f"{d}*{w}" for d, w in pairs + squares + [(width, depth) for depth, width in pairs]]


def cpu_seconds(work: Callable[[], object]) -> float:
    started = time.process_time()
    work()
    return time.process_time() - started


class Plain:
    """What one would write first: DataLoader, nn.Sequential, autograd, torch.optim.AdamW."""

    def __init__(self, shape: Shape, data: Split) -> None:
        values = torch.from_numpy(data.pixel_values)

        def loader(part: str, shuffle: bool) -> DataLoader[tuple[torch.Tensor, ...]]:
            samples = getattr(data, part)
            images = values[torch.from_numpy(samples.images).long()]
            dataset = TensorDataset(images, torch.from_numpy(samples.labels))
            return DataLoader(dataset, batch_size=BATCH, shuffle=shuffle)

        self.train_loader, self.test_loader = loader("train", True), loader("validation", False)
        self.model = nn.Sequential()
        for outputs, inputs in shape.layers[:-1]:
            self.model.extend([nn.Linear(inputs, outputs), nn.ReLU()])
        outputs, inputs = shape.layers[-1]
        self.model.append(nn.Linear(inputs, outputs))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=LEARNING_RATE)
        self.criterion = nn.CrossEntropyLoss()

    def train(self, steps: int) -> None:
        self.model.train()
        total = 0.0
        for step, (images, labels) in enumerate(self.train_loader):
            if step == steps:
                break
            self.optimizer.zero_grad()
            loss = self.criterion(self.model(images), labels)
            loss.backward()
            self.optimizer.step()
            total += loss.item()

    @torch.no_grad()
    def evaluate(self, batches: int) -> None:
        self.model.eval()
        correct = 0
        for batch, (images, labels) in enumerate(self.test_loader):
            if batch == batches:
                break
            correct += int((self.model(images).argmax(1) == labels).sum())


class Native:
    """Six trials of one order, in groups as large as the backend asks for."""

    def __init__(self, architecture: Architecture, shape: Shape, data: Split) -> None:
        backend = NativeBackend()
        limit = backend.group_limit(shape, BATCH)
        self.groups = [REGIMES[start : start + limit] for start in range(0, len(REGIMES), limit)]
        self.populations = [
            backend.population(shape, ("f" * len(group),), data, BATCH) for group in self.groups
        ]
        streams = Streams(0, 0, architecture)
        self.order = streams.order(1, len(data.train))
        self.key = streams.dropout_key(1)
        self.stop = threading.Event()
        for population, group in zip(self.populations, self.groups, strict=True):
            for slot in range(len(group)):
                population.load(slot, shape.initial(streams.stream("init", 0)))

    def train(self, steps: int) -> None:
        order = self.order[: steps * BATCH]
        for population, group in zip(self.populations, self.groups, strict=True):
            epochs = {
                slot: Epoch(order=order, regime=regime, dropout_key=self.key, moments=None)
                for slot, regime in enumerate(group)
            }
            population.train(epochs, self.stop)

    def evaluate(self) -> None:
        for population in self.populations:
            population.evaluate("validation")


def measure(text: str, data: Split, rounds: int, seconds: float = SLICE_SECONDS) -> tuple[float, float]:
    """Seconds per epoch and trial of the plain loop and of the native engine."""
    architecture = Architecture.parse(text)
    shape = Shape(architecture, data.features, data.classes)
    whole = math.ceil(len(data.train) / BATCH)
    plain, native = Plain(shape, data), Native(architecture, shape, data)
    plain.train(1)
    plain_steps = slice_of(whole, cpu_seconds(lambda: plain.train(2)) / 2, seconds)
    batches = slice_of(math.ceil(EVALUATED / BATCH), cpu_seconds(lambda: plain.evaluate(1)), seconds)
    native.train(6)
    native_steps = slice_of(whole, cpu_seconds(lambda: native.train(2)) / 2, seconds)
    best = [math.inf] * 4
    for _ in range(rounds):
        times = (
            cpu_seconds(lambda: plain.train(plain_steps)) * whole / plain_steps,
            cpu_seconds(lambda: plain.evaluate(batches)) * max(1.0, EVALUATED / BATCH / batches),
            cpu_seconds(lambda: native.train(native_steps)) * whole / native_steps / len(REGIMES),
            cpu_seconds(native.evaluate) / len(REGIMES),
        )
        best = [min(pair) for pair in zip(best, times, strict=True)]
    return best[0] + best[1], best[2] + best[3]


def slice_of(whole: int, seconds_each: float, seconds: float) -> int:
    return max(2, min(whole, round(seconds / max(seconds_each, 1e-6))))


def sgemm_peak() -> float:
    """FLOP/s of torch's matrix product on one thread, the best of several sizes."""
    best = 0.0
    for size in (256, 512, 1024):
        a, b, c = (torch.randn(size, size) for _ in range(3))
        repeats = max(1, int(2e9 / size**3))
        for _ in range(8):
            seconds = cpu_seconds(lambda a=a, b=b, c=c, n=repeats: [torch.mm(a, b, out=c) for _ in range(n)])
            best = max(best, 2 * size**3 * repeats / seconds)
    return best


def dense_flops(shape: Shape, samples: int) -> float:
    """What a dense engine computes in an epoch: three products per layer but the first, which has two, and
    one each for evaluation."""
    sizes = [outputs * inputs for outputs, inputs in shape.layers]
    return 2.0 * (samples * (3 * sum(sizes) - sizes[0]) + EVALUATED * sum(sizes))


def main() -> None:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=raw)
    parser.add_argument("architectures", nargs="*", default=CLASSES)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--grid", action="store_true", help="estimate the paper's whole grid")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = load("mnist")
    peak = sgemm_peak()
    lanes = NativeBackend().library.lanes
    print(f"torch {torch.__version__}, vectors of {lanes} floats, sgemm peak {peak / 1e9:.0f} GFLOP/s,")
    print(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, minimum of {arguments.rounds} rounds\n")
    print("| class | plain, ms | native, ms | plain / native | plain, % of peak | native, % of peak |")
    print("|---|---|---|---|---|---|")
    hours = [0.0, 0.0]
    for text in paper_grid() if arguments.grid else arguments.architectures:
        slice_seconds = SHORT_SLICE_SECONDS if arguments.grid else SLICE_SECONDS
        plain, native = measure(text, data, arguments.rounds, slice_seconds)
        for engine, seconds in enumerate((plain, native)):
            hours[engine] += seconds * MODES * TRIALS * META_LOOPS / 3600
        shape = Shape(Architecture.parse(text), data.features, data.classes)
        share = [100 * dense_flops(shape, len(data.train)) / peak / seconds for seconds in (plain, native)]
        print(
            f"| `{text}` | {1e3 * plain:.0f} | {1e3 * native:.1f} | {plain / native:.1f} "
            f"| {share[0]:.0f} | {share[1]:.0f} |",
            flush=True,
        )
    if arguments.grid:
        print(f"\n98 architectures, {MODES} modes, {TRIALS} trials, {META_LOOPS} meta-loops, on one thread:")
        print(f"plain loop {hours[0]:.0f} core-hours, native {hours[1]:.1f}, ratio {hours[0] / hours[1]:.1f}")


if __name__ == "__main__":
    main()
