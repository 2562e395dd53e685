"""What a figure is drawn from, and what it comes to."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Drawing

from frustration.architecture import Architecture
from frustration.dataset.catalogue import ENTRIES
from frustration.references import ProblemReference
from frustration.report.figures import families
from frustration.report.figures.mode_style import Look, looks_of
from frustration.report.findings import Analysis, CellSummary, Group
from frustration.report.results import Cell, Setting, StudyResults
from frustration.statistics.results import Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class Figure:
    """One figure, or why there is none."""

    name: str
    title: str
    caption: str = ""
    figure: Drawing | None = None
    left_out: str = ""


@dataclass(frozen=True, kw_only=True, eq=False)
class FigureInput:
    """One setting of a study: what can be compared within one picture."""

    results: StudyResults
    analysis: Analysis
    setting: Setting

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        return tuple(cell for cell in self.results.cells if cell.setting == self.setting and cell.n)

    @cached_property
    def architectures(self) -> tuple[Architecture, ...]:
        return tuple(dict.fromkeys(cell.architecture for cell in self.cells))

    @cached_property
    def labels(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(cell.label for cell in self.cells))

    @cached_property
    def looks(self) -> dict[str, Look]:
        """Of all treatments of the study, so that one is drawn alike in every setting."""
        return looks_of(self.results.labels)

    @cached_property
    def groups(self) -> dict[Architecture, Group]:
        """What the analysis found of each architecture."""
        return {g.architecture: g for g in self.analysis.groups if g.setting == self.setting}

    def summary(self, architecture: Architecture, label: str) -> CellSummary | None:
        group = self.groups.get(architecture)
        return None if group is None else group.cells.get(label)

    @cached_property
    def families(self) -> tuple[families.Family, ...]:
        return families.families(self.architectures)

    @cached_property
    def curved(self) -> tuple[Cell, ...]:
        """The cells whose loops are known."""
        return tuple(cell for cell in self.cells if cell.curves is not None and cell.curves.trained.any())

    @property
    def ends(self) -> tuple[int, int]:
        """Inputs and outputs of the networks; those of MNIST where the data is not on this machine."""
        known = ENTRIES.get(self.setting.dataset) or self.setting.yardstick
        return (known.features, known.classes) if known else (784, 10)

    def parameters(self, architecture: Architecture) -> int:
        """Of the plain network on this setting's data."""
        if isinstance(architecture, ProblemReference):  # its records alone know
            return round(float(min(cell.parameters.min() for cell in self.of(architecture))))
        return architecture.parameters(*self.ends)

    def cell(self, architecture: Architecture, label: str) -> Cell | None:
        return self.results.cell(self.setting, architecture, label)

    def of(self, architecture: Architecture) -> tuple[Cell, ...]:
        return tuple(cell for label in self.labels if (cell := self.cell(architecture, label)) and cell.n)

    @property
    def metric_name(self) -> str:
        """What the headline number is, in the words of a caption."""
        return (
            "test accuracy of the LKG"
            if self.results.metric == "test"
            else "bounty (best validation accuracy)"
        )

    @property
    def metric_axis(self) -> str:
        return "test accuracy (%)" if self.results.metric == "test" else "bounty (%)"


Painter = Callable[[FigureInput], Iterator[Figure]]


def ends(estimate: Estimate) -> tuple[float, float]:
    """Lengths of the two error bars; none where the interval has no bound."""
    return (
        estimate.value - estimate.low if math.isfinite(estimate.low) else 0.0,
        estimate.high - estimate.value if math.isfinite(estimate.high) else 0.0,
    )


def bars(estimates: Sequence[Estimate]) -> Any:
    """(2, n): what matplotlib's errorbar wants."""
    return np.array([ends(estimate) for estimate in estimates]).T
