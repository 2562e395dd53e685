"""Our backends beside the plain loop: CPU time of one epoch and its validation, per trial, on one thread.

    python benchmarks/engines.py [--architectures "[1*16]" "[8*8]"] [--backends torch] [--rounds 5]
                                 [--seconds 1.5] [--json]

All contenders take turns in one process, and the minimum over the rounds counts, so that what else the
machine does falls on all alike. A backend trains what a session of 10 trials x 6 modes would put into its
first population (a backend that takes one network at a time: the six modes of the first trial). Where an
epoch takes longer than --seconds, a slice of it is timed and scaled; the column says how many of the 196
steps it has. Validation is always on all 10,000 images.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final, Protocol

import machine
import plain
import torch
from tabulate import tabulate
from torch.utils.data import DataLoader, Subset, TensorDataset

import frustration
from frustration.dataset import Split
from frustration.engine.backends import BACKENDS, backend_named
from frustration.engine.group import Group, plan
from frustration.engine.population import Epoch, Order, Population
from frustration.engine.trial import Trial
from frustration.network import Shape
from frustration.original.reproduction import PAPER_MODES as MODES

TRIALS: Final = 10
ARCHITECTURES: Final = ("[1*16]", "[8*8]", "[512*1]", "[1*256]")
CALIBRATION_STEPS: Final = 4


@dataclass(frozen=True)
class Goal:
    """So many times as fast as the plain loop, where small operations count; where products of matrices do, a
    share of the machine's own peak, because half the peak does not make the plain loop slower."""

    least: float
    of_peak: bool = False

    def __str__(self) -> str:
        return f"{100 * self.least:.0f} %" if self.of_peak else f"{self.least:g} x"

    def reached(self, ratio: float, share: float) -> bool:
        return (share if self.of_peak else ratio) >= self.least


of_peak: Final = partial(Goal, of_peak=True)
GOALS: Final[Mapping[str, Mapping[str, Goal]]] = {
    "torch": {"[1*16]": Goal(8), "[8*8]": Goal(12), "[512*1]": Goal(40), "[1*256]": of_peak(0.5)},
    "native": {
        "[1*16]": Goal(24),
        "[1*64]": of_peak(0.95),
        "[1*256]": of_peak(1),
        "[1*2048]": of_peak(1),
        "[2*115]": of_peak(0.9),
        "[4*119]": of_peak(0.8),
        "[8*8]": Goal(35),
        "[32*32]": Goal(9),
        "[115*115]": of_peak(0.8),
        "[2*939]": of_peak(0.65),
        "[4*632]": of_peak(0.6),
        "[512*1]": Goal(450),
    },
    "native-bf16": {"[4*632]": of_peak(0.9)},
}
"""What each backend is to reach. More than the whole peak: the native engine skips zero pixels."""


class Contender(Protocol):
    """Something that trains networks; after a call its networks are further trained."""

    name: str
    networks: int

    def train(self, steps: int) -> None:
        """One epoch's first `steps` steps, by all its networks."""

    def evaluate(self) -> None:
        """All its networks on the validation images."""


class PlainLoop:
    """One network in the loop of `plain.py`."""

    name = "plain"
    networks = 1

    def __init__(self, architecture: frustration.Architecture, data: Split) -> None:
        self.model = plain.build(architecture, data.features, data.classes)
        self.training = plain.tensors(data.train, data)
        self.validation = DataLoader(
            plain.tensors(data.validation, data), batch_size=plain.VALIDATION_BATCH_SIZE
        )

    def train(self, steps: int) -> None:
        samples = steps * plain.BATCH_SIZE
        images: TensorDataset | Subset[Any] = self.training
        if samples < len(self.training):
            images = TensorDataset(*self.training[:samples])
        plain.train(self.model, DataLoader(images, batch_size=plain.BATCH_SIZE, shuffle=True))

    def evaluate(self) -> None:
        plain.accuracy(self.model, self.validation)


