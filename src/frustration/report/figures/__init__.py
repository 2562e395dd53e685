"""All figures of a report, as PNG and SVG: `draw_all(results, analysis, folder)`.

style      palette, type sizes, how files are written
families   in which order architectures stand on a map
strips     maps of tiles     panels  small multiples     labels  text that does not overlap
inputs     what a figure is drawn from              drawn   what came of it
design maps curves damage pareto dendrites faults: the figures
"""

from __future__ import annotations

from pathlib import Path

from frustration.report.figures.drawn import DrawnFigure
from frustration.report.findings import Analysis
from frustration.report.results import StudyResults


def draw_all(results: StudyResults, analysis: Analysis, folder: Path) -> list[DrawnFigure]:
    """Draw everything that `results` can support into `folder`; a figure left out comes with its reason."""
    from frustration.report.figures.drawing import draw  # matplotlib: only when something is drawn

    return draw(results, analysis, folder)


__all__ = ["DrawnFigure", "draw_all"]
