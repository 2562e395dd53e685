"""How this machine trains: which CPU backend, why, with which vector instructions, and how fast."""

from __future__ import annotations

import os
import platform
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from frustration.architecture import Architecture
from frustration.dataset import Part, Split
from frustration.engine.population import Backend, Epoch
from frustration.modes import EpochSettings
from frustration.network import Shape
from frustration.streams import Stream, Streams

ARCHITECTURES = ("[1*32]", "[8*8]", "[4*128]")
SLOTS, STEPS, BATCH, ROUNDS = 6, 12, 256, 3
EPOCH_STEPS = 196
LIT = 0.19
"""Share of pixels that are not background, as in MNIST."""


@dataclass(frozen=True)
class Speed:
    """CPU milliseconds per epoch (196 steps of 256 images) and trial, six trials at once, on one thread."""

    backend: str
    architecture: str
    milliseconds: float


@dataclass(frozen=True)
class Diagnosis:
    backend: str
    """The backend for the CPU."""
    why_not_native: str | None
    lanes: int | None
    """How many float32 numbers the native engine's vectors have."""
    library: Path | None
    """The compiled engine."""
    speeds: tuple[Speed, ...]

    def sentences(self) -> list[str]:
        """For people, one line each."""
        cores = os.cpu_count() or 1
        lines = [f"{platform.machine()}, {platform.system()}, {cores} core{'s' if cores > 1 else ''}"]
        if self.why_not_native:
            lines.append(f"networks train with torch on the CPU, because {self.why_not_native}")
        else:
            lines.append(f"networks train with the native engine on the CPU, {self.lanes} numbers at a time")
            lines.append(f"compiled for this CPU: {self.library}")
        return lines + [
            f"{s.backend:6} {s.architecture:8} {s.milliseconds:7.1f} ms of CPU per epoch and trial"
            for s in self.speeds
        ]


def diagnose(architectures: Sequence[str] = ARCHITECTURES) -> Diagnosis:
    """Look at this machine, and measure it on made-up images; takes a few seconds."""
    from frustration.engine.native import NativeBackend, native_available
    from frustration.engine.torch import TorchBackend

    reason = native_available()
    backends: list[Backend] = [TorchBackend("cpu")]
    lanes = library = None
    if reason is None:
        native = NativeBackend()
        lanes, library = native.library.lanes, native.library.path
        backends.insert(0, native)
    data = _images()
    speeds = [
        Speed(backend.name, architecture, 1e3 * seconds_per_epoch(backend, architecture, data))
        for architecture in architectures
        for backend in backends
    ]
    return Diagnosis(backends[0].name, reason, lanes, library, tuple(speeds))


def seconds_per_epoch(backend: Backend, architecture: str, data: Split) -> float:
    """CPU seconds of one epoch of one of six trials, from the best of a few short measurements."""
    parsed = Architecture.parse(architecture)
    shape = Shape(parsed, data.features, data.classes)
    streams = Streams(0, 0, parsed)
    population = backend.population(shape, ("f" * SLOTS,), data, BATCH)
    weights = shape.initial(streams.stream("init", loop=1))
    order = streams.order(1, len(data.train))
    epoch = Epoch(order=order, settings=EpochSettings(learning_rate=1e-4), dropout_key=0, moments=None)
    best = float("inf")
    for _ in range(ROUNDS):
        for slot in range(SLOTS):
            population.load(slot, weights)
        started = time.process_time()
        population.train(dict.fromkeys(range(SLOTS), epoch), threading.Event())
        best = min(best, time.process_time() - started)
    return best / STEPS * EPOCH_STEPS / SLOTS


def _images() -> Split:
    """As many images as the measurement needs, as sparse as MNIST's."""
    stream = Stream(b"doctor's pictures"[:16])

    def part(count: int) -> Part:
        noise = stream.bits(count * 784)
        lit = (noise & np.uint64(0xFFFF)) < np.uint64(int(LIT * 65536))
        images = np.where(lit, noise >> np.uint64(56), np.uint64(0)).astype(np.uint8).reshape(count, 784)
        return Part(images, (stream.bits(count) % np.uint64(10)).astype(np.int64), 10)

    values = (np.arange(256, dtype=np.float32) / np.float32(255) - np.float32(0.13)) / np.float32(0.31)
    return Split.of("doctor", part(STEPS * BATCH), part(16), part(16), values)