class BackendEngine:
    """The first population of a session, or as many as it takes to hold the six modes of a trial."""

    def __init__(self, name: str, architecture: frustration.Architecture, data: Split) -> None:
        self.name = name
        shape = Shape(architecture, data.features, data.classes)
        specs = [
            frustration.TrialSpec.of(architecture, mode, trial=trial)
            for trial in range(TRIALS)
            for mode in MODES
        ]
        backend = backend_named(name, "cpu")
        groups = plan([Trial.fresh(spec, shape) for spec in specs], backend)
        groups = groups[: -(-len(MODES) // len(groups[0].members))]
        self.networks = sum(len(group.members) for group in groups)
        self.populations = [
            (backend.population(shape, group.layout, data, plain.BATCH_SIZE), self._epochs(group, data))
            for group in groups
        ]
        for group, (population, _) in zip(groups, self.populations, strict=True):
            for slot, trial in group.members.items():
                population.load(slot, trial.base.vector)

    @staticmethod
    def _epochs(group: Group, data: Split) -> dict[int, Epoch]:
        """What the first loop asks for; trials of one number share the array of their order."""
        probe = data.probe(1)
        orders: dict[int, Order] = {}
        epochs = {}
        for slot, trial in group.members.items():
            order = orders.setdefault(trial.spec.trial, trial.order(len(data.train)))
            epochs[slot] = trial.intervene(trial.base.copy(), order, probe).epoch
        return epochs

    def train(self, steps: int) -> None:
        for population, epochs in self.populations:
            _train_steps(population, epochs, steps)

    def evaluate(self) -> None:
        for population, _ in self.populations:
            population.evaluate("validation")


def _train_steps(population: Population, epochs: Mapping[int, Epoch], steps: int) -> None:
    cut: dict[int, Order] = {}  # slots that share an order must still share it
    sliced = {}
    for slot, epoch in epochs.items():
        order = cut.setdefault(id(epoch.order), epoch.order[: steps * plain.BATCH_SIZE])
        sliced[slot] = dataclasses.replace(epoch, order=order)
    population.train(sliced, threading.Event())


@dataclass
class Timing:
    """CPU seconds of one contender, per network."""

    contender: Contender
    steps: int
    """How many of an epoch are timed."""
    scale: float
    """Samples in an epoch over samples in these steps."""
    training: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)

    @classmethod
    def calibrated(cls, contender: Contender, samples: int, seconds: float) -> Timing:
        """As many steps as take about so many seconds, at least `CALIBRATION_STEPS`; also warms up."""
        full = -(-samples // plain.BATCH_SIZE)
        few = min(CALIBRATION_STEPS, full)
        contender.train(few)
        contender.evaluate()
        spent = _cpu_seconds(lambda: contender.train(few))
        steps = min(full, max(few, int(seconds / max(spent, 1e-6) * few)))
        return cls(contender, steps, samples / min(samples, steps * plain.BATCH_SIZE))

    def take_turn(self) -> None:
        networks = self.contender.networks
        training = _cpu_seconds(lambda: self.contender.train(self.steps))
        self.training.append(training * self.scale / networks)
        self.validation.append(_cpu_seconds(self.contender.evaluate) / networks)

    @property
    def seconds(self) -> float:
        """Of one epoch and its validation: the sum of the two minima."""
        return min(self.training) + min(self.validation)

    @property
    def spread(self) -> float:
        """Median over minimum of the training times."""
        return sorted(self.training)[len(self.training) // 2] / min(self.training)


@dataclass(frozen=True, kw_only=True)
class Row:
    """One contender on one architecture."""

    architecture: str
    contender: str
    networks: int
    steps: int
    milliseconds: float
    """CPU time of one epoch and its validation per trial."""
    spread: float
    ratio: float
    """The plain loop's time over this one's."""
    goal: Goal | None
    flops: int
    """Of one epoch and its validation, as dense products count them."""

    def share(self, peak: float) -> float:
        """Of the FLOP per second that the machine can do."""
        return self.flops / (self.milliseconds / 1000) / peak


def compare(
    architecture: frustration.Architecture, backends: Sequence[str], data: Split, rounds: int, seconds: float
) -> list[Row]:
    """The plain loop and some backends on one architecture, taking turns."""
    torch.set_num_threads(1)
    contenders: list[Contender] = [PlainLoop(architecture, data)]
    contenders += [BackendEngine(name, architecture, data) for name in backends]
    timings = [Timing.calibrated(contender, len(data.train), seconds) for contender in contenders]
    for _ in range(rounds):
        for timing in timings:
            timing.take_turn()
    return [
        Row(
            architecture=str(architecture),
            contender=timing.contender.name,
            networks=timing.contender.networks,
            steps=timing.steps,
            milliseconds=1000 * timing.seconds,
            spread=timing.spread,
            ratio=timings[0].seconds / timing.seconds,
            goal=GOALS.get(timing.contender.name, {}).get(str(architecture)),
            flops=dense_flops(architecture, data),
        )
        for timing in timings
    ]


def dense_flops(architecture: frustration.Architecture, data: Split) -> int:
    """Multiplications and additions of the matrix products of one epoch and its validation.

    Training has three products per layer (forward, weights' gradient, inputs' gradient), and two in the
    first layer, whose inputs need no gradient.
    """
    first, *rest = (outputs * inputs for outputs, inputs in architecture.shapes(data.features, data.classes))
    training = 4 * first + 6 * sum(rest)
    validation = 2 * (first + sum(rest))
    return training * len(data.train) + validation * len(data.validation)


def table(rows: Sequence[Row], peak: float | None = None) -> str:
    """`peak`: FLOP per second that the machine can do; None, where no goal is a share of it: no column."""

    def cells(row: Row) -> list[str]:
        share, goal = row.share(peak or math.inf), row.goal
        return [
            row.architecture,
            row.contender,
            f"{row.networks}",
            f"{row.steps}",
            f"{row.milliseconds:.1f}",
            f"{row.spread:.2f}",
            f"{row.ratio:.2f}",
            *([f"{100 * share:.0f} %"] if peak else []),
            "" if goal is None else str(goal),
            "" if goal is None else "yes" if goal.reached(row.ratio, share) else "NO",
        ]

    headers = ["architecture", "engine", "networks", "steps timed", "ms", "median/min", "plain/this"]
    headers += [*(["of sgemm peak"] if peak else []), "goal", "reached"]
    return tabulate(
        [cells(row) for row in rows],
        headers=headers,
        disable_numparse=True,
        colalign=("left", "left", *["right"] * (len(headers) - 2)),
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architectures", nargs="+", default=list(ARCHITECTURES), metavar="ARCH")
    parser.add_argument("--backends", nargs="+", default=["torch"], choices=BACKENDS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--seconds", type=float, default=1.5, help="CPU seconds of a turn, about (default: 1.5)"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object, and nothing else")
    return parser.parse_args(arguments)


def main(arguments: Sequence[str] | None = None) -> None:
    args = parse(arguments)
    say: Callable[[str], None] = (lambda text: None) if args.json else (lambda text: print(text, flush=True))
    architectures = [frustration.Architecture.parse(text) for text in args.architectures]
    data = frustration.load_dataset("mnist")
    torch.set_num_threads(1)
    facts = machine.facts() | {"rounds": str(args.rounds)}
    say("\n".join(f"{name}: {value}" for name, value in facts.items()))
    peaks = machine.sgemm_peaks()
    rows: list[Row] = []
    for architecture in architectures:
        rows += compare(architecture, args.backends, data, args.rounds, args.seconds)
        say(f"{architecture} measured")
    again = machine.sgemm_peaks()
    peaks = {name: max(peak, again[name]) for name, peak in peaks.items()}
    facts["sgemm peak"] = ", ".join(f"{peak / 1e9:.0f} GFLOP/s by {name}" for name, peak in peaks.items())
    say(f"sgemm peak on one thread: {facts['sgemm peak']}")
    facts["load average afterwards"] = machine.load_average()
    if args.json:
        print(json.dumps({"machine": facts, "rows": [dataclasses.asdict(row) for row in rows]}, indent=1))
        return
    say(f"load average afterwards: {facts['load average afterwards']}\n")
    say(table(rows, max(peaks.values())))
    say("\nms: CPU time of one epoch (50,000 images) and its validation (10,000) per trial, on one thread,")
    say("minimum of the rounds; of 196 steps those timed, scaled.")


def _cpu_seconds(work: Callable[[], object]) -> float:
    """Of the whole process: a backend's own threads count."""
    started = time.process_time()
    work()
    return time.process_time() - started


if __name__ == "__main__":
    main()
