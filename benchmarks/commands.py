"""What commands cost before their work begins: CPU seconds of help, of a finished set-up, of reading data.

    python benchmarks/commands.py [--rounds 5] [--study results/quickstart]

The commands take turns, and the least of the rounds counts. A study's list and report have no limit, for they
depend on its size. `report` writes into a temporary folder.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from machine import facts
from tabulate import tabulate

ROOT = Path(__file__).parents[1]
FRUSTRATION = (sys.executable, "-m", "frustration")
LIMITS: dict[str, tuple[tuple[str, ...], float]] = {
    "frustration --help": ((*FRUSTRATION, "--help"), 0.5),
    "train --help": ((*FRUSTRATION, "train", "--help"), 0.5),
    "clean --help": ((*FRUSTRATION, "clean", "--help"), 0.5),
    "scripts/bootstrap, where all is set up": ((str(ROOT / "scripts" / "bootstrap"),), 0.8),
    "MNIST is read and split": (
        (sys.executable, "-c", "from frustration.dataset import load; load('mnist')"),
        3.0,
    ),
}
"""What is typed, and how many CPU seconds it may take."""


def spent(command: tuple[str, ...]) -> float:
    """CPU seconds of a process and of those that it starts."""
    before = os.times()
    subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    after = os.times()
    return after.children_user - before.children_user + after.children_system - before.children_system


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--study", type=Path, help="a study's folder, to be listed and reported too")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        asked: dict[str, tuple[tuple[str, ...], float | None]] = dict(LIMITS)
        if options.study:
            study = str(options.study.resolve())
            asked["study show"] = ((*FRUSTRATION, "study", "show", study), None)
            asked["report"] = ((*FRUSTRATION, "report", study, "--output", folder), None)
        seconds = {name: float("inf") for name in asked}
        for _ in range(options.rounds):
            for name, (command, _) in asked.items():
                seconds[name] = min(seconds[name], spent(command))
    print(
        tabulate(
            [(name, seconds[name], limit) for name, (_, limit) in asked.items()],
            headers=("command", "CPU s", "limit"),
            floatfmt=".2f",
        )
    )
    print("\n".join(f"{name}: {fact}" for name, fact in facts().items()))
    late = [name for name, (_, limit) in asked.items() if limit is not None and seconds[name] > limit]
    if late:
        raise SystemExit(f"over the limit: {', '.join(late)}")


if __name__ == "__main__":
    main()
