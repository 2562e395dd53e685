"""A report before it is written: results, their analysis, tables and sentences."""

from __future__ import annotations

import functools
from dataclasses import dataclass

from frustration.report.findings import Analysis
from frustration.report.results import StudyResults
from frustration.report.sentences import Plain, plain_sentences
from frustration.report.table import Table
from frustration.report.tables import all_tables


@dataclass(frozen=True, eq=False)
class Report:
    """Sentences and tables are made once, for text, LaTeX, page and terminal alike."""

    results: StudyResults
    analysis: Analysis

    @functools.cached_property
    def plain(self) -> Plain:
        """All sentences, part by part."""
        return plain_sentences(self.results, self.analysis)

    @functools.cached_property
    def tables(self) -> tuple[Table, ...]:
        """Those that have a row, in the order in which a reader wants them."""
        return all_tables(self.analysis)
