"""Figures of a report: drawn when asked for, shown by notebooks, saved as PNG, SVG or PDF."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from matplotlib.figure import Figure

from frustration.errors import InputError
from frustration.report.figures import style
from frustration.report.figures.curves import learning_curves
from frustration.report.figures.forest import forest
from frustration.report.figures.inputs import FigureInput, Painter
from frustration.report.figures.pareto import pareto
from frustration.report.findings import Analysis
from frustration.report.results import StudyResults

PAINTERS: Final[Mapping[str, Painter]] = {"effects": forest, "curves": learning_curves, "cost": pareto}


@dataclass(frozen=True, eq=False)
class Plot:
    """A matplotlib figure that belongs to no window."""

    figure: Figure
    caption: str

    def save(self, path: str | Path) -> Path:
        """As PNG, SVG or PDF, by the name's end."""
        with style.drawing():
            self.figure.savefig(path, dpi=style.DPI)
        return Path(path)

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with style.drawing():
            self.figure.savefig(content, format="png", dpi=style.DPI // 2)
        return content.getvalue()


def plot(results: StudyResults, analysis: Analysis, kind: str) -> Plot:
    """The first setting's figure of this kind; InputError says why there is none."""
    if kind not in PAINTERS:
        raise InputError(f'there is no plot "{kind}"; there are {", ".join(PAINTERS)}')
    given = FigureInput(results=results, analysis=analysis, setting=results.settings[0])
    with style.drawing():
        for found in PAINTERS[kind](given):
            if found.figure is not None:
                return Plot(found.figure, found.caption)
            raise InputError(f"no plot of {kind}: {found.left_out}")
    raise InputError(f"no plot of {kind}: there is nothing to draw")
