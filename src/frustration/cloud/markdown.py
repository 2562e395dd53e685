"""Summary and trials in the original's markdown, which users' scripts read.

Accuracies are bounties: the best validation accuracy of each trial, in percent. The standard deviation
divides by n (ddof 0), as in the published tables.
"""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frustration.architecture import Architecture
from frustration.cloud.original_layout import MODES, OriginalCell
from frustration.study.definition import Study
from frustration.study.store import Store

SUMMARY, TRIALS = "psa_simplemlp_summary.md", "psa_simplemlp_trials.md"
Cells = Mapping[Architecture, Mapping[str, Mapping[int, float | None]]]
"""Architecture -> mode -> number of the trial, from 0 -> bounty."""


def of_study(store: Store, study: Study) -> dict[str, Cells]:
    """The trials of a store in the study's order, by setting; the key of the only setting is empty."""
    axes = list(itertools.product(study.datasets, study.train_fractions, study.learning_rates))
    digests = dict.fromkeys(itertools.product(study.datasets, study.train_fractions), "")
    grids: dict[tuple[Any, ...], dict[Architecture, dict[str, dict[int, float | None]]]] = {}
    for spec in study.specs(digests):
        grid = grids.setdefault((spec.dataset, spec.train_fraction, spec.learning_rate), {})
        grid.setdefault(spec.architecture, {}).setdefault(spec.label, {})[spec.trial] = None
    for line in store.summaries():
        grid = grids.get((line["dataset"], line["train_fraction"], line["learning_rate"]), {})
        trials = grid.get(Architecture.parse(line["architecture"]), {}).get(line["mode"], {})
        if line["trial"] in trials:
            trials[line["trial"]] = line["bounty"]
    names = {axis: "" if len(axes) == 1 else f"{axis[0]}_{axis[1]:g}_lr{axis[2]:g}" for axis in axes}
    return {names[axis]: grids[axis] for axis in axes}


def of_original(cells: Sequence[OriginalCell]) -> Cells:
    """Cells of the original's jobs; every architecture has its six modes."""
    grid: dict[Architecture, dict[str, dict[int, float | None]]] = {}
    for cell in cells:
        modes = grid.setdefault(cell.architecture, {mode: {} for mode in MODES})
        modes[cell.mode] = {number: trial.bounty for number, trial in enumerate(cell.trials)}
    return grid


def joined(records: Cells, original: Cells) -> Cells:
    """Records first: what the original's jobs say only fills cells of which there is no record."""
    grid = {architecture: dict(modes) for architecture, modes in records.items()}
    for architecture, modes in original.items():
        of_architecture = grid.setdefault(architecture, {})
        for mode, found in modes.items():
            if all(value is None for value in of_architecture.get(mode, {}).values()):
                of_architecture[mode] = found or of_architecture.get(mode, {})
    return grid


def summary(cells: Cells) -> str:
    """One block an architecture, one line a mode."""
    blocks = []
    for architecture, modes in cells.items():
        lines = [f"Results Shape {{{_bare(architecture)}}} Parameters {{{architecture.parameters()}}}"]
        lines += [_summary_line(mode, list(trials.values())) for mode, trials in modes.items()]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def trials(cells: Cells) -> str:
    """One table an architecture, one row a trial."""
    blocks = []
    for architecture, modes in cells.items():
        numbers = sorted({number for found in modes.values() for number in found})
        rows = [
            ["Trial", *map(_title, modes)],
            [":-----:"] * (len(modes) + 1),
            *([str(number + 1), *_row(modes, number)] for number in numbers),
        ]
        table = "\n".join(f"| {' | '.join(row)} |" for row in rows)
        blocks.append(f"### Architecture: {_bare(architecture)}\n\n{table}\n")
    return "\n".join(blocks)


def _row(modes: Mapping[str, Mapping[int, float | None]], number: int) -> Iterable[str]:
    for found in modes.values():
        value = found.get(number)
        yield "N/A" if value is None else f"{value:.2f}%"


def _summary_line(mode: str, values: Sequence[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return f"* {_title(mode)}: N/A (n=0)"
    mean, std = statistics.fmean(known), statistics.pstdev(known)
    return (
        f"* {_title(mode)}: Mean={mean:.2f}% | Std={std:.2f}% | Min={min(known):.2f}% | "
        f"Max={max(known):.2f}% (n={len(known)})"
    )


def _title(mode: str) -> str:
    return mode[:1].upper() + mode[1:]


def _bare(architecture: Architecture) -> str:
    return str(architecture).strip("[]")
