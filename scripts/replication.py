"""The published grid, run again: the rows that are kept in the repository, and every table made of them.

python scripts/replication.py tables                     the tables of docs/replication.md, made anew
python scripts/replication.py tables --check             whether they are those of the rows
python scripts/replication.py verify 60                  train so many of the rows again, to the bit
python scripts/replication.py keep results/paper-98      keep the rows of a study, its manifest and report
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import io
import json
import lzma
import random
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np
from compare_with_published import MODES, PUBLISHED, compare

from frustration.architecture import Architecture
from frustration.dataset import load
from frustration.engine.backends import backend_named, choose
from frustration.record import TrialRecord
from frustration.report.chance_level import MNIST
from frustration.report.writing import write_study
from frustration.spec import TrialSpec
from frustration.statistics.regimes import regime
from frustration.study.manifest import manifest_path
from frustration.study.presets import preset
from frustration.study.store import Store
from frustration.study.verify import train_alone

ROWS = Path(__file__).parents[1] / "results/published/paper-98.csv.xz"
MANIFEST, REPORT = ROWS.with_name("paper-98.manifest.json"), ROWS.with_name("paper-98.html")
PAGE = Path(__file__).parents[1] / "docs/replication.md"
BEGIN, END = "<!-- tables: scripts/replication.py -->", "<!-- end of tables -->"
GPU_HOURS = 869.5
"""Billed for the published grid, on T4s."""


@dataclass(frozen=True)
class Row:
    """What is kept of one trial."""

    architecture: str
    mode: str
    trial: int
    bounty: float
    bounty_loop: int
    test_accuracy: float
    seconds: float
    twin: int
    """1 where it was not trained, because its control is the same computation."""
    curve: str
    """16 digits of the SHA-256 over every number of every loop."""

    @classmethod
    def of(cls, record: TrialRecord) -> Row:
        return cls(
            architecture=str(record.spec.architecture),
            mode=record.spec.label,
            trial=record.spec.trial,
            bounty=record.bounty or 0.0,
            bounty_loop=record.bounty_loop or 0,
            test_accuracy=record.test_accuracy or 0.0,
            seconds=round(record.seconds, 1),
            twin=int(record.twin_of is not None),
            curve=_digest(record),
        )

    @property
    def result(self) -> tuple[float, int, float, str]:
        return self.bounty, self.bounty_loop, self.test_accuracy, self.curve


def _digest(record: TrialRecord) -> str:
    curve = [entry.to_dict() for entry in record.curve]
    return hashlib.sha256(json.dumps(curve, sort_keys=True).encode()).hexdigest()[:16]


def read_rows(path: Path = ROWS) -> list[Row]:
    """All kept rows, in the order of the file."""
    text = lzma.decompress(path.read_bytes()).decode()
    kinds = {field.name: {"str": str, "int": int, "float": float}[str(field.type)] for field in fields(Row)}
    return [Row(**{k: kinds[k](v) for k, v in line.items()}) for line in csv.DictReader(io.StringIO(text))]


def keep(root: Path) -> str:
    """Write the rows of the study's finished trials, its manifest and the page of its report."""
    study = preset("paper-98")
    order = {str(architecture): at for at, architecture in enumerate(reversed(study.architectures))}
    rows = sorted(
        map(Row.of, Store(root).records(print)),
        key=lambda row: (order[row.architecture], study.modes.index(row.mode), row.trial),
    )
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    writer.writerows(map(asdict, rows))
    ROWS.parent.mkdir(parents=True, exist_ok=True)
    ROWS.write_bytes(lzma.compress(text.getvalue().encode(), preset=9))
    MANIFEST.write_bytes(manifest_path(root).read_bytes())
    REPORT.write_bytes(write_study(root).read_bytes())
    return f"{len(rows):,} rows, {ROWS.stat().st_size:,} bytes"


def tables(rows: Sequence[Row]) -> str:
    """Everything between the two marks of the page."""
    by_cell: dict[tuple[str, str], list[Row]] = defaultdict(list)
    for row in rows:
        by_cell[row.architecture, row.mode].append(row)
    done = list(dict.fromkeys(row.architecture for row in rows))
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


def write_page(check: bool) -> int:
    page = PAGE.read_text("utf-8")
    pattern = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.S)
    made = pattern.sub(lambda _: f"{BEGIN}\n\n{tables(read_rows())}\n\n{END}", page)
    if check:
        print("the tables are those of the rows" if made == page else f"{PAGE} is not what the rows give")
        return int(made != page)
    PAGE.write_text(made, "utf-8")
    return 0


def verify(count: int, seed: int, most_seconds: float, say: Callable[[str], None] = print) -> int:
    """Train some of the rows again, alone; how many differ in any bit. The dearest may be left out."""
    affordable = [row for row in read_rows() if row.seconds <= most_seconds]
    drawn = random.Random(seed).sample(affordable, min(count, len(affordable)))
    data, study = load("mnist"), preset("paper-98")
    backend = backend_named(*choose(None, None))
    differing = 0
    for number, row in enumerate(drawn, start=1):
        spec = TrialSpec.of(
            Architecture.parse(row.architecture),
            row.mode,
            trial=row.trial,
            seed=study.seed,
            dataset_digest=data.digest,
            meta_loops=study.meta_loops,
        )
        same = Row.of(train_alone(spec, data, backend)).result == row.result
        differing += not same
        what = "the same bits" if same else "OTHER BITS"
        say(f"{number}/{len(drawn)} {row.architecture} {row.mode} trial {row.trial}: {what}")
    say(f"{len(drawn) - differing} of {len(drawn)} the same to the bit")
    return differing


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("keep").add_argument("study", type=Path)
    commands.add_parser("tables").add_argument("--check", action="store_true")
    again = commands.add_parser("verify")
    again.add_argument("count", type=int)
    again.add_argument("--seed", type=int, default=0)
    again.add_argument(
        "--most-seconds", type=float, default=float("inf"), help="leave out rows that took longer to train"
    )
    options = parser.parse_args(arguments)
    if options.command == "keep":
        print(keep(options.study))
        return 0
    if options.command == "tables":
        return write_page(options.check)
    return int(verify(options.count, options.seed, options.most_seconds) > 0)


if __name__ == "__main__":
    sys.exit(main())
