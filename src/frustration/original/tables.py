"""The original project's files, in the form that its users' scripts read; equal results give equal bytes.

psa_simplemlp_summary.md, psa_simplemlp_trials.md and, where curves are known, the convergence and the LKG
growth of the trials. They are about bounties. Treatments that the original did not have
follow behind its six: in columns of their own, and in lines of their own.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from frustration.architecture import LINEAR, Architecture
from frustration.report.cells import moments
from frustration.report.results import Cell, Floats, Setting, StudyResults, parameters_of
from frustration.statistics.regimes import ABLATIONS, BASELINES

SIX = (*BASELINES, *ABLATIONS)
"""In the original's order."""
SUMMARY = "psa_simplemlp_summary.md"
TRIALS = "psa_simplemlp_trials.md"
CONVERGENCE = "psa_simplemlp_trials_convergence.md"
GROWTH = "psa_simplemlp_trials_lkg_growth.md"


def original_files(results: StudyResults) -> dict[str, str]:
    """Name -> content, of SimpleMLPs. The form knows one setting only: of several, each gets a folder."""
    files: dict[str, str] = {}
    settings = [setting for setting in results.settings if setting.problem_metric is None]
    for setting in settings:
        cells = [replace(cell, label=cell.whole_label) for cell in results.cells if cell.setting == setting]
        folder = f"{setting_folder(setting)}/" if len(settings) > 1 else ""
        files[folder + SUMMARY] = summary(cells)
        files[folder + TRIALS] = trials(cells)
        if any(cell.curves is not None for cell in cells):
            files[folder + CONVERGENCE] = convergence(cells)
            files[folder + GROWTH] = lkg_growth(cells)
    return files


def setting_folder(setting: Setting) -> str:
    """`mnist-lr0.0001`, with the fraction of training images behind it where that is not 1."""
    part = "" if setting.train_fraction == 1.0 else f"-fraction{setting.train_fraction:g}"
    rate = "chosen-lr" if setting.learning_rate is None else f"lr{setting.learning_rate:g}"
    return re.sub(r"[^A-Za-z0-9._-]+", "_", f"{setting.dataset}-{rate}{part}")


def plain_name(architecture: Architecture) -> str:
    """`1*2048`, as the original writes it."""
    return str(architecture).removeprefix("[").removesuffix("]") or LINEAR


def summary(cells: Sequence[Cell]) -> str:
    """psa_simplemlp_summary.md: mean, std (ddof 0), minimum and maximum of the bounties of every cell."""
    blocks = []
    for architecture, members in _by_architecture(cells).items():
        lines = [
            f"Results Shape {{{plain_name(architecture)}}} Parameters {{{parameters_of(members.values())}}}"
        ]
        for label in _labels(members):
            found = moments(members[label].bounty) if label in members else None
            if found is not None:
                lines.append(
                    f"* {_title(label)}: Mean={found.mean:.2f}% | Std={found.std:.2f}% | "
                    f"Min={found.least:.2f}% | Max={found.most:.2f}% (n={found.n})"
                )
        blocks.append("\n".join(lines) + "\n")
    return "\n".join([*blocks, ""])  # the last block too ends in a blank line, which readers look for


def trials(cells: Sequence[Cell]) -> str:
    """psa_simplemlp_trials.md: every bounty, one row a trial."""
    extra = [label for label in dict.fromkeys(cell.label for cell in cells) if label not in SIX]
    labels = [*SIX, *extra]
    blocks = []
    for architecture, members in _by_architecture(cells).items():
        last = max(int(cell.trial.max()) for cell in members.values() if cell.n)
        bounties = {
            label: dict(zip(cell.trial.tolist(), cell.bounty.tolist(), strict=True))
            for label, cell in members.items()
        }
        rows = [
            [str(trial + 1), *(_percent(bounties.get(label, {}).get(trial)) for label in labels)]
            for trial in range(last + 1)
        ]
        lines = [
            f"### Architecture: {plain_name(architecture)}",
            "",
            _row(["Trial", *map(_title, labels)]),
            f"|{'|'.join([':-----:'] * (len(labels) + 1))}|",
            *map(_row, rows),
        ]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)


def convergence(cells: Sequence[Cell]) -> str:
    """psa_simplemlp_trials_convergence.md: the best validation accuracy of all trials in each loop."""
    return _per_loop(
        "# PSA SimpleMLP Trials - Convergence Analysis",
        ["This table shows the validation accuracy per meta-loop for each architecture and ablation mode."],
        cells,
        lambda cell: _best_of_trials(cell.curves.accuracy) if cell.curves is not None else np.empty(0),
    )


def lkg_growth(cells: Sequence[Cell]) -> str:
    """psa_simplemlp_trials_lkg_growth.md: by how much the best LKG of all trials grew in each loop."""
    return _per_loop(
        "# PSA SimpleMLP Trials - LKG Growth Analysis",
        [
            "This table shows the Last Known Good (LKG) growth per meta-loop for each architecture and "
            "ablation mode.",
            "Values represent the improvement in validation accuracy from the previous LKG (0.0 if no "
            "improvement).",
        ],
        cells,
        _growth,
    )


def _growth(cell: Cell) -> Floats:
    if cell.curves is None:
        return np.empty(0)
    best = _best_of_trials(cell.curves.best)
    return np.concatenate([[0.0], np.diff(best)]) if best.size else best


def _best_of_trials(values: Floats) -> Floats:
    """(trials, loops) -> (loops,); NaN where no trial has the loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the maximum of nothing is NaN, as wanted
        return np.asarray(np.nanmax(values, axis=0)) if len(values) else np.empty(0)


def _per_loop(
    title: str, text: Sequence[str], cells: Sequence[Cell], values: Callable[[Cell], Floats]
) -> str:
    rows: list[tuple[str, str, Floats, str]] = []
    for cell in cells:
        if cell.curves is not None and cell.n:
            known = cell.test_accuracy[np.isfinite(cell.test_accuracy)]
            final = f"{known.mean():.2f}" if known.size else "N/A"
            rows.append((cell.architecture.safe, cell.label.replace("|", "/"), values(cell), final))
    loops = max((len(found) for _, _, found, _ in rows), default=0)
    heads = [f"Meta-Loop {loop}" for loop in range(1, loops + 1)]
    lines = [
        title,
        "",
        *text,
        "",
        _row(["Architecture", "Mode", *heads, "Final Test"]),
        f"|-------------|------|{''.join('---|' for _ in heads)}------------|",
    ]
    for architecture, mode, found, final in sorted(rows, key=lambda row: row[:2]):
        shown = [f"{value:.2f}" if np.isfinite(value) else "N/A" for value in found]
        shown += ["N/A"] * (loops - len(shown))
        lines.append(_row([architecture, mode, *shown, final]))
    return "\n".join(lines) + "\n"


def _by_architecture(cells: Sequence[Cell]) -> dict[Architecture, dict[str, Cell]]:
    found: dict[Architecture, dict[str, Cell]] = {}
    for cell in cells:
        if cell.n:
            found.setdefault(cell.architecture, {})[cell.label] = cell
    return found


def _labels(members: dict[str, Cell]) -> list[str]:
    return [*SIX, *(label for label in members if label not in SIX)]


def _title(label: str) -> str:
    """`None`, `Decay`, … for the original's six."""
    return label.capitalize() if label in SIX else label.replace("|", "/")


def _percent(value: float | None) -> str:
    return "N/A" if value is None or not np.isfinite(value) else f"{value:.2f}%"


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
