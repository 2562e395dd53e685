"""Studies for tests of reports: small, made up, and with effects that the test chooses."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.append(str(Path(__file__).parent))

from synthetic import write_study

from frustration.architecture import Architecture
from frustration.report.analysis import analyse
from frustration.report.findings import Analysis
from frustration.report.reading import read_study
from frustration.report.results import StudyResults
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.store import Store

ONE = Architecture((32,))
TWO = Architecture((16, 16))


def study(*modes: str, architectures=(ONE,), trials: int = 8, meta_loops: int = 5, **fields: Any) -> Study:
    return Study(
        name="made-up",
        architectures=tuple(architectures),
        modes=modes or ("none", "hidden"),
        trials=trials,
        meta_loops=meta_loops,
        **fields,
    )


def effects(**shift: float) -> Callable[[TrialSpec], float]:
    """90 % and a shift for each mode, under noise of 0.1 that depends on architecture, trial and mode."""

    def reached(spec: TrialSpec) -> float:
        label = spec.label
        key = [spec.trial, *spec.architecture.hidden, *map(ord, "none" if label == "decay" else label)]
        noise = np.random.default_rng(key).normal(0.0, 0.1)
        return float(round(90.0 + shift.get(label, 0.0) + noise, 2))

    return reached


def made(root: Path, one: Study | None = None, **shift: float) -> Store:
    return write_study(root, one or study(), effects(**shift))


def read(root: Path, one: Study | None = None, **shift: float) -> StudyResults:
    return read_study(made(root, one, **shift).root)


def analysed(root: Path, one: Study | None = None, **shift: float) -> Analysis:
    return analyse(read(root, one, **shift))


def specs_of(one: Study) -> list[TrialSpec]:
    return list(one.specs({("mnist", fraction): "synthetic" for fraction in one.train_fractions}))
