"""One self-contained HTML page for a study: `write(report, figures, path)`.

page      what stands where            payload  the numbers that the page's script draws and filters
charts    charts drawn by the page     images   figures inside the page, within a budget
forest    the plot of the first screen templates  Jinja2, which escapes what it fills in
Beside them: the templates (*.html), report.css, and one script in files: tables drawing charts map start
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frustration.files import write_atomically
from frustration.report.figures.drawn import DrawnFigure
from frustration.report.report import Report


def write(report: Report, figures: Sequence[DrawnFigure], path: Path) -> Path:
    """Write the page to `path`. It opens offline and asks for nothing from anywhere."""
    from frustration.report.html.page import render

    write_atomically(path, render(report, figures, path).encode())
    return path
