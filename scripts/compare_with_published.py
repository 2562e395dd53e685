"""Repeat one row of the published results and say whether ours agrees: 100 meta-loops, 10 trials, 6 modes.

    python scripts/compare_with_published.py [--architecture "[1*32]"] [--model-dir DIR]
    python scripts/compare_with_published.py --from DIR

With --model-dir a run that was cut off is finished by the same command. --from trains nothing: it reads the
records (*.record.json) in a model directory or in any folder above some. The exit code is 0 where the
mean bounties of all six modes lie within three standard errors of the difference.
"""

from __future__ import annotations

import argparse
import contextlib
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from safetensors.numpy import load_file
from tabulate import tabulate

import frustration
from frustration.checkpoint import CheckpointFiles
from frustration.runners.events import LoopDone, SessionEvent, SessionStart

MODES: Final = ("none", "decay", "dropout", "full", "hidden", "output")
META_LOOPS: Final = 100
PUBLISHED_TRIALS: Final = 10
LIMIT: Final = 3.0
"""Standard errors of the difference."""

# Mean and standard deviation (ddof 0, n = 10) of the bounty, validation accuracy in percent, in the order of
# MODES: the architecture's row in the results of the paper on Persistent Stochastic Ablation (August 2025).
PUBLISHED: Final = {
    "[1*32]": ((95.49, 0.20), (95.47, 0.21), (95.61, 0.20), (93.04, 0.32), (93.80, 0.41), (93.00, 0.49)),
    "[1*64]": ((96.74, 0.12), (96.78, 0.16), (96.98, 0.14), (95.46, 0.14), (95.81, 0.23), (94.65, 0.29)),
    "[1*2048]": ((98.25, 0.06), (98.21, 0.04), (98.20, 0.05), (98.11, 0.07), (98.19, 0.06), (97.89, 0.12)),
    "[18*18]": ((10.48, 0.51), (10.22, 0.74), (10.18, 0.39), (11.20, 2.74), (10.11, 0.47), (18.87, 17.87)),
}


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """One mode: our bounties beside the published mean and standard deviation."""

    mode: str
    trials: int
    mean: float
    std: float  # ddof 0
    published_mean: float
    published_std: float  # ddof 0
    standard_error: float  # of the difference of the two means

    @property
    def difference(self) -> float:
        return self.mean - self.published_mean

    @property
    def agrees(self) -> bool:
        return abs(self.difference) <= LIMIT * self.standard_error


def compare(mode: str, bounties: Sequence[float], mean: float, std: float) -> Comparison:
    """Two or more bounties in percent beside a published mean and standard deviation (ddof 0, n = 10).

    The standard error is that of two independent samples, sqrt(s1^2/n1 + s2^2/n2), with the unbiased
    variances s^2 (ddof 1): n / (n - 1) times those of ddof 0.
    """
    ours = statistics.variance(bounties) / len(bounties)
    theirs = std**2 / (PUBLISHED_TRIALS - 1)
    return Comparison(
        mode=mode,
        trials=len(bounties),
        mean=statistics.fmean(bounties),
        std=statistics.pstdev(bounties),
        published_mean=mean,
        published_std=std,
        standard_error=math.sqrt(ours + theirs),
    )


@dataclass(frozen=True)
class Found:
    """A record of a published kind and the files beside it."""

    record: frustration.TrialRecord
    files: CheckpointFiles

    @property
    def pair(self) -> tuple[int, int]:
        """What it has in common with the trials of other modes that saw the same batches."""
        return self.record.spec.seed, self.record.spec.trial


def read_records(
    folder: Path, architecture: frustration.Architecture
) -> dict[str, dict[tuple[int, int], Found]]:
    """By mode and pair, the finished trials in a folder that were run as the published ones were."""
    found: dict[str, dict[tuple[int, int], Found]] = {mode: {} for mode in MODES}
    for path in sorted(folder.rglob("*.record.json")):
        one = Found(_read(path), CheckpointFiles(path.with_name(path.name.removesuffix(".record.json"))))
        spec = one.record.spec
        if spec.label not in MODES or not one.record.finished:
            continue
        published = frustration.TrialSpec.of(architecture, spec.label, meta_loops=META_LOOPS)
        free = {"seed": spec.seed, "trial": spec.trial, "dataset_digest": spec.dataset_digest}
        if spec == replace(published, **free):
            found[spec.label][one.pair] = one
    return found


def identical(one: Found, other: Found) -> bool:
    """Whether two trials went the same way to the bit: every loss and accuracy, the weights of the LKG."""

    def curve(found: Found) -> list[tuple[float | None, float | None]]:
        return [(entry.loss, entry.accuracy) for entry in found.record.curve]

    ours, theirs = (load_file(found.files.lkg) for found in (one, other))
    same_weights = ours.keys() == theirs.keys() and all(
        ours[name].tobytes() == theirs[name].tobytes() for name in ours
    )
    return curve(one) == curve(other) and same_weights


