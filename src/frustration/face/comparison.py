"""The comparison of two studies as an object."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from frustration.face.pages import html
from frustration.report.compare import (
    CompareReport,
    compare,
    compare_sentences,
    compare_table,
    verdict_table,
)
from frustration.report.results import StudyResults
from frustration.report.table import Table


@dataclass(frozen=True, kw_only=True, eq=False)
class Comparison:
    """Tests of a difference and of equivalence for every treatment that both have."""

    found: CompareReport

    @classmethod
    def of(cls, a: StudyResults, b: StudyResults, **settings: Any) -> Comparison:
        """`settings` are those of `frustration.report.compare`: alpha, margin, across."""
        return cls(found=compare(a, b, **settings))

    @property
    def sentences(self) -> tuple[str, ...]:
        return tuple(compare_sentences(self.found))

    @property
    def verdicts(self) -> Table:
        """One row for each architecture: equivalent, different or undecided."""
        return verdict_table(self.found)

    @property
    def table(self) -> Table:
        """One row for each treatment that both have."""
        return compare_table(self.found)

    def __str__(self) -> str:
        return "\n".join(self.sentences).replace("`", "")

    def _repr_html_(self) -> str:
        return html(self.sentences, self.verdicts)
