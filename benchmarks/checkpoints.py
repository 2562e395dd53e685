"""What keeping a trial costs after many loops: time and bytes of one loop.

    python benchmarks/checkpoints.py [--loops 10 1000 100000] [--arch "[1*2048]"]

The trial is made up; every loop of it has silenced half of the hidden units, which its evidence lists.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from machine import facts

from frustration.checkpoint import CheckpointFiles
from frustration.engine.trial import Trial
from frustration.record import LoopEntry
from frustration.saved import pack_resume
from frustration.spec import TrialSpec

SAVES = 21


def trial_after(loops: int, architecture: str) -> Trial:
    """A trial of `hidden:dose=0.5` with so many loops behind it."""
    spec = TrialSpec.of(architecture, "hidden:dose=0.5", meta_loops=10**6)
    trial = Trial.fresh(spec, spec.shape(784, 10))
    units = [[0, unit] for unit in range(0, spec.architecture.hidden[0], 2)]
    entry = LoopEntry(
        loop=1,
        mode=spec.label,
        loss=0.25,
        before=97.0,
        damaged=90.0,
        accuracy=96.5,
        accepted=False,
        new_bounty=False,
        evidence={"hidden": {"units": units, "removed": 12.5}},
    )
    trial.loop, trial.bounty, trial.bounty_loop, trial.base_accuracy = loops, 97.0, 1, 97.0
    trial.curve = [replace(entry, loop=loop) for loop in range(1, loops + 1)]
    return trial


def measure(loops: int, architecture: str, folder: Path) -> dict[str, float]:
    """Milliseconds and bytes of a save; seconds of a load."""
    trial = trial_after(loops, architecture)
    files = CheckpointFiles(folder / f"after{loops}")
    files.save(trial, lkg_too=False)
    seconds = []
    for _ in range(SAVES):
        trial.loop += 1
        trial.curve.append(replace(trial.curve[-1], loop=trial.loop))
        written = pack_resume(trial)
        began = time.perf_counter()
        files.save(trial, lkg_too=False)
        seconds.append(time.perf_counter() - began)
    began = time.perf_counter()
    saved = files.load()
    took = time.perf_counter() - began
    if saved is None or saved.trial is None or saved.trial.curve != trial.curve:
        raise SystemExit("what was read is not what was written")
    return {
        "save ms": 1000 * statistics.median(seconds),
        "bytes written": len(written.resume) + len(written.lines.content),
        "load s": took,
        "curve MB": files.curve.stat().st_size / 1e6,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--loops", type=int, nargs="+", default=[10, 1_000, 100_000])
    parser.add_argument("--arch", default="[1*128]")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = {str(loops): measure(loops, options.arch, Path(folder)) for loops in options.loops}
    print(json.dumps({"architecture": options.arch, "after loops": found, **facts()}, indent=2))


if __name__ == "__main__":
    main()
