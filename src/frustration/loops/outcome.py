"""The answer that a training loop gets for every score."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a score led to."""

    score: float
    best: float
    """The best score so far, this one included."""
    improved: bool
    """Whether this score is the best."""
    grown: bool = False
    """Whether the network has new parameters, or those of an earlier size: make a new optimizer, unless
    it was handed over by `set_optimizer`."""
    complete: bool = False
    """Whether the schedule has ended; the network is the best one."""
    why: str = ""
