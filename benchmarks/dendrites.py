"""Trials with dendrites: our backends beside the library perforatedai, CPU time per epoch on one thread.

    python benchmarks/dendrites.py [--architecture "[2*32]"] [--counts 0 1 3] [--backends native]
                                   [--rounds 5] [--seconds 1.5] [--graphs]

Ten trials, each with its own start and order of samples, beside a run of the library (ten take ten times as
long), by K dendrites per unit in every layer. All do the same: one epoch of 50,000 images in batches of 256
with AdamW, and validation on 10,000. The library's graphs, files and scores are left out. Contenders take
turns in one process, and the minimum over the rounds counts. With --graphs a row is added for the library as
it comes: graphs, tables and networks written after every epoch.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import tempfile
import time
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import engines
import machine
import numpy as np
import plain
import torch
from tabulate import tabulate
from torch import nn
from torch.nn import functional

import frustration
from frustration.dataset import Split
from frustration.engine.backends import backend_named
from frustration.engine.population import Epoch
from frustration.modes import EpochSettings
from frustration.network import Shape, Vector
from frustration.streams import Stream, Streams

TRIALS: Final = 10
GOALS: Final = {"native": 5.0, "torch": 2.0}
"""How many times as fast as the library each backend is to be."""


class LibraryRun:
    """One network of the library, grown to K dendrites."""

    name = "perforatedai"
    networks = 1

    def __init__(self, architecture: frustration.Architecture, count: int, data: Split) -> None:
        self.pixels, self.labels = plain.tensors(data.train, data).tensors
        self.validation = plain.tensors(data.validation, data).tensors
        with quietly_elsewhere():
            self.model = library_network(architecture, count, data)
        parameters = [p for p in self.model.parameters() if p.requires_grad]
        self.optimizer = torch.optim.AdamW(parameters, lr=plain.LEARNING_RATE, weight_decay=0.0)

    def train(self, steps: int) -> None:
        self.model.train()
        for batch in torch.randperm(len(self.pixels)).split(plain.BATCH_SIZE)[:steps]:
            self.optimizer.zero_grad()
            loss = functional.cross_entropy(self.model(self.pixels[batch]), self.labels[batch])
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def evaluate(self) -> None:
        self.model.eval()
        chunks = (tensor.split(plain.VALIDATION_BATCH_SIZE) for tensor in self.validation)
        sum(
            int((self.model(pixels).argmax(1) == labels).sum())
            for pixels, labels in zip(*chunks, strict=True)
        )


def seconds_of_a_score(architecture: frustration.Architecture, count: int, data: Split, times: int) -> float:
    """The least CPU seconds that a score takes the library while it draws and saves as it does by default."""
    from perforatedai import globals_perforatedai as GPA

    taken = []
    with quietly_elsewhere():
        model = library_network(architecture, count, data, files=True)
        GPA.pc.set_fixed_switch_num(10**6)
        GPA.pai_tracker.set_optimizer_instance(torch.optim.AdamW(model.parameters()))
        for _ in range(times):
            began = time.process_time()
            GPA.pai_tracker.add_validation_score(0.5, model)
            taken.append(time.process_time() - began)
    return min(taken)


def library_network(
    architecture: frustration.Architecture, count: int, data: Split, files: bool = False
) -> nn.Module:
    """A network of the library with K dendrites; `files`: it draws and saves as it does by default."""
    from perforatedai import globals_perforatedai as GPA
    from perforatedai import utils_perforatedai as UPA

    pixels, labels = (tensor[:64] for tensor in plain.tensors(data.train, data).tensors)
    model = plain.build(architecture, data.features, data.classes)
    settings = GPA.pc = GPA.PAIConfig()
    settings.set_configuration_confirmed(True)
    settings.set_testing_dendrite_capacity(False)
    settings.set_unwrapped_modules_confirmed(True)
    settings.set_checked_skipped_modules(True)
    settings.set_device(torch.device("cpu"))
    settings.set_output_dimensions([-1, 0])
    settings.set_silent(True)
    settings.set_test_saves(files)
    settings.set_drawing_extra_graphs(files)
    settings.set_find_best_lr(False)
    settings.set_switch_mode(settings.DOING_FIXED_SWITCH)  # a dendrite after every score
    settings.set_fixed_switch_num(1)
    settings.set_first_fixed_switch_num(1)
    settings.set_retain_all_dendrites(True)
    model = UPA.perforate_model(model, save_name="grown", maximizing_score=True, making_graphs=files)
    while (grown := GPA.pai_tracker.member_vars["num_dendrites_added"]) < count:
        optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad])
        GPA.pai_tracker.set_optimizer_instance(optimizer)
        functional.cross_entropy(model(pixels), labels).backward()
        optimizer.step()
        model, _, _ = GPA.pai_tracker.add_validation_score(1.0 + grown, model)
    return model


class GrownTrials(engines.BackendEngine):
    """Ten trials of one of our backends, in groups as its planner makes them."""

    def __init__(self, name: str, architecture: frustration.Architecture, count: int, data: Split) -> None:
        self.name, self.networks = name, TRIALS
        bare = Shape(architecture, data.features, data.classes)
        shape = bare.with_dendrites((count,) * len(bare.layers))
        backend = backend_named(name, "cpu")
        limit = backend.group_limit(shape, plain.BATCH_SIZE)
        self.populations = []
        for first in range(0, TRIALS, limit):
            trials = range(first, min(first + limit, TRIALS))
            population = backend.population(shape, ("f",) * len(trials), data, plain.BATCH_SIZE)
            epochs = {}
            for slot, trial in enumerate(trials):
                streams = Streams(0, trial, architecture)
                population.load(slot, grown(bare, shape, streams.stream("init", loop=1)))
                epochs[slot] = Epoch(
                    order=streams.order(1, len(data.train)),
                    settings=EpochSettings(learning_rate=plain.LEARNING_RATE),
                    dropout_key=0,
                    moments=None,
                )
            self.populations.append((population, epochs))


def grown(bare: Shape, shape: Shape, stream: Stream) -> Vector:
    """A fresh network right after growth: small dendrites that do not reach their units yet."""
    network = shape.view((stream.uniform(shape.size) - np.float32(0.5)) * np.float32(0.03))
    units = bare.view(bare.initial(stream))
    for part in ("weights", "biases"):
        for to, values in zip(getattr(network, part), getattr(units, part), strict=True):
            to[...] = values
    for tops in network.tops:
        tops[...] = 0
    return network.vector


@contextlib.contextmanager
def quietly_elsewhere() -> Iterator[None]:
    """In a folder that goes again, without a word: the library writes files and talks."""
    here = Path.cwd()
    with (
        tempfile.TemporaryDirectory() as folder,
        contextlib.redirect_stdout(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        os.chdir(folder)
        try:
            yield
        finally:
            os.chdir(here)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[2*32]", type=frustration.Architecture.parse)
    parser.add_argument("--counts", nargs="+", type=int, default=[0, 1, 3], metavar="K")
    parser.add_argument("--backends", nargs="+", default=["native"], choices=list(GOALS))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.5, help="CPU seconds of a turn, about")
    parser.add_argument("--graphs", action="store_true", help="also the library with its default graphs")
    args = parser.parse_args(arguments)
    data = frustration.load_dataset("mnist")
    torch.set_num_threads(1)
    print("\n".join(f"{name}: {value}" for name, value in machine.facts().items()))
    rows: list[list[Any]] = []
    bare: dict[str, float] = {}
    for count in args.counts:
        contenders: list[engines.Contender] = [LibraryRun(args.architecture, count, data)]
        contenders += [GrownTrials(name, args.architecture, count, data) for name in args.backends]
        timings = [engines.Timing.calibrated(one, len(data.train), args.seconds) for one in contenders]
        for _ in range(args.rounds):
            for timing in timings:
                timing.take_turn()
        for timing in timings:
            name, ratio = timing.contender.name, timings[0].seconds / timing.seconds
            goal = GOALS.get(name)
            own = f"{timing.seconds / bare.setdefault(name, timing.seconds):.2f}"
            reached = "" if goal is None else "yes" if ratio >= goal else "NO"
            cells = [count, name, f"{1000 * timing.seconds:.1f}", f"{timing.spread:.2f}", own, f"{ratio:.2f}"]
            rows.append([*cells, goal, reached])
        if args.graphs:
            whole = timings[0].seconds + seconds_of_a_score(args.architecture, count, data, args.rounds)
            rows.append([count, "perforatedai, default graphs", f"{1000 * whole:.1f}", "", "", "", "", ""])
            for timing in timings[1:]:
                times = f"{whole / timing.seconds:.2f}"
                rows.append([count, f"{timing.contender.name} to that", "", "", "", times, "", ""])
    print(f"load average afterwards: {machine.load_average()}\n")
    headers = [
        "K",
        "engine",
        "ms",
        "median/min",
        f"of its K = {args.counts[0]}",
        "library/this",
        "goal",
        "reached",
    ]
    print(f"{args.architecture}, per trial, epoch and validation, on one thread; {args.rounds} rounds")
    print(tabulate(rows, headers=headers))


if __name__ == "__main__":
    main()
