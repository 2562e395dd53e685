"""What is heard of a run of probes."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A measure of a network is on disk."""

    trial_id: str
    measure: str
    seconds: float
    """Of CPU time."""


@dataclass(frozen=True)
class NotMeasured:
    """A network could not be measured, or another process has it."""

    trial_id: str
    sentence: str


Event = Measured | NotMeasured
