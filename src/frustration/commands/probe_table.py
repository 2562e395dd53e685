"""The table at the end of `probe`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from frustration.commands.study_tables import cells
from frustration.commands.tables import plain_table
from frustration.report.formatting import number

if TYPE_CHECKING:
    from rich.table import Table

    from frustration.probes.read import Floats, Probes
    from frustration.study.definition import Study

COLUMNS = (
    ("test_accuracy", "test %", 2),
    ("knockout_area", "knock-outs\narea %", 2),
    ("weight_noise_area", "weight\nnoise %", 2),
    ("corruption_mean", "corrup-\ntions %", 2),
    ("ece", "ECE %", 2),
    ("dead", "dead\n%", 1),
    ("effective_rank", "rank\n%", 1),
    ("latency_1_us", "µs\nbatch 1", 1),
    ("latency_256_us", "µs\nbatch 256", 1),
)


def table(probes: Probes, study: Study) -> Table:
    """Means over trials, a row for every architecture and mode, in the study's order."""
    cells_ = [(cell["architecture"], cell["mode"]) for cell in cells(study)]
    place = {key: number for number, key in reversed(list(enumerate(cells_)))}
    found: dict[tuple[str, str], list[int]] = {}
    for row, key in enumerate(zip(probes.architecture.tolist(), probes.mode.tolist(), strict=True)):
        found.setdefault(key, []).append(row)
    shown = [column for column in COLUMNS if column[0] in probes.scalars]
    result = plain_table("architecture", "mode", "n", *(head for _, head, _ in shown), left=(0, 1))
    for (architecture, mode), rows in sorted(found.items(), key=lambda one: place.get(one[0], len(place))):
        means = [_mean(probes.scalars[name][rows], digits) for name, _, digits in shown]
        result.add_row(architecture, mode, str(len(rows)), *means)
    return result


def _mean(values: Floats, digits: int) -> str:
    there = values[values == values]  # NaN is what was not measured
    return number(float(there.mean()) if there.size else None, digits)
