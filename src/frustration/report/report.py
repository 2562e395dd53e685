"""A report before it is written: results, their analysis, tables and sentences."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any, Self

from frustration.report.analysis import analyse
from frustration.report.findings import Analysis
from frustration.report.results import StudyResults
from frustration.report.sentences import Plain, plain_sentences
from frustration.report.shared_policies import share_policies
from frustration.report.table import Table
from frustration.report.tables import all_tables


@dataclass(frozen=True, eq=False)
class Report:
    """Sentences and tables are made once, for text, LaTeX, page and terminal alike."""

    results: StudyResults
    analysis: Analysis

    @classmethod
    def of(cls, results: StudyResults, *, control: str | None = None, **settings: Any) -> Self:
        """Analysed as `settings` of `analyse` say; `control` is named as in the study."""
        shared = share_policies(results)
        control = control and control.removesuffix(shared.shared)
        return cls(shared, analyse(shared, control=control, **settings))

    @functools.cached_property
    def plain(self) -> Plain:
        """All sentences, part by part."""
        return plain_sentences(self.results, self.analysis)

    @functools.cached_property
    def tables(self) -> tuple[Table, ...]:
        """Those that have a row, in the order in which a reader wants them."""
        return all_tables(self.analysis)
