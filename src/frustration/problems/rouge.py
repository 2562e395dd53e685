"""ROUGE-1, ROUGE-2 and ROUGE-L: how much of a summary's wording is that of the wanted one.

Without stemming, as the package rouge-score computes them. Nothing is imported but the standard library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_NO_WORD = re.compile(r"[^a-z0-9]+")


def rouge(made: Sequence[str], wanted: Sequence[str]) -> dict[str, float]:
    """Mean F1 in points from 0 to 100, by name, over pairs of texts."""
    totals = dict.fromkeys(("ROUGE-1", "ROUGE-2", "ROUGE-L"), 0.0)
    for one, other in zip(map(words, made), map(words, wanted), strict=True):
        for n in (1, 2):
            totals[f"ROUGE-{n}"] += _overlap(one, other, n)
        totals["ROUGE-L"] += _f1(_common(one, other), len(one), len(other))
    return {name: 100 * total / len(made) for name, total in totals.items()}


def words(text: str) -> list[str]:
    """Runs of ASCII letters and digits, in lower case."""
    return _NO_WORD.sub(" ", text.lower()).split()


def _overlap(one: list[str], other: list[str], n: int) -> float:
    a, b = (Counter(zip(*(text[i:] for i in range(n)), strict=False)) for text in (one, other))
    return _f1((a & b).total(), a.total(), b.total())


def _f1(hits: int, made: int, wanted: int) -> float:
    return 2 * hits / (made + wanted) if hits else 0.0


def _common(one: list[str], other: list[str]) -> int:
    """Length of the longest common subsequence."""
    row = [0] * (len(other) + 1)
    for word in one:
        above = 0
        for j, wanted in enumerate(other):
            above, row[j + 1] = row[j + 1], above + 1 if word == wanted else max(row[j], row[j + 1])
    return row[-1]
