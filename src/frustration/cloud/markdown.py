"""Summary and trials in the original's markdown, which users' scripts read.

Accuracies are bounties: the best validation accuracy of each trial, in percent. The standard deviation
divides by n (ddof 0), as in the published tables.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from frustration.architecture import LINEAR, Architecture
from frustration.cloud.original_layout import MODES, OriginalCell
from frustration.study.definition import Study
from frustration.study.store import Store

SUMMARY, TRIALS = "psa_simplemlp_summary.md", "psa_simplemlp_trials.md"
Cells = Mapping[Architecture, Mapping[str, Mapping[int, float | None]]]
"""Architecture -> mode -> number of the trial, from 0 -> bounty."""


def of_study(store: Store, study: Study) -> dict[str, Cells]:
    """The trials of a store in the study's order, by the folder of their setting; no name if there is one."""
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
    return {_folder(*axis) if len(axes) > 1 else "": grids[axis] for axis in axes}


def _folder(dataset: str, train_fraction: float, learning_rate: float) -> str:
    """`mnist-lr0.0001`, with the fraction of training images behind it where that is not 1."""
    part = "" if train_fraction == 1.0 else f"-fraction{train_fraction:g}"
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{dataset}-lr{learning_rate:g}{part}")


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
    """One block an architecture, one line a mode; each block ends in a blank line, as readers expect."""
    blocks = []
    for architecture, modes in cells.items():
        lines = [_summary_line(mode, modes[mode].values()) for mode in _in_order(modes)]
        if any(lines):
            head = f"Results Shape {{{_bare(architecture)}}} Parameters {{{architecture.parameters()}}}"
            blocks.append("\n".join([head, *filter(None, lines)]) + "\n")
    return "\n".join([*blocks, ""])


def trials(cells: Cells) -> str:
    """One table an architecture, one row a trial, the original's six modes first."""
    extra = dict.fromkeys(mode for modes in cells.values() for mode in modes if mode not in MODES)
    columns = [*MODES, *extra]
    blocks = []
    for architecture, modes in cells.items():
        known = [number for found in modes.values() for number, value in found.items() if value is not None]
        if not known:
            continue
        rows = [
            _row([str(number + 1), *(_percent(modes.get(mode, {}).get(number)) for mode in columns)])
            for number in range(max(known) + 1)
        ]
        head = [_row(["Trial", *map(_title, columns)]), f"|{'|'.join([':-----:'] * (len(columns) + 1))}|"]
        blocks.append("\n".join([f"### Architecture: {_bare(architecture)}", "", *head, *rows]) + "\n")
    return "\n".join(blocks)


def _summary_line(mode: str, values: Iterable[float | None]) -> str:
    """Empty where no trial has a bounty."""
    known = [value for value in values if value is not None]
    if not known:
        return ""
    mean, std = statistics.fmean(known), statistics.pstdev(known)
    return (
        f"* {_title(mode)}: Mean={mean:.2f}% | Std={std:.2f}% | Min={min(known):.2f}% | "
        f"Max={max(known):.2f}% (n={len(known)})"
    )


def _in_order(modes: Iterable[str]) -> list[str]:
    """The original's six in its order, then the others."""
    named = list(modes)
    return [*(mode for mode in MODES if mode in named), *(mode for mode in named if mode not in MODES)]


def _title(mode: str) -> str:
    return mode.capitalize() if mode in MODES else mode.replace("|", "/")


def _percent(value: float | None) -> str:
    return "N/A" if value is None else f"{value:.2f}%"


def _row(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _bare(architecture: Architecture) -> str:
    return str(architecture)[1:-1] or LINEAR
