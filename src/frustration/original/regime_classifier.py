"""The original project's functions for training regimes, under their names and with their words.

They follow the rules of its code, which its published map used; `frustration.statistics.regimes` has both
rule sets and says how stable a label is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np

from frustration.architecture import Architecture
from frustration.original.published import read_trials_file
from frustration.original.tables import SIX, plain_name
from frustration.report.chance_level import MNIST
from frustration.statistics import regimes
from frustration.study.architecture_sets import architectures

WORDS: Final = {
    regimes.FAILURE: "untrainable",
    regimes.BENEFICIAL: "beneficial-regularization",
    regimes.SIZED: "optimally-sized",
    regimes.CHAOTIC: "chaotic-optimization",
    regimes.UNKNOWN: "unknown",
    regimes.NOT_JUDGED: "unknown",
}

Metrics = Mapping[str, Mapping[str, Mapping[str, float]]]
"""`1x2048` -> mode -> mean, std, min, max."""


def parse_trial_data(trials_file: Path) -> dict[str, list[dict[str, float]]]:
    """`1x2048` -> a dictionary by mode for each trial; modes without a value are left out."""
    found: dict[str, dict[int, dict[str, float]]] = {}
    for cell in read_trials_file(trials_file).cells:
        rows = found.setdefault(_key(cell.architecture), {})
        for trial, bounty in zip(cell.trial.tolist(), cell.bounty.tolist(), strict=True):
            rows.setdefault(trial, {})[cell.label] = bounty
    return {key: [rows[trial] for trial in sorted(rows)] for key, rows in found.items()}


def calculate_summary_metrics(
    trial_results: Mapping[str, Sequence[Mapping[str, float]]],
) -> dict[str, dict[str, dict[str, float]]]:
    """Mean, std (ddof 0), min and max of every mode."""
    metrics: dict[str, dict[str, dict[str, float]]] = {}
    for key, trials in trial_results.items():
        for mode in SIX:
            values = np.array([trial[mode] for trial in trials if mode in trial])
            if values.size:
                metrics.setdefault(key, {})[mode] = {
                    "mean": float(values.mean()),
                    "std": float(values.std()),
                    "min": float(values.min()),
                    "max": float(values.max()),
                }
    return metrics


def classify_regime(arch_key: str, metrics: Metrics) -> str:
    """The regime of `1x2048`; "unknown" unless all six modes were tried, as the original has it."""
    found = metrics.get(arch_key, {})
    if any(mode not in found for mode in SIX):
        return "unknown"
    summaries = {mode: (found[mode]["mean"], found[mode]["std"], found[mode]["max"]) for mode in SIX}
    return WORDS[regimes.regime_of_summaries(summaries, MNIST.zero_r_validation, "code").label]


def get_all_regime_classifications(configurations_file: Path, trials_file: Path) -> dict[str, str]:
    """`1*2048` -> regime, for every architecture in a file with one a line."""
    metrics = calculate_summary_metrics(parse_trial_data(trials_file))
    wanted = architectures([f"@{configurations_file.name}"], configurations_file.parent)
    return {plain_name(one): classify_regime(_key(one), metrics) for one in wanted}


def _key(architecture: Architecture) -> str:
    return architecture.safe
