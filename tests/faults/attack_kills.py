"""Attacks by SIGKILL: a session that is killed at any moment, again and again, ends in the same bits."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path

from tally import Tally
from train_command import PATIENT, SESSION, Run, alive, finished, kept, wait_until, workers_of

from frustration.checkpoint import CheckpointFiles
from frustration.errors import FrustrationError

TRIALS = 15


def run(seed: int, count: int) -> Tally:
    """`count` kills; those of one session are believed together, where its end has other bits."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        undisturbed = Path(folder) / "undisturbed"
        began = time.monotonic()
        finished(undisturbed, *SESSION, "--threads", "1")
        longest, wanted, number = time.monotonic() - began, kept(undisturbed), 0
        while tally.tried < count:
            number += 1
            draw = random.Random(f"{seed}.{number}")
            _session(tally, Path(folder) / f"{number}", wanted, draw, longest, count, f"{seed}.{number}")
    return tally


def _session(
    tally: Tally,
    models: Path,
    wanted: dict[str, object],
    draw: random.Random,
    longest: float,
    count: int,
    name: str,
) -> None:
    threads, kills = draw.choice(["1", "2"]), 0
    while True:
        with Run(models, *SESSION, "--threads", threads) as run:
            run.until_training()
            if kills < TRIALS and tally.tried + kills < count and run.process.poll() is None:
                time.sleep(draw.uniform(0, longest / 2))
            else:
                run.wait()
            if run.process.poll() is not None:
                break
            workers = workers_of(run.pid)
            run.kill()
            kills += 1
            if not wait_until(lambda pids=workers: not any(map(alive, pids)), PATIENT):
                tally.count("hangs", f"{name}: workers outlived kill {kills}")
    outcome = "harmless" if kept(models) == wanted else "believed"
    if "Traceback" in run.text or run.process.returncode or not _loadable(models):
        outcome = "tracebacks"
    for kill in range(kills):
        tally.tried += 1
        tally.count(outcome, f"{name}: session with {threads} threads, kill {kill + 1}: {run.text[-300:]}")


def _loadable(models: Path) -> bool:
    stems = {
        path.with_name(path.name.partition("_lkg")[0] + "_lkg") for path in models.rglob("*_lkg.safetensors")
    }
    try:
        return all(CheckpointFiles(stem).load() is not None for stem in stems)
    except FrustrationError:
        return False
