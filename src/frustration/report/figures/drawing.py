"""The list of figures, drawn one after another so that only one is in memory."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from frustration.files import make_folder
from frustration.report.figures import style
from frustration.report.figures.curves import acceptance, late_breakthroughs, learning_curves
from frustration.report.figures.damage import harm_and_recovery
from frustration.report.figures.dendrites import dendrites_over_time
from frustration.report.figures.design import design_space, parameter_matching
from frustration.report.figures.drawn import DrawnFigure
from frustration.report.figures.faults import fault_tolerance
from frustration.report.figures.forest import forest
from frustration.report.figures.inputs import Figure, FigureInput, Painter
from frustration.report.figures.maps import baseline, effect, instability, regimes, winner
from frustration.report.figures.pareto import pareto
from frustration.report.findings import Analysis
from frustration.report.results import Setting, StudyResults

PAINTERS: Final[tuple[Painter, ...]] = (
    forest,
    effect,
    winner,
    baseline,
    pareto,
    learning_curves,
    late_breakthroughs,
    acceptance,
    harm_and_recovery,
    fault_tolerance,
    dendrites_over_time,
    instability,
    regimes,
    design_space,
    parameter_matching,
)
"""In the order of the report: the answer first, what was studied last."""
_OF_THE_GRID: Final = (design_space, parameter_matching)
"""The same in every setting, so drawn once."""


def draw(results: StudyResults, analysis: Analysis, folder: Path) -> list[DrawnFigure]:
    make_folder(folder)
    drawn = []
    with style.drawing():
        for plate, suffix, words in _plates(results, analysis):
            title = plate.title + words
            files = () if plate.figure is None else style.write(plate.figure, folder, plate.name + suffix)
            drawn.append(
                DrawnFigure(
                    name=plate.name + suffix,
                    title=title,
                    caption=plate.caption,
                    files=files,
                    left_out=plate.left_out,
                )
            )
    return drawn


def _plates(results: StudyResults, analysis: Analysis) -> Iterator[tuple[Figure, str, str]]:
    """Every plate with what is added to its name and title where a study has several settings."""
    for index, setting in enumerate(results.settings):
        given = FigureInput(results=results, analysis=analysis, setting=setting)
        several = len(results.settings) > 1
        for painter in PAINTERS if results.runs is None else (forest,):
            once = painter in _OF_THE_GRID
            if once and index:
                continue
            for plate in painter(given):
                named = several and not once
                yield plate, f"-{_safe(setting)}" if named else "", f" ({setting.name})" if named else ""


def _safe(setting: Setting) -> str:
    return re.sub(r"[^a-z0-9.]+", "-", setting.name.lower()).strip("-")
