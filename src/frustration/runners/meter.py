"""The progress of a run and the time left."""

from __future__ import annotations

import time
from collections.abc import Callable

Clock = Callable[[], float]
"""Seconds, from any origin."""


class Meter:
    """Measures work by its cost, in any unit."""

    def __init__(self, whole: float, clock: Clock = time.monotonic) -> None:
        self._whole, self._clock = whole, clock
        self._began = clock()
        self._before = self._gained = 0.0

    def found(self, cost: float) -> None:
        """Work that was done before the meter was started: part of the share, but not of the speed."""
        self._before += cost

    def gain(self, cost: float) -> None:
        """Work that has been done since."""
        self._gained += cost

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        return min(1.0, (self._before + self._gained) / self._whole) if self._whole else 1.0

    @property
    def moved(self) -> bool:
        """Whether anything was done since the meter was started."""
        return self._gained > 0

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self._clock() - self._began

    @property
    def left(self) -> float | None:
        """Seconds left at the speed so far; None before any work was done."""
        if self._gained <= 0:
            return None
        return self.elapsed * max(0.0, self._whole - self._before - self._gained) / self._gained


class Pace:
    """When a pipe gets a line again: each twentieth of the work or half a minute, at most one a second."""

    SHARE, SECONDS, LEAST_SECONDS = 0.05, 30.0, 1.0

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._share, self._last = 0.0, clock()

    def due(self, share: float) -> bool:
        """Whether a line is worth printing now; if so, it counts as printed."""
        since = self._clock() - self._last
        if since < self.LEAST_SECONDS or (share - self._share < self.SHARE and since < self.SECONDS):
            return False
        self._share, self._last = share, self._clock()
        return True


def clock_face(seconds: float | None) -> str:
    """`0:07`, `12:30`, `1:02:03`, or `-:--` where it is not known."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def elapsed_and_left(elapsed: float | None, left: float | None) -> str:
    """`0:12 elapsed, 0:16 left`."""
    return f"{clock_face(elapsed)} elapsed, {clock_face(left)} left"
