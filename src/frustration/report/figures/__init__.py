"""All figures of a report, as PNG and SVG: `draw_all(results, analysis, folder)`.

style      palette, type sizes, how files are written
families   in which order architectures stand on a map
strips     maps of tiles     panels  small multiples     labels  text that does not overlap
given      what a figure is drawn from
design maps curves damage pareto dendrites faults: the figures
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from frustration.report.findings import Analysis
from frustration.report.results import StudyResults


@dataclass(frozen=True, kw_only=True)
class DrawnFigure:
    """A figure of the report, or one that the study cannot support."""

    name: str
    title: str
    caption: str
    files: tuple[Path, ...]
    """PNG and SVG; empty where it was left out."""
    left_out: str = ""
    """Why there is none."""


def draw_all(results: StudyResults, analysis: Analysis, folder: Path) -> list[DrawnFigure]:
    """Draw everything that `results` can support into `folder`; figures left out are listed with the "
    "reason."""
    from frustration.report.figures.drawing import draw  # matplotlib: only when something is drawn

    return draw(results, analysis, folder)
