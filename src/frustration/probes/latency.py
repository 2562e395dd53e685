"""How long a forward pass takes and how much memory it needs, of anything that takes a batch of images.

Both run the caller's function as it is: wrap it if it should run without gradients, on one thread, or in
another precision. Times on a machine that does other work are too long; the quartiles show by how much.
"""

from __future__ import annotations

import gc
import math
import time
import weakref
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

Forward = Callable[[Tensor], object]
Key = TypeVar("Key")

LEAST_RUNS = 30
ROUNDS = 20
TURN = 2_000_000
"""Nanoseconds for which one of several is run before the next has its turn."""
WARM_UP = 0.25
"""Share of the measuring time that is spent before it, on passes that are not counted."""


@dataclass(frozen=True)
class Latency:
    """Seconds of one forward pass."""

    median: float
    q25: float
    q75: float
    runs: int

    @property
    def spread(self) -> float:
        """Between the quartiles."""
        return self.q75 - self.q25


def latency(forward: Forward, batch: Tensor, seconds: float = 0.2) -> Latency:
    """Passes of `forward` on a batch [images, ...], one after another for about `seconds`, at least 30."""
    wait = _synchronizer(batch.device)
    collecting = gc.isenabled()
    gc.disable()
    try:
        _passes(forward, batch, wait, WARM_UP * seconds)
        times = np.array(_passes(forward, batch, wait, seconds)) * 1e-9
    finally:
        if collecting:
            gc.enable()
    q25, median, q75 = np.quantile(times, [0.25, 0.5, 0.75]).tolist()
    return Latency(median=median, q25=q25, q75=q75, runs=len(times))


def _passes(forward: Forward, batch: Tensor, wait: Callable[[], None], seconds: float) -> list[int]:
    """Nanoseconds of each pass."""
    times: list[int] = []
    wait()
    began = before = time.perf_counter_ns()
    while len(times) < LEAST_RUNS or before - began < seconds * 1e9:
        forward(batch)
        wait()
        now = time.perf_counter_ns()
        times.append(now - before)
        before = now
    return times


def _synchronizer(device: torch.device) -> Callable[[], None]:
    """Waits until a device has done what it was given; a CPU has by then."""
    if device.type == "cuda":
        return lambda: torch.cuda.synchronize(device)
    if device.type == "mps":
        return torch.mps.synchronize
    return lambda: None


def in_turns(runs: Mapping[Key, Callable[[], object]]) -> dict[Key, float]:
    """The least CPU time of one run of each, in seconds, of this thread.

    They are run in turns, some milliseconds each, in many rounds: other work slows all of them alike, and
    the fastest of many runs is the least disturbed.
    """
    least = dict.fromkeys(runs, math.inf)
    for _ in range(ROUNDS):
        for key, run in runs.items():
            began = before = time.thread_time_ns()
            while before - began < TURN:
                run()
                now = time.thread_time_ns()
                least[key] = min(least[key], (now - before) * 1e-9)
                before = now
    return least


def peak_memory(forward: Forward, batch: Tensor, held: Iterable[Tensor] = ()) -> int:
    """Bytes of all tensors alive at once during a pass: `held` (the weights), the batch, and what is made.

    Counted operation by operation, so it is exact and the same on every device; room that a library takes
    inside one operation is not seen.
    """
    mode = _Counting()
    for tensor in (*held, batch):
        mode.count(tensor)
    with torch.no_grad(), mode:
        forward(batch)
    return mode.peak


class _Counting(TorchDispatchMode):
    """Adds up the storages that are alive, each once however many tensors share it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # of torch
        self.alive = self.peak = 0
        self._seen: weakref.WeakKeyDictionary[Any, int] = weakref.WeakKeyDictionary()

    def __torch_dispatch__(
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        result = func(*args, **(kwargs or {}))
        torch.utils._pytree.tree_map_only(Tensor, self.count, result)
        return result

    def count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage in self._seen:
            return
        size = storage.nbytes()
        self._seen[storage] = size
        self.alive += size
        self.peak = max(self.peak, self.alive)
        weakref.finalize(storage, self._gone, size)

    def _gone(self, size: int) -> None:
        self.alive -= size
