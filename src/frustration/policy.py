"""The choices beside the mode: what is accepted, what becomes of the optimizer, how long a loop is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from frustration.errors import InputError
from frustration.metric import ACCURACY, Metric

OPTIMIZERS: Final = ("fresh", "persist", "persist-masked")
"""fresh: a new AdamW every loop. persist: its moments and step count live on through all loops,
accepted or not. persist-masked: the same, and the moments of weights that damage touched are zeroed."""


UPDATES: Final = ("epochs", "equal-updates")
"""What a loop is, where only a part of the training images is used. epochs: one pass through the part.
equal-updates: as many samples as the whole has, in several passes."""


@dataclass(frozen=True)
class Acceptance:
    """When a candidate becomes the base of the next: better (`strict`), not worse (`ties`), or patience."""

    rule: str = "strict"
    patience: int = 0

    @classmethod
    def parse(cls, text: str) -> Acceptance:
        """Read `strict`, `ties`, `patience(5)` or, without brackets, `patience-5`."""
        if text in ("strict", "ties"):
            return cls(text)
        match = re.fullmatch(r"patience(?:\(([1-9][0-9]{0,5})\)|-([1-9][0-9]{0,5}))", text, re.ASCII)
        if not match:
            raise InputError(
                f'acceptance "{text}" is not one of strict, ties, patience(K) with K of 1 or more'
            )
        return cls("patience", int(match[1] or match[2]))

    def __str__(self) -> str:
        return f"patience({self.patience})" if self.rule == "patience" else self.rule

    def accepts(self, score: float, base: float | None, metric: Metric = ACCURACY) -> bool:
        """Whether a candidate with this score replaces a base with that one (None: there is none yet)."""
        if base is None or metric.beats(score, base):
            return True
        return self.rule == "ties" and score == base


STRICT: Final = Acceptance()


def updates_policy(text: str) -> str:
    if text not in UPDATES:
        raise InputError(f'a loop of "{text}" is not one of {", ".join(UPDATES)}')
    return text


def optimizer_policy(text: str) -> str:
    if text not in OPTIMIZERS:
        raise InputError(f'optimizer "{text}" is not one of {", ".join(OPTIMIZERS)}')
    return text
