"""Studies: time per trial against their size, and how busy the workers are on a mixed grid.

    .venv/bin/python benchmarks/studies.py [--plot docs/images/study-size.png]

Small studies of [8*8] are run to their ends, then a grid of 20 architectures. On a machine that is shared,
wall-clock time says little: time per trial is CPU time of all processes, and the share of idle workers is
taken from when each group was given out and when it came back.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from machine import facts
from tabulate import tabulate

from frustration.study.definition import Study
from frustration.study.run import Claims, Prepared, StudyStart, prepare, run_study
from frustration.study.sets import SETS
from frustration.study.store import Store

SIZES = (10, 100, 1_000)
MIXED = tuple(str(one) for one in SETS["paper-98"][::5])
"""Every fifth of the published grid: 20 architectures, shallow to deep."""


def cpu_seconds() -> float:
    """Of this process and of all that it has started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


@dataclass
class Clock:
    """When the groups of a run were given out and came back."""

    began: float = 0.0
    given: dict[int, float] = field(default_factory=dict)
    spans: list[tuple[float, float]] = field(default_factory=list)

    def watch(self, claims: type[Claims]) -> None:
        take, finished = claims.take, claims.finished

        def watched_take(this: Claims) -> Any:
            group = take(this)
            if group is not None:
                self.given[id(group)] = time.monotonic()
            return group

        def watched_finished(this: Claims, group: Any) -> None:
            self.spans.append((self.given.pop(id(group)), time.monotonic()))
            finished(this, group)

        claims.take, claims.finished = watched_take, watched_finished  # type: ignore[method-assign]

    def emit(self, event: object) -> None:
        if isinstance(event, StudyStart):
            self.began, self.given, self.spans = time.monotonic(), {}, []


CLOCK = Clock()


def run(prepared: Prepared, workers: int) -> float:
    """CPU seconds of the whole run, preparation aside."""
    with tempfile.TemporaryDirectory() as folder:
        before = cpu_seconds()
        outcome = run_study(prepared, Store(Path(folder) / "study"), workers=workers, emit=CLOCK.emit)
        assert outcome.done == outcome.total
        return cpu_seconds() - before


def study_of(name: str, architectures: tuple[str, ...], trials: int, loops: int, modes: list[str]) -> Study:
    listed = ", ".join(f'"{one}"' for one in architectures)
    words = ", ".join(f'"{one}"' for one in modes)
    return Study.from_toml(
        f'name = "{name}"\narchitectures = [{listed}]\nmodes = [{words}]\ntrials = {trials}\n'
        f"meta_loops = {loops}\n"
    )


def sizes(loops: int, workers: int) -> list[tuple[int, float, float]]:
    """(trials, CPU seconds, wall seconds) of studies of [8*8]."""
    rows = []
    for size in SIZES:
        prepared = prepare(study_of("size", ("[8*8]",), size, loops, ["hidden"]))
        seconds = run(prepared, workers)
        rows.append((size, seconds, CLOCK.spans[-1][1] - CLOCK.began))
    return rows


def busy(trials: int, loops: int, workers: int) -> tuple[float, float, float]:
    """Workers x wall over the sum of work: from the first group on, and with the start; and that sum."""
    study = study_of("mixed", MIXED, trials, loops, ["none", "dropout", "hidden"])
    run(prepare(study), workers)
    work = sum(end - start for start, end in CLOCK.spans)
    first, last = min(start for start, _ in CLOCK.spans), max(end for _, end in CLOCK.spans)
    return workers * (last - first) / work, workers * (last - CLOCK.began) / work, work


def plot(rows: list[tuple[int, float, float]], loops: int, path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5, 3.2), layout="constrained")
    axes.plot([row[0] for row in rows], [1000 * row[1] / row[0] / loops for row in rows], "o-", color="black")
    axes.set(
        xscale="log",
        ylim=(0, None),
        xlabel="trials in the study ([8*8], hidden)",
        ylabel="CPU ms per trial and loop",
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, dpi=150, metadata={"Software": None})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--mixed-trials", type=int, default=2)
    parser.add_argument("--mixed-loops", type=int, default=2)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    for name, fact in facts().items():
        print(f"{name}: {fact}", flush=True)
    CLOCK.watch(Claims)
    rows = sizes(options.loops, options.workers)
    table = [
        (n, f"{cpu:.1f}", f"{1000 * cpu / n / options.loops:.1f}", f"{wall:.1f}") for n, cpu, wall in rows
    ]
    headers = ["trials of [8*8]", "CPU s", "CPU ms per trial and loop", "wall s (shared machine)"]
    print(tabulate(table, headers=headers, disable_numparse=True), flush=True)
    if options.plot:
        plot(rows, options.loops, options.plot)
    after, whole, work = busy(options.mixed_trials, options.mixed_loops, options.workers)
    print(
        f"\n{len(MIXED)} architectures, {options.workers} workers, {work:.0f} s of work: "
        f"workers x wall / work = {after:.3f} from the first group on, "
        f"{whole:.3f} with the start of the workers"
    )


if __name__ == "__main__":
    main()
