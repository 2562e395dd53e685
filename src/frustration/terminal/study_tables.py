"""Tables of a study, from the summaries of its records: results, and the cost of what is missing."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from frustration.metric import ACCURACY
from frustration.references import ProblemReference
from frustration.report.formatting import DASH, listed, many, mean, spread
from frustration.runners.meter import clock_face
from frustration.study import manifest
from frustration.terminal.table import SIZES, plain_table, sizes

if TYPE_CHECKING:
    from rich.table import Table

    from frustration.metric import Metric
    from frustration.study.definition import Study
    from frustration.study.estimate import Estimate
    from frustration.study.store import Store

AXES = ("architecture", "dataset", "train_fraction", "learning_rate", "mode")
HEADERS = {
    "architecture": "architecture",
    "dataset": "data set",
    "train_fraction": "fraction",
    "learning_rate": "lr",
    "mode": "mode",
}


def cells(study: Study) -> list[dict[str, Any]]:
    """The grid's cells in the study's order, each as the values of its axes."""
    digests = study.no_digests()
    from dataclasses import replace

    return [
        {
            "architecture": str(spec.architecture),
            "dataset": spec.dataset,
            "train_fraction": spec.train_fraction,
            "learning_rate": spec.learning_rate,
            "mode": spec.label,
        }
        for spec in replace(study, trials=1).specs(digests)
    ]


def main_table(study: Study, store: Store, own: Sequence[dict[str, Any]]) -> Table:
    """One row per cell, from the lines of `own_lines`; axes with one value only have no column."""
    found: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    for line in own:
        found.setdefault(_key(line), []).append(line)
    failed: dict[tuple[Any, ...], int] = {}
    for key in _failed_cells(store):
        failed[key] = failed.get(key, 0) + 1
    grid = cells(study)
    shown = [
        axis for axis in AXES if axis in ("architecture", "mode") or len({cell[axis] for cell in grid}) > 1
    ]
    headers = [HEADERS[axis] for axis in shown]
    metrics = metrics_of(study)
    units = {metric.unit for metric in metrics.values()}
    unit = f" {units.pop()}".rstrip() if len(units) == 1 else ""
    headers += ["n", f"bounty{unit}\nmean ± std", "at\nloop", f"LKG test{unit}\nmean ± std", "accepted\n%"]
    # Where networks can grow, they are not comparable without what they cost.
    sized = any(line.get("dendrites") is not None for lines in found.values() for line in lines)
    headers += SIZES if sized else []
    headers += ["note"]
    table = plain_table(*headers, left=(*range(len(shown)), len(headers) - 1))
    for cell in grid:
        key = _key(cell)
        lines = found.get(key, [])
        note = note_of(lines, failed.get(key, 0))
        table.add_row(
            *(f"{cell[axis]}" for axis in shown),
            *_numbers(lines, study, metrics[cell["architecture"]]),
            *(_sizes(lines) if sized else ()),
            note,
        )
    return table


def own_lines(study: Study, store: Store) -> list[dict[str, Any]]:
    """The summaries of the trials that the study has; damaged records and trials of others are named."""
    lines = store.summaries(complain)
    if said := manifest.damage(store.root):
        complain(said)
    digests = manifest.data_digests(store.root)
    if digests.keys() >= set(study.data_axes()):
        ids = {spec.id for spec in study.specs(digests)}
        own = [line for line in lines if line["id"] in ids]
    else:  # nothing says which data it was run with
        loops = dict(enumerate(study.loops_by_trial or [study.meta_loops] * study.trials))
        own = [
            line
            for line in lines
            if (line["seed"], line["meta_loops"]) == (study.seed, loops.get(line["trial"]))
        ]
    if others := len(lines) - len(own):
        complain(f"left out: {many(others, 'trial')} of other data or settings than {study.name} has")
    return own


def metrics_of(study: Study) -> dict[str, Metric]:
    """The metric of each architecture or problem, by its name."""
    return {
        str(subject): subject.metric if isinstance(subject, ProblemReference) else ACCURACY
        for subject in study.subjects
    }


def complain(sentence: str) -> None:
    """Print to stderr, which leaves the table on stdout clean."""
    print(f"study: {sentence}", file=sys.stderr)


def _numbers(lines: Sequence[Mapping[str, Any]], study: Study, metric: Metric) -> list[str]:
    loops = [line["bounty_loop"] for line in lines if line["bounty_loop"] is not None]
    accepted = sum(line["accepted"] for line in lines)
    every = sum(line.get("loops", line["meta_loops"]) for line in lines)
    return [
        str(len(lines))
        if len(lines) in (study.trials, study.analysis.pilot)
        else f"{len(lines)}/{study.trials}",
        spread([line["bounty"] for line in lines], metric),
        mean(loops),
        spread([line["test_accuracy"] for line in lines], metric),
        f"{100 * accepted / every:.0f}" if every else DASH,
    ]


def _sizes(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    grown = [line["dendrites"] for line in lines if line.get("dendrites") is not None]
    return sizes(grown, [line["parameters"] for line in lines], [line["flops"] for line in lines])


def note_of(lines: Sequence[Mapping[str, Any]], failed: int) -> str:
    """`inert 8, diverged 1, failed 2`: in how many trials."""
    counts = {
        "inert": sum(bool(line["inert"]) for line in lines),
        "diverged": sum(bool(line["diverged"]) for line in lines),
        "failed": failed,
    }
    return ", ".join(f"{what} {count}" for what, count in counts.items() if count)


def _key(cell: Mapping[str, Any]) -> tuple[Any, ...]:
    return tuple(cell[axis] for axis in AXES)


def _failed_cells(store: Store) -> Iterable[tuple[Any, ...]]:
    from frustration.record_reading import RecordError, read_spec

    for failure in store.failures():
        try:
            spec = read_spec(failure["spec"])
        except RecordError as error:
            complain(f"the failure of {failure['id']} cannot be counted: {error}")
            continue
        yield (str(spec.architecture), spec.dataset, spec.train_fraction, spec.learning_rate, spec.label)


def plan_table(study: Study, estimate: Estimate) -> Table:
    """Core time per architecture, in the study's order."""
    table = plain_table("architecture", "trials", "core time", "share %")
    trials: dict[str, int] = {}
    for cost in estimate.costs:
        trials[cost.architecture] = trials.get(cost.architecture, 0) + cost.trials
    found = estimate.by_architecture()
    for architecture, seconds in ((str(a), found[str(a)]) for a in study.subjects if str(a) in found):
        share = 100 * seconds / estimate.core_seconds if estimate.core_seconds else 0.0
        table.add_row(
            architecture, f"{trials[architecture]:,}", duration(seconds) if seconds else DASH, f"{share:.1f}"
        )
    return table


