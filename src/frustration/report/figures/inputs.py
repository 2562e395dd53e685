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
from frustration.metric import POINTS, Metric
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
        known = ENTRIES.get(self.setting.dataset) or self.setting.chance_level
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
    def metric(self) -> Metric:
        return self.setting.metric

    @property
    def metric_name(self) -> str:
        """What the headline number is, in the words of a caption."""
        name = self.metric.name
        return (
            f"test {name} of the LKG" if self.results.metric == "test" else f"bounty (best validation {name})"
        )

    @property
    def metric_axis(self) -> str:
        return self.axis("test" if self.results.metric == "test" else "bounty")

    def axis(self, what: str) -> str:
        """`test accuracy (%)`: what an axis of scores shows."""
        return (what if what == "bounty" else f"{what} {self.metric.name}") + self.unit

    @property
    def unit(self) -> str:
        """` (%)`: behind the name of a score."""
        return f" ({self.metric.unit})" if self.metric.unit else ""

    @property
    def points(self) -> str:
        """` (points)`, or the unit of the metric: behind the name of a difference of scores."""
        unit = POINTS if self.metric.in_points else self.metric.unit
        return f" ({unit})" if unit else ""

    @property
    def in_points(self) -> str:
        """The same in a caption: `, in points`."""
        return f", in {self.points[2:-1]}" if self.points else ""

    @property
    def direction(self) -> str:
        """A sentence for a caption, where a reader would take it for the other way."""
        return " Lower is better." if self.metric.sign < 0 else ""


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
