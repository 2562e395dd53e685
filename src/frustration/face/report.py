"""A report as an object: what the tests show, as sentences, a table, a plot, a data frame or a page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from frustration.face import frames
from frustration.face.pages import html
from frustration.report import report as content
from frustration.report.results import StudyResults
from frustration.report.table import Table
from frustration.report.tables import main_table

if TYPE_CHECKING:
    import pandas

    from frustration.face.plots import Plot

LEFT_OUT: Final = ("95 % interval", "parameters", "CPU time")
"""Columns of the table that a notebook has no room for."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Report(content.Report):
    """Computed from records alone, once; `write` puts the page and its files on disk."""

    folder: Path
    """Where `write` puts it unless told otherwise."""
    notes: tuple[str, ...] = ()
    """What to know beside it: trials that are missing."""

    @classmethod
    def noted(
        cls, results: StudyResults, folder: Path, notes: tuple[str, ...] = (), **settings: Any
    ) -> Report:
        """`settings` are those of `analyse`: alpha, margin, control."""
        made = content.Report.of(results, **settings)
        return cls(results=made.results, analysis=made.analysis, folder=folder, notes=notes)

    @property
    def sentences(self) -> tuple[str, ...]:
        """The answer, in at most three."""
        if self.plain.answer:
            return self.plain.answer
        why = "no treatment has a control" if self.results.trials else "no trial is finished yet"
        return (f"There is nothing to compare: {why}.",)

    @property
    def table(self) -> Table:
        """Every treatment with its score, and its difference to its control."""
        return main_table(self.analysis)

    def rows(self) -> Iterator[dict[str, Any]]:
        """One for each treatment and architecture: the difference to control, its interval and verdict."""
        for one in self.analysis.verdicts:
            yield {
                "architecture": str(one.architecture),
                "setting": one.setting.name,
                "treatment": one.treatment,
                "control": one.control,
                "kind": one.kind,
                "n": one.difference.n,
                "difference": one.difference.value,
                "low": one.difference.low,
                "high": one.difference.high,
                "p": one.test.p,
                "adjusted_p": one.member.adjusted_p,
                "verdict": one.verdict,
            }

    def to_frame(self) -> pandas.DataFrame:
        """These rows as a pandas DataFrame."""
        return frames.frame(self.rows())

    def plot(self, kind: str = "effects") -> Plot:
        """`effects`, `curves` or `cost`."""
        from frustration.face.plots import plot  # matplotlib, when something is drawn

        return plot(self.results, self.analysis, kind)

    def write(self, folder: str | Path | None = None, *, figures: bool = True) -> Path:
        """Page, text, tables, figures and CSV; returns the page to open."""
        from frustration.report.writing import write_files

        return write_files(self, Path(folder or self.folder), figures=figures)

    def __str__(self) -> str:
        return "\n".join([*self.sentences, *self.notes]).replace("`", "")

    def _repr_html_(self) -> str:
        return html(self.sentences, self.table.without(*LEFT_OUT), self.notes)