def estimate_line(estimate: Estimate) -> str:
    """`estimate: 0.04 core-hours, 1:12 on 2 workers, 13 MB of memory, 2 MB of disk`, and what it lacks."""
    workers = "1 worker" if estimate.workers == 1 else f"{estimate.workers} workers"
    hours = estimate.core_seconds / 3600
    raised = [f"{many(trials, 'trial')} of {name}" for name, trials in estimate.unmeasured.items()]
    return (
        f"estimate: {hours:,.0f} core-hours, " if hours >= 100 else f"estimate: {hours:.2g} core-hours, "
    ) + (
        f"{duration(estimate.wall_seconds)} on {workers} with a core each, "
        f"{size(estimate.memory)} of memory beside the data, {size(estimate.disk)} of disk"
        + (f"; without {listed(raised)}, which cannot be measured" if raised else "")
    )


def duration(seconds: float) -> str:
    """`1:12`, `2:03:40`, or from two days on `2.5 days`."""
    return f"{seconds / 86400:.1f} days" if seconds >= 2 * 86400 else clock_face(seconds)


def size(count: float) -> str:
    """Bytes as people say them."""
    for unit in ("kB", "MB", "GB"):
        count /= 1000
        if count < 999.5 or unit == "GB":
            break
    return f"{count:.{0 if count >= 10 else 1}f} {unit}"
