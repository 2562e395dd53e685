"""A trials file of the original project, `psa_simplemlp_trials.md`, read as results.

Its published form has a separator row that is one column short and says `-::-`: separators are skipped
whatever they hold. Bounties alone, in percent; trials are not paired, for they had no seeds.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from frustration.architecture import Architecture
from frustration.errors import InputError
from frustration.files import read_text
from frustration.report.outcomes import outcome_cell
from frustration.report.results import Cell, Setting, StudyResults

PUBLISHED = Setting(
    dataset="mnist",
    dataset_digest="",
    train_fraction=1.0,
    learning_rate=1e-4,
    batch_size=256,
    seed=0,
    meta_loops=100,
)
"""How the original project trained, always."""

_HEADING = re.compile(r"#+\s*Architecture:\s*(.+?)\s*$")
_SEPARATOR = re.compile(r"\|?[\s:|-]+\|?")


def read_trials_file(path: Path) -> StudyResults:
    """The trials of the file as results; InputError names the line that cannot be understood."""
    return parse_trials(read_text(path).splitlines(), path)


def parse_trials(lines: list[str], path: Path) -> StudyResults:
    """The same from the file's lines; `path` is how errors call it."""
    tables: dict[Architecture, dict[str, dict[int, float]]] = {}
    table: dict[str, dict[int, float]] | None = None
    modes: list[str] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        try:
            if heading := _HEADING.match(text):
                architecture = Architecture.parse(heading[1].strip("{}`"))
                if architecture in tables:
                    raise InputError(f"architecture {heading[1]} comes twice")
                table, modes = tables.setdefault(architecture, {}), []
            elif text.startswith("|") and table is not None and not _SEPARATOR.fullmatch(text):
                cells = [cell.strip() for cell in text.strip("|").split("|")]
                if cells[0].lower() == "trial":
                    modes = [cell.lower() for cell in cells[1:]]
                    table.update({mode: {} for mode in modes})
                else:
                    _row(cells, modes, table)
        except InputError as error:
            raise InputError(f"{path}, line {number}: {error}") from None
    if not tables:
        raise InputError(
            f'{path} holds no trials: expected "### Architecture: 1*2048" with a table under it, and so on'
        )
    found = [
        cell_of_bounties(a, mode, trials)
        for a, table in tables.items()
        for mode, trials in table.items()
        if trials
    ]
    return StudyResults(name=path.stem, source=path, published=True, paired=False, cells=tuple(found))


def _row(cells: list[str], modes: list[str], table: dict[str, dict[int, float]]) -> None:
    """`| 3 | 98.22% | N/A |` into the table, by mode and trial (from 0)."""
    if not modes:
        raise InputError('a row before the table\'s header "| Trial | None | ... |"')
    if not cells[0].isascii() or not cells[0].isdigit() or len(cells) > len(modes) + 1:
        raise InputError(f'"| {" | ".join(cells)} |" is not a trial\'s number and {len(modes)} accuracies')
    for mode, cell in zip(modes, cells[1:], strict=False):
        if cell.upper() in ("", "N/A", "NA", "-"):
            continue
        try:
            value = float(cell.removesuffix("%"))
        except ValueError:
            value = float("nan")
        if not 0.0 <= value <= 100.0:
            raise InputError(f'"{cell}" is not a percentage such as 98.22%, nor N/A')
        table[mode][int(cells[0]) - 1] = value


def cell_of_bounties(architecture: Architecture, mode: str, trials: dict[int, float]) -> Cell:
    """One of the original's cells; `trials` are bounties by the number of the trial, from 0."""
    number = np.array(sorted(trials))
    return outcome_cell(
        PUBLISHED, architecture, mode, number, bounty=np.array([trials[one] for one in number])
    )
