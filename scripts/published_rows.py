"""Studies of which the repository keeps the rows: written, read, made into a report again, trained again.

A row is one trial without its loops; a digest stands for every number of every loop.
"""

from __future__ import annotations

import argparse
import csv
import functools
import hashlib
import io
import json
import lzma
import math
import random
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from frustration.dataset import Split, load
from frustration.engine.backends import backend_named, choose
from frustration.probes.read import read_probes
from frustration.record import TrialRecord
from frustration.report.chosen_rates import choose_rates
from frustration.report.results import Cell, Growth, StudyResults
from frustration.report.rows import Identities, course
from frustration.report.writing import write_study
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.manifest import manifest_path
from frustration.study.presets import preset
from frustration.study.store import Store
from frustration.study.verify import train_alone

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "results/published"
PROBED = {
    "knockout_area": ("knockout", "area"),
    "weight_noise_area": ("weight_noise", "area"),
    "corruption_mean": ("corruptions", "mean"),
}
"""Column of a row -> where the report looks for it in a probe."""
BEGIN, END = "<!-- tables: scripts/{}.py -->", "<!-- end of tables -->"


@dataclass(frozen=True, kw_only=True)
class Row:
    """What is kept of one trial."""

    architecture: str
    dataset: str
    dataset_digest: str
    train_fraction: float
    learning_rate: float
    mode: str
    trial: int
    loops: int
    ended_early: int
    bounty: float
    bounty_loop: float
    test_accuracy: float
    parameters: float
    flops: float
    training_flops: float
    """Forward operations per training image over the whole trial."""
    dendrites: int
    """Per neuron, added in the course of the trial; -1 where none could grow."""
    inert: str
    """The treatments that never acted, joined by +."""
    seconds: float
    twin: int
    """1 where it was not trained, because its control is the same computation."""
    course: str
    """A digest of its losses and scores: equal in trials that went alike."""
    curve: str
    """16 digits of the SHA-256 over every number of every loop."""
    knockout_area: float = math.nan
    weight_noise_area: float = math.nan
    corruption_mean: float = math.nan
    """What the kept network withstands, as `frustration probe` measures it; NaN where it was not measured."""

    @classmethod
    def of(cls, record: TrialRecord, probed: Mapping[str, float] = MappingProxyType({})) -> Row:
        spec = record.spec
        return cls(
            architecture=str(spec.architecture),
            dataset=spec.dataset,
            dataset_digest=spec.dataset_digest,
            train_fraction=spec.train_fraction,
            learning_rate=spec.learning_rate,
            mode=spec.label,
            trial=spec.trial,
            loops=record.loop,
            ended_early=int(record.ended_early),
            bounty=_number(record.bounty),
            bounty_loop=_number(record.bounty_loop),
            test_accuracy=_number(record.test_accuracy),
            parameters=float(record.parameters),
            flops=float(record.flops),
            training_flops=float(sum(entry.flops or record.flops for entry in record.curve)),
            dendrites=-1 if record.growth is None else int(record.growth["added"]),
            inert="+".join(record.inert),
            seconds=round(record.seconds, 1),
            twin=int(record.twin_of is not None),
            course=course([one.loss for one in record.curve], [one.accuracy for one in record.curve]),
            curve=_digest(record),
            **probed,
        )

    @property
    def result(self) -> tuple[float, float, float, str]:
        return self.bounty, self.bounty_loop, self.test_accuracy, self.curve