def report(rows: Iterable[Comparison]) -> str:
    table = [
        (
            row.mode,
            row.trials,
            f"{row.mean:.2f} ({row.std:.2f})",
            f"{row.published_mean:.2f} ({row.published_std:.2f})",
            f"{row.difference:+.3f}",
            f"{row.standard_error:.3f}",
            f"{row.difference / row.standard_error:+.1f}" if row.standard_error else "",
            "yes" if row.agrees else "NO",
        )
        for row in rows
    ]
    headers = ("mode", "n", "ours", "published", "difference", "SE", "in SE", f"within {LIMIT:g} SE")
    return tabulate(table, headers=headers, disable_numparse=True, stralign="right")


def about_decay(found: dict[str, dict[tuple[int, int], Found]]) -> str:
    """What the records say of `decay`, which at these settings cannot act."""
    decay, none = found["decay"], found["none"]
    pairs = sorted(decay.keys() & none.keys())
    same = sum(identical(decay[pair], none[pair]) for pair in pairs)
    inert = sum("decay" in one.record.inert for one in decay.values())
    return (
        f"decay and none: {same} of {len(pairs)} pairs identical to the bit (every loss, every accuracy, the "
        f"LKG's weights);\nthe treatment is recorded as inert in {inert} of {len(decay)} trials."
    )


def progress(started: float) -> Callable[[SessionEvent], None]:
    """Prints a line for every hundredth of the loops."""
    total = done = 0

    def emit(event: SessionEvent) -> None:
        nonlocal total, done
        if isinstance(event, SessionStart):
            total = sum(META_LOOPS - loops for loops in event.loops)
            print(
                f"{len(event.specs)} trials, {total} loops to go, {event.workers} workers",
                *event.notes,
                sep="\n",
            )
        if isinstance(event, LoopDone):
            done += 1
            if done % max(1, total // 100) == 0:
                spent = time.monotonic() - started
                left = spent * (total - done) / done
                print(f"{done} of {total} loops in {spent:.0f} s, {left:.0f} s left", flush=True)

    return emit


def run(folder: Path, args: argparse.Namespace) -> None:
    """Train every mode and trial to the published number of loops, resuming from what the folder holds."""
    frustration.train(
        args.architecture,
        MODES,
        trials=args.trials,
        until=META_LOOPS,
        seed=args.seed,
        backend=args.backend,
        threads=args.threads,
        model_dir=folder,
        emit=progress(time.monotonic()),
    )


def parse(arguments: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    known = " or ".join(PUBLISHED)
    parser.add_argument("--architecture", default="[1*32]", help=f"{known} (default: [1*32])")
    place = parser.add_mutually_exclusive_group()
    place.add_argument("--model-dir", type=Path, help="keep the checkpoints here, and resume from them")
    place.add_argument(
        "--from", type=Path, dest="folder", help="train nothing; read the records in this folder"
    )
    parser.add_argument(
        "--trials", type=int, default=PUBLISHED_TRIALS, help="trials of each mode (default: 10)"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--backend")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args(arguments)
    if str(frustration.Architecture.parse(args.architecture)) not in PUBLISHED:
        parser.error(f"the published row of {args.architecture} is not in this script; it has {known}")
    if args.trials < 2:
        parser.error("a standard deviation needs two trials or more")
    return args


def main(arguments: Sequence[str] | None = None) -> int:
    args = parse(arguments)
    architecture = frustration.Architecture.parse(args.architecture)
    with contextlib.ExitStack() as stack:
        folder = args.folder or args.model_dir or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        if not args.folder:
            run(folder, args)
        found = read_records(folder, architecture)
        lacking = [mode for mode in MODES if len(found[mode]) < 2]
        if lacking:
            print(f"{folder} holds fewer than two finished trials of {', '.join(lacking)}", file=sys.stderr)
            return 2
        decay = about_decay(found)
    rows = [
        compare(mode, [one.record.bounty or 0.0 for one in found[mode].values()], *published)
        for mode, published in zip(MODES, PUBLISHED[str(architecture)], strict=True)
    ]
    print(f"\n{architecture}, {META_LOOPS} meta-loops: bounty in percent of validation, mean (std, ddof 0)")
    print(report(rows))
    print(
        "SE: standard error of the difference, sqrt(s1^2/n1 + s2^2/n2), stds s with ddof 1; published n = 10."
    )
    print(decay)
    return 0 if all(row.agrees for row in rows) else 1


def _read(path: Path) -> frustration.TrialRecord:
    return frustration.read_record(path.read_bytes()).record()


if __name__ == "__main__":
    sys.exit(main())
