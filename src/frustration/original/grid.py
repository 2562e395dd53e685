"""Architectures that nobody has trained yet, as results without a number: what a map of the grid needs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from frustration.architecture import Architecture
from frustration.original.published import PUBLISHED
from frustration.report.outcomes import outcome_cell
from frustration.report.results import StudyResults


def grid_results(architectures: Sequence[Architecture]) -> StudyResults:
    """One trial without an outcome for each."""
    cells = tuple(
        outcome_cell(PUBLISHED, one, "none", np.zeros(1, dtype=np.int64))
        for one in dict.fromkeys(architectures)
    )
    return StudyResults(name="grid", source=Path(), published=True, paired=False, cells=cells)
