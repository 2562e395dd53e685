"""The words of a report about runs that were made elsewhere: they have groups and scores, and no LKG."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Final

from frustration.report.table import Table

_WORDS: Final = {
    "architectures": "groups",
    "architecture": "group",
    "trials": "runs",
    "trial": "run",
    "cell": "group and treatment",
}
_WORD: Final = re.compile(rf"`[^`]*`|\b({'|'.join(_WORDS)})\b")
UNKNOWN: Final = ("bounty", "parameters", "CPU time", "inert", "note", "at loop", "loops", "CPU s")
"""Columns, by the first words of their heads, of what such runs do not tell."""


def about_runs(sentence: str) -> str:
    """A sentence in these words; what stands in backticks is a name and stays."""
    return _WORD.sub(lambda found: _WORDS[found[1]] if found[1] else found[0], sentence)


def table_of_runs(table: Table, score: str) -> Table:
    """A table with the columns that are known, under these words; `score` is the head of scores."""
    known = table.without(*(head for head in table.headers if head.startswith(UNKNOWN)))
    headers = tuple(head.replace("LKG test", score).strip() for head in known.headers)
    return replace(
        known,
        title=about_runs(known.title),
        note=about_runs(known.note),
        headers=tuple(map(about_runs, headers)),
    )
