"""Peak memory of 60 networks of [1*2048] trained side by side: 10 trials x 6 modes in one population.

    python benchmarks/memory.py [--architecture "[1*2048]"] [--trials 10] [--backend torch]

A fresh process loads all of MNIST and takes the trials through two meta-loops (the second one ablates) and
the test; only the number of training images per loop is cut, to save time: memory does not depend on it.
A session of `train` would split these networks into smaller groups; here they stand in one.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

LIMIT_BYTES = 3_000_000_000
MODES = ("none", "decay", "dropout", "full", "hidden", "output")


def measure(architecture: str, trials: int, backend: str, meta_loops: int, images: int) -> dict[str, int]:
    """Peak resident bytes of a fresh process, after start-up and after each meta-loop."""
    arguments = [architecture, str(trials), backend, str(meta_loops), str(images)]
    command = [sys.executable, str(Path(__file__).resolve()), "--measured", *arguments]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    peaks: dict[str, int] = json.loads(done.stdout)
    return peaks


def train_and_report(
    architecture: str, trials: int, backend: str, meta_loops: int, images: int
) -> dict[str, int]:
    """What the fresh process does. Heavy imports belong to it alone."""
    import threading

    import frustration
    from frustration.engine.backends import backend_named
    from frustration.engine.group import Group
    from frustration.engine.loop import train_group
    from frustration.engine.population import Order
    from frustration.engine.trial import Trial
    from frustration.network import Shape
    from frustration.record import LoopEntry

    class BriefTrial(Trial):
        """A trial whose epochs end early."""

        def order(self, samples: int) -> Order:
            return super().order(samples)[:images]

    data = frustration.load_dataset("mnist")
    peaks = {"MNIST loaded": peak_bytes()}
    parsed = frustration.Architecture.parse(architecture)
    shape = Shape(parsed, data.features, data.classes)
    specs = [
        frustration.TrialSpec.of(parsed, mode, trial=trial, meta_loops=meta_loops)
        for trial in range(trials)
        for mode in MODES
    ]
    members = dict(enumerate(BriefTrial.fresh(spec, shape) for spec in specs))
    group = Group.of(("f" * len(MODES),) * trials, members)

    def observe(trial: Trial, entry: LoopEntry) -> None:
        peaks[f"meta-loop {entry.loop}"] = peak_bytes()

    engine = backend_named(backend, "cpu")
    train_group(group, engine, data, observe, threading.Event())
    peaks["tested"] = peak_bytes()
    return peaks


def peak_bytes() -> int:
    """Of this process so far; on Linux from /proc, for getrusage begins at the peak of the parent."""
    import resource

    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    unit = 1 if sys.platform == "darwin" else 1024
    return unit * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*2048]")
    parser.add_argument("--trials", type=int, default=10)
    parser.add_argument("--backend", default="torch")
    parser.add_argument("--meta-loops", type=int, default=2)
    parser.add_argument("--images", type=int, default=1024, help="training images per meta-loop (1024)")
    args = parser.parse_args(arguments)
    peaks = measure(args.architecture, args.trials, args.backend, args.meta_loops, args.images)
    print(
        f"{args.trials * len(MODES)} trials of {args.architecture} in one population, backend {args.backend}"
    )
    print("peak resident memory, GB:")
    for when, size in peaks.items():
        print(f"  {when:<14} {size / 1e9:.2f}")
    within = peaks["tested"] < LIMIT_BYTES
    print(f"{'under' if within else 'NOT under'} {LIMIT_BYTES / 1e9:g} GB")
    return 0 if within else 1


if __name__ == "__main__":
    if sys.argv[1:2] == ["--measured"]:
        text, *numbers = sys.argv[2:]
        trials, backend, meta_loops, images = numbers
        print(json.dumps(train_and_report(text, int(trials), backend, int(meta_loops), int(images))))
    else:
        sys.exit(main())
