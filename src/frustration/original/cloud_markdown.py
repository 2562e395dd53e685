"""What summary and trials in the original's markdown are made of; reports know how to write them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from frustration.original.cloud_layout import OriginalCell
from frustration.original.published import cell_of_bounties
from frustration.original.tables import SUMMARY, TRIALS, setting_folder, summary, trials
from frustration.report.reading import read_study
from frustration.report.results import Cell

FORMS = ((SUMMARY, summary), (TRIALS, trials))
"""Name of the file, and what writes it."""


def of_study(root: Path) -> dict[str, list[Cell]]:
    """The trials in the folder of a study, by the folder of their setting; no name if there is one."""
    results = read_study(root)
    several = len(results.settings) > 1
    return {
        setting_folder(setting) if several else "": [
            cell for cell in results.cells if cell.setting == setting
        ]
        for setting in results.settings
    }


def of_original(cells: Sequence[OriginalCell]) -> list[Cell]:
    """Cells of the original's jobs."""
    found = []
    for cell in cells:
        bounties = {at: trial.bounty for at, trial in enumerate(cell.trials) if trial.bounty is not None}
        if bounties:
            found.append(cell_of_bounties(cell.architecture, cell.mode, bounties))
    return found


def joined(records: Sequence[Cell], original: Sequence[Cell]) -> list[Cell]:
    """Records first: what the original's jobs say only fills cells of which there is no record."""
    there = {(cell.architecture, cell.label) for cell in records if cell.n}
    return [*records, *(cell for cell in original if (cell.architecture, cell.label) not in there)]
