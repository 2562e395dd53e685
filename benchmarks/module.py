"""What the meta-loop costs around the epochs of a CNN, beside the plain loop that a user would write.

`python benchmarks/module.py`: CPU seconds of one loop (train, validate), least of interleaved rounds. Both
take a fused AdamW and one thread. A loop is a long run less a short one: preparation is left out.
"""

from __future__ import annotations

import os
import threading
import time

os.environ.setdefault("OMP_NUM_THREADS", "1")

import torch
from torch.nn import functional

from frustration import TrialSpec
from frustration.engine.group import plan
from frustration.engine.loop import train_group
from frustration.engine.module.data import data_of
from frustration.engine.module.population import ModuleBackend
from frustration.engine.trial import Trial
from frustration.problems.digits import Digits

SHORT, LONG, ROUNDS, BATCH, RATE = 1, 6, 5, 64, 1e-3


def by_package(problem: Digits, loops: int) -> float:
    reference = problem.reference()
    spec = TrialSpec.of(reference, "none", meta_loops=loops, learning_rate=RATE, batch_size=BATCH)
    trial, backend = Trial.fresh(spec, spec.shape(0, 0)), ModuleBackend(reference)
    (group,) = plan([trial], backend)
    started = time.thread_time()
    train_group(group, backend, data_of(reference), lambda trial, entry: None, threading.Event())
    return time.thread_time() - started


def by_plain_loop(problem: Digits, loops: int) -> float:
    parts, network = problem.data(), problem.build()
    (x, y), (xv, yv) = parts.train, parts.validation
    started = time.thread_time()
    for _ in range(loops):
        optimizer = torch.optim.AdamW(network.parameters(), lr=RATE, fused=True)
        network.train()
        for batch in torch.randperm(len(y)).split(BATCH):
            optimizer.zero_grad()
            loss = functional.cross_entropy(network(x[batch]), y[batch])
            loss.backward()
            optimizer.step()
            loss.item()
        network.eval()
        with torch.no_grad():
            for images, labels in zip(xv.split(BATCH), yv.split(BATCH), strict=True):
                (network(images).argmax(1) == labels).sum().item()
    return time.thread_time() - started


def main() -> None:
    torch.set_num_threads(1)
    problem = Digits(channels=16, hidden=32)
    for run in (by_package, by_plain_loop):
        run(problem, SHORT)
    seconds: dict[str, list[float]] = {"package": [], "plain": []}
    for _ in range(ROUNDS):
        for name, run in (("package", by_package), ("plain", by_plain_loop)):
            seconds[name].append((run(problem, LONG) - run(problem, SHORT)) / (LONG - SHORT))
    ours, plain = min(seconds["package"]), min(seconds["plain"])
    print(
        f"a loop of {problem.reference()}: {1000 * ours:.1f} ms here, {1000 * plain:.1f} ms in a plain loop"
    )
    print(f"the meta-loop costs {100 * (ours / plain - 1):.1f} % more (CPU time, least of {ROUNDS} rounds)")


if __name__ == "__main__":
    main()
