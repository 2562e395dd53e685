"""Studies: time per trial against their size, and how busy the workers are on a mixed grid.

    .venv/bin/python benchmarks/studies.py size --plot docs/images/study-size.png
    .venv/bin/python benchmarks/studies.py queue
    .venv/bin/python benchmarks/studies.py busy

`size` runs studies of [8*8] to their ends and counts the CPU time of all processes. `queue` measures what the
groups of 20 architectures cost, and lets workers that are only simulated take them in the order in which a
study gives them out. `busy` really runs such a grid and looks when each group was given out and came back,
which says something on a machine that does nothing else.
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

from frustration.runners.events import StudyStart
from frustration.study.architecture_sets import SETS
from frustration.study.definition import Study
from frustration.study.estimate import estimate
from frustration.study.run import Claims, Prepared, prepare, run_study
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


def queue(workers: int) -> float:
    """Workers x wall over the sum of work for the mixed grid at its published size, simulated.

    What a group costs is measured; that the groups are taken in the order of the plan, not of the costs
    measured here, is what a run does too.
    """
    study = study_of("mixed", MIXED, 10, 100, ["none", "decay", "dropout", "full", "hidden", "output"])
    prepared = prepare(study)
    if not COSTS:
        COSTS.extend(cost.seconds for cost in estimate(prepared, prepared.groups, 1).costs)
    ends = [0.0] * workers
    for seconds in COSTS:
        ends[ends.index(min(ends))] += seconds
    return workers * max(ends) / sum(COSTS)


COSTS: list[float] = []


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
    parser.add_argument("what", choices=("size", "queue", "busy"))
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--loops", type=int, default=3)
    parser.add_argument("--trials", type=int, default=2, help="of the mixed grid")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    for name, fact in facts().items():
        print(f"{name}: {fact}", flush=True)
    if options.what == "size":
        CLOCK.watch(Claims)
        rows = sizes(options.loops, options.workers)
        table = [
            (n, f"{cpu:.1f}", f"{1000 * cpu / n / options.loops:.1f}", f"{wall:.1f}") for n, cpu, wall in rows
        ]
        headers = ["trials of [8*8]", "CPU s", "CPU ms per trial and loop", "wall s"]
        print(tabulate(table, headers=headers, disable_numparse=True))
        if options.plot:
            plot(rows, options.loops, options.plot)
    elif options.what == "queue":
        for workers in (2, 8, 32):
            ratio = queue(workers)
            print(
                f"{len(MIXED)} architectures, {len(COSTS)} groups, {sum(COSTS) / 3600:.1f} core-hours, "
                f"{workers} workers: workers x wall / work = {ratio:.3f}",
                flush=True,
            )
    else:
        CLOCK.watch(Claims)
        after, whole, work = busy(options.trials, options.loops, options.workers)
        print(
            f"{len(MIXED)} architectures, {options.workers} workers, {work:.0f} s of work: workers x wall / "
            f"work = {after:.3f} from the first group on, {whole:.3f} with the start of the workers"
        )


if __name__ == "__main__":
    main()
