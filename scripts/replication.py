"""The published grid, run again: the rows that are kept in the repository, and every table made of them.

python scripts/replication.py tables                     the tables of docs/replication.md, made anew
python scripts/replication.py tables --check             whether they are those of the rows
python scripts/replication.py verify 60                  train so many of the rows again, to the bit
python scripts/replication.py keep results/paper-98      keep the rows of a study, its manifest and report
"""

from __future__ import annotations

import sys
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from compare_with_published import MODES, PUBLISHED, compare
from published_rows import Published, Row

from frustration.report.chance_level import MNIST
from frustration.statistics.regimes import regime

PAPER = Published("paper-98", "replication")
GPU_HOURS = 869.5
"""Billed for the published grid, on T4s."""


def tables(rows: Sequence[Row]) -> str:
    """Everything between the two marks of the page."""
    by_cell: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_cell[row.architecture, row.mode].append(row)
    done = list(dict.fromkeys(row.architecture for row in reversed(rows)))  # the cheapest first
    parts = (_run(rows, done), _published(by_cell), _regimes(by_cell, done), _cells(by_cell, done))
    return "\n\n".join("\n".join(part) for part in parts)


def _run(rows: Sequence[Row], done: Sequence[str]) -> Iterator[str]:
    hours = sum(row.seconds for row in rows) / 3600
    twins = sum(row.twin for row in rows)
    yield "### What was run"
    yield ""
    yield (
        f"{len(done)} of the 98 architectures, the cheapest first: {len(rows):,} trials of 100 loops, "
        f"{hours:.1f} core-hours. {twins:,} of them were not trained: `decay` as published is `none` "
        f"to the bit. The published grid was billed {GPU_HOURS} GPU-hours for all 98."
    )


def _published(by_cell: dict[tuple[str, str], list[Row]]) -> Iterator[str]:
    yield "### Beside the published means"
    yield ""
    yield "Mean bounty of ten trials, percent: ours, and the published one in brackets."
    yield ""
    yield f"| network | {' | '.join(MODES)} |"
    yield "|---" * (len(MODES) + 1) + "|"
    for architecture, cells_of_paper in PUBLISHED.items():
        cells = [
            f"{_mean(by_cell[architecture, mode], 'bounty'):.2f} ({mean:.2f})"
            if by_cell.get((architecture, mode))
            else f"not run ({mean:.2f})"
            for mode, (mean, _) in zip(MODES, cells_of_paper, strict=True)
        ]
        yield f"| `{architecture}` | {' | '.join(cells)} |"
    errors = [
        abs(one.difference) / one.standard_error
        for architecture, cells_of_paper in PUBLISHED.items()
        for mode, (mean, std) in zip(MODES, cells_of_paper, strict=True)
        if (rows := by_cell.get((architecture, mode)))
        for one in [compare(mode, [row.bounty for row in rows], mean, std)]
    ]
    yield ""
    yield f"The largest of these {len(errors)} differences is {max(errors):.1f} standard errors."


def _regimes(by_cell: dict[tuple[str, str], list[Row]], done: Sequence[str]) -> Iterator[str]:
    counts: Counter[str] = Counter()
    accuracies: dict[str, list[float]] = defaultdict(list)
    for architecture in done:
        bounties = {
            m: np.array([r.bounty for r in rows]) for (a, m), rows in by_cell.items() if a == architecture
        }
        label = regime(bounties, MNIST.zero_r_validation).label
        counts[label] += 1
        accuracies[label] += [_mean(by_cell[architecture, "none"], "test_accuracy")]
    yield "### By regime"
    yield ""
    yield "Regimes by the rules of the paper; test accuracy of `none`, mean of ten trials."
    yield ""
    yield "| regime | architectures | lowest | median | highest |"
    yield "|---|---|---|---|---|"
    for label, count in counts.most_common():
        low, middle, high = np.quantile(accuracies[label], (0, 0.5, 1))
        yield f"| {label} | {count} | {low:.2f} | {middle:.2f} | {high:.2f} |"


def _cells(by_cell: dict[tuple[str, str], list[Row]], done: Sequence[str]) -> Iterator[str]:
    modes = list(dict.fromkeys(mode for _, mode in by_cell))
    yield "### Every cell"
    yield ""
    yield "Mean test accuracy of the LKG, percent, and in brackets the mean bounty."
    yield ""
    yield f"| network | {' | '.join(modes)} | CPU minutes |"
    yield "|---" * (len(modes) + 2) + "|"
    for architecture in done:
        cells = [by_cell.get((architecture, mode), []) for mode in modes]
        shown = [
            f"{_mean(c, 'test_accuracy'):.2f} ({_mean(c, 'bounty'):.2f})" if c else "not run" for c in cells
        ]
        minutes = sum(row.seconds for cell in cells for row in cell) / 60
        yield f"| `{architecture}` | {' | '.join(shown)} | {minutes:.1f} |"


def _mean(rows: Sequence[Row], name: str) -> float:
    return float(np.mean([getattr(row, name) for row in rows]))


if __name__ == "__main__":
    sys.exit(PAPER.main(__doc__, lambda: tables(PAPER.read())))