def _measures(row: Row) -> dict[str, dict[str, float]]:
    """What was measured of its network, as a probe's file has it."""
    found = {where: getattr(row, column) for column, where in PROBED.items()}
    return {measure: {field: value} for (measure, field), value in found.items() if not math.isnan(value)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _digest(record: TrialRecord) -> str:
    curve = [entry.to_dict() for entry in record.curve]
    return hashlib.sha256(json.dumps(curve, sort_keys=True).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Published:
    """A preset that was run, and the script that makes the tables of its page."""

    name: str
    script: str

    @property
    def page(self) -> Path:
        return ROOT / f"docs/{self.script}.md"

    @property
    def rows(self) -> Path:
        return FOLDER / f"{self.name}.csv.xz"

    def read(self) -> list[Row]:
        """All kept rows, in the order of the study."""
        text = lzma.decompress(self.rows.read_bytes()).decode()
        kinds = {one.name: {"str": str, "int": int, "float": float}[str(one.type)] for one in fields(Row)}
        lines = csv.DictReader(io.StringIO(text))
        return [Row(**{name: kinds[name](value) for name, value in line.items()}) for line in lines]

    def keep(self, root: Path) -> str:
        """Write the rows of the study's finished trials, its manifest and the page of its report."""
        study = self.study
        order = {str(one): at for at, one in enumerate(study.architectures)}
        modes = list(dict.fromkeys(spec.label for spec in study.specs(study.no_digests())))

        def place(row: Row) -> tuple[Any, ...]:
            data = study.datasets.index(row.dataset), row.train_fraction, row.learning_rate
            return order[row.architecture], *data, modes.index(row.mode), row.trial

        probes = read_probes(root)
        columns = [probes.scalars[name].tolist() for name in PROBED]
        probed = {
            i: dict(zip(PROBED, one, strict=True)) for i, *one in zip(probes.ids, *columns, strict=True)
        }
        records = Store(root).records(print)
        rows = sorted((Row.of(record, probed.get(record.spec.id, {})) for record in records), key=place)
        text = io.StringIO()
        writer = csv.DictWriter(text, [field.name for field in fields(Row)], lineterminator="\n")
        writer.writeheader()
        writer.writerows(map(asdict, rows))
        FOLDER.mkdir(parents=True, exist_ok=True)
        self.rows.write_bytes(lzma.compress(text.getvalue().encode(), preset=9))
        (FOLDER / f"{self.name}.manifest.json").write_bytes(manifest_path(root).read_bytes())
        (FOLDER / f"{self.name}.html").write_bytes(write_study(root).read_bytes())
        return f"{len(rows):,} rows, {self.rows.stat().st_size:,} bytes"

    @functools.cached_property
    def study(self) -> Study:
        return preset(self.name)

    def spec(self, row: Row) -> TrialSpec:
        """The trial that the row is of."""
        study = self.study
        return TrialSpec.of(
            row.architecture,
            row.mode,
            trial=row.trial,
            seed=study.seed,
            dataset=row.dataset,
            dataset_digest=row.dataset_digest,
            train_fraction=row.train_fraction,
            meta_loops=study.meta_loops,
            learning_rate=row.learning_rate,
            batch_size=study.batch_size,
        )

    def results(self) -> StudyResults:
        """What a report is made from, without the loops."""
        study, identities = self.study, Identities()
        probes = {}
        cells: dict[Any, list[tuple[TrialSpec, Row]]] = {}
        for row in self.read():
            spec = self.spec(row)
            setting, architecture, identity = identities.of(spec.to_dict())
            cells.setdefault((setting, architecture, identity.label), []).append((spec, row))
            if measures := _measures(row):
                probes[spec.id] = {"measures": measures}
        results = StudyResults(
            name=study.name,
            source=self.rows,
            published=False,
            cells=tuple(_cell(identities, trials) for trials in cells.values()),
            expected=study.size,
            plan=study.plan,
            probes=probes,
        )
        return choose_rates(results) if study.plan.choose_rate else results

    def write_tables(self, tables: Callable[[], str], check: bool) -> int:
        """Put the tables between the marks of the page, or say whether they are those already."""
        page, begin = self.page.read_text("utf-8"), BEGIN.format(self.script)
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(END), re.S)
        if not pattern.search(page):
            raise SystemExit(f"{self.page} has no place for the tables: {begin}, and {END} below it")
        made = pattern.sub(lambda _: f"{begin}\n\n{tables()}\n\n{END}", page)
        if check:
            same = made == page
            print("the tables are those of the rows" if same else f"{self.page} is not what the rows give")
            return int(not same)
        self.page.write_text(made, "utf-8")
        return 0

    def verify(self, count: int, seed: int, most_seconds: float, say: Callable[[str], None] = print) -> int:
        """Train some of the rows again, alone; how many differ in any bit. The dearest may be left out."""
        affordable = [row for row in self.read() if row.seconds <= most_seconds]
        drawn = random.Random(seed).sample(affordable, min(count, len(affordable)))
        backend = backend_named(*choose(None, None))
        data: dict[tuple[str, float], Split] = {}
        differing = 0
        for number, row in enumerate(drawn, start=1):
            key = row.dataset, row.train_fraction
            if key not in data:
                data[key] = load(row.dataset).fraction(row.train_fraction)
            same = Row.of(train_alone(self.spec(row), data[key], backend)).result == row.result
            differing += not same
            what = "the same bits" if same else "OTHER BITS"
            say(f"{number}/{len(drawn)} {row.architecture} {row.mode} trial {row.trial}: {what}")
        say(f"{len(drawn) - differing} of {len(drawn)} the same to the bit")
        return differing

    def main(
        self, about: str | None, tables: Callable[[], str], arguments: Sequence[str] | None = None
    ) -> int:
        """The command line of the script."""
        parser = argparse.ArgumentParser(
            description=about, formatter_class=argparse.RawDescriptionHelpFormatter
        )
        commands = parser.add_subparsers(dest="command", required=True)
        commands.add_parser("keep").add_argument("study", type=Path)
        commands.add_parser("tables").add_argument("--check", action="store_true")
        again = commands.add_parser("verify")
        again.add_argument("count", type=int)
        again.add_argument("--seed", type=int, default=0)
        again.add_argument(
            "--most-seconds",
            type=float,
            default=float("inf"),
            help="leave out rows that took longer to train",
        )
        options = parser.parse_args(arguments)
        if options.command == "keep":
            print(self.keep(options.study))
            return 0
        if options.command == "tables":
            return self.write_tables(tables, options.check)
        return int(self.verify(options.count, options.seed, options.most_seconds) > 0)


def _cell(identities: Identities, trials: Iterable[tuple[TrialSpec, Row]]) -> Cell:
    (first, _), *_ = trials = sorted(trials, key=lambda one: one[1].trial)
    setting, architecture, who = identities.of(first.to_dict())
    rows = [row for _, row in trials]

    def column(name: str) -> Any:
        return np.array([getattr(row, name) for row in rows], dtype=np.float64)

    return Cell(
        **vars(who),
        setting=setting,
        architecture=architecture,
        trial=np.array([row.trial for row in rows]),
        ids=tuple(spec.id for spec, _ in trials),
        **{
            name: column(name)
            for name in (
                "bounty",
                "bounty_loop",
                "test_accuracy",
                "parameters",
                "flops",
                "training_flops",
            )
        },
        seconds=np.where(column("twin") == 1, np.nan, column("seconds")),
        loops=np.array([row.loops for row in rows]),
        ended_early=column("ended_early") == 1,
        inert=tuple(tuple(row.inert.split("+")) if row.inert else () for row in rows),
        diverged=np.zeros(len(rows), dtype=np.int64),
        backends=("",) * len(rows),
        growth=tuple(
            None if row.dendrites < 0 else Growth(added=row.dendrites, attempts=(), ended=None, why="")
            for row in rows
        ),
        courses=tuple(row.course for row in rows),
        curves=None,
        twins=sum(row.twin for row in rows),
    )
