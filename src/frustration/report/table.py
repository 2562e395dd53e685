"""A table of a report as text cells: Markdown, LaTeX, terminal and HTML print the same ones."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from frustration.report.findings import Analysis, CellSummary, Group
from frustration.report.results import Setting


@dataclass(frozen=True, kw_only=True)
class Table:
    """Headers and rows of text; `left` are the columns that are not numbers."""

    name: str
    """For file names and anchors."""
    title: str
    note: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: tuple[int, ...] = (0, 1)

    def without(self, *headers: str) -> Table:
        """The same without the columns of these names."""
        kept = [at for at, header in enumerate(self.headers) if header not in headers]
        return replace(
            self,
            headers=tuple(self.headers[at] for at in kept),
            rows=tuple(tuple(row[at] for at in kept) for row in self.rows),
            left=tuple(new for new, at in enumerate(kept) if at in self.left),
        )


def several_settings(analysis: Analysis) -> bool:
    """Whether rows must name their setting."""
    return len({group.setting for group in analysis.groups}) > 1


def place_of(analysis: Analysis, setting: Setting, architecture: object) -> str:
    return f"{architecture} ({setting.name})" if several_settings(analysis) else str(architecture)


def each_cell(analysis: Analysis) -> Iterator[tuple[str, Group, str, CellSummary]]:
    for group in analysis.groups:
        for label, cell in group.cells.items():
            yield place_of(analysis, group.setting, group.architecture), group, label, cell
