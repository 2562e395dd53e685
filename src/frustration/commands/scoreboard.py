"""How far a session is and what its modes have come to, counted from its events. It draws nothing."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frustration.record import LoopEntry
    from frustration.runners.events import LoopDone, SessionStart, TrialDone


class Mean:
    """Of the values seen so far that were numbers."""

    def __init__(self) -> None:
        self.count, self._total = 0, 0.0

    def see(self, value: float | None) -> None:
        if value is not None:
            self.count += 1
            self._total += value

    @property
    def value(self) -> float | None:
        return self._total / self.count if self.count else None


class LoopTally:
    """One global loop of all trials of one mode."""

    def __init__(self) -> None:
        self.trials = self.accepted = 0
        self.accuracy, self.bounty = Mean(), Mean()


class ModeTally:
    """The trials of one mode."""

    def __init__(self, label: str, target: int) -> None:
        self.label, self.target = label, target
        self.behind: dict[str, int] = {}
        """Loops that each trial had behind it at the start, by its id."""
        self.at: dict[str, int] = {}
        """The same, now."""
        self.finished: set[str] = set()
        self.accuracies: dict[str, float | None] = {}
        """Of each trial's latest loop."""
        self.bounties: dict[str, float | None] = {}
        self.sizes: dict[str, tuple[int, int]] = {}
        """(dendrites on a unit, parameters) of what each trial trained last, where networks can grow."""
        self.loops: dict[int, LoopTally] = {}
        self.accepted = self.judged = 0

    def loop_done(self, trial_id: str, entry: LoopEntry, bounty: float | None) -> bool:
        """Count a loop; whether it is now done by every trial that goes through it."""
        self.at[trial_id] = entry.loop
        self.accuracies[trial_id], self.bounties[trial_id] = entry.accuracy, bounty
        if entry.dendrites is not None and entry.parameters is not None:
            self.sizes[trial_id] = (entry.dendrites, entry.parameters)
        self.judged += 1
        self.accepted += entry.accepted
        tally = self.loops.setdefault(entry.loop, LoopTally())
        tally.trials += 1
        tally.accepted += entry.accepted
        tally.accuracy.see(entry.accuracy)
        tally.bounty.see(bounty)
        return tally.trials == sum(behind < entry.loop for behind in self.behind.values())

    @property
    def slowest(self) -> int:
        return min(self.at.values())

    @property
    def fastest(self) -> int:
        return max(self.at.values())

    @property
    def accuracy(self) -> float | None:
        return _mean(self.accuracies)

    @property
    def bounty(self) -> float | None:
        return _mean(self.bounties)

    @property
    def dendrites(self) -> str:
        """`0-2`: the least and the most on a unit; nothing where networks cannot grow."""
        return _span([dendrites for dendrites, _ in self.sizes.values()])

    @property
    def parameters(self) -> str:
        return _span([parameters for _, parameters in self.sizes.values()])

    @property
    def curve(self) -> list[float]:
        """The mean bounty of every loop so far, of the trials that have done it."""
        means = [self.loops[loop].bounty.value for loop in sorted(self.loops)]
        return [mean for mean in means if mean is not None]


def _span(values: list[int]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"


def _mean(values: dict[str, float | None]) -> float | None:
    mean = Mean()
    for value in values.values():
        mean.see(value)
    return mean.value


class Scoreboard:
    """The whole session."""

    def __init__(self, start: SessionStart, clock: Callable[[], float] = time.monotonic) -> None:
        self.start, self._clock = start, clock
        self._began = clock()
        self.modes: dict[str, ModeTally] = {}
        self._mode_of: dict[str, ModeTally] = {}
        for spec, behind in zip(start.specs, start.loops, strict=True):
            mode = self.modes.setdefault(spec.label, ModeTally(spec.label, spec.meta_loops))
            mode.behind[spec.id] = mode.at[spec.id] = behind
            self._mode_of[spec.id] = mode
        self.loops_done = 0
        self.loops_in_all = sum(
            max(0, spec.meta_loops - behind) for spec, behind in zip(start.specs, start.loops, strict=True)
        )

    def loop_done(self, event: LoopDone) -> tuple[ModeTally, bool]:
        """The trial's mode, and whether all its trials have now done this loop."""
        self.loops_done += 1
        mode = self._mode_of[event.trial_id]
        return mode, mode.loop_done(event.trial_id, event.entry, event.bounty)

    def trial_done(self, event: TrialDone) -> None:
        mode = self._mode_of[event.trial_id]
        mode.finished.add(event.trial_id)
        mode.bounties[event.trial_id] = event.record.bounty
        if event.record.curve:
            mode.accuracies[event.trial_id] = event.record.curve[-1].accuracy

    @property
    def share(self) -> float:
        """How much of the work is done, 0 to 1."""
        return self.loops_done / self.loops_in_all if self.loops_in_all else 1.0

    @property
    def elapsed(self) -> float:
        """Seconds."""
        return self._clock() - self._began

    @property
    def left(self) -> float | None:
        """Seconds, if the rest goes as fast as what is done; None before the first loop is."""
        if not self.loops_done:
            return None
        return self.elapsed * (self.loops_in_all - self.loops_done) / self.loops_done


def clock_face(seconds: float | None) -> str:
    """`0:07`, `12:30`, `1:02:03`, or `-:--` where it is not known."""
    if seconds is None:
        return "-:--"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
