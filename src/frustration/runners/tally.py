"""The progress of the trials of one mode, counted from events."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from frustration.record import LoopEntry, TrialRecord


class Mean:
    """Of the values seen so far that were numbers."""

    def __init__(self, values: Iterable[float | None] = ()) -> None:
        self.count, self._total = 0, 0.0
        for value in values:
            self.see(value)

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


class Climb:
    """How the mean bounty of some trials has risen, loop by loop.

    A trial that is behind counts with the bounty it has. So the curve never falls because it joins.
    """

    def __init__(self) -> None:
        self.trials, self.first, self.gains = 0, 0.0, dict[int, float]()
        """The sum of the bounties that each trial was first seen with, and what each loop added to it."""

    def join(self, bounty: float) -> None:
        self.trials += 1
        self.first += bounty

    def gain(self, loop: int, points: float) -> None:
        self.gains[loop] = self.gains.get(loop, 0.0) + points


class ModeTally:
    """The trials of one mode. Trials of the same setting differ in nothing but mode and number."""

    def __init__(self, label: str, target: int) -> None:
        self.label, self.target = label, target
        self.setting_of: dict[str, str] = {}
        self.climbs: dict[str, Climb] = {}
        """By setting; of trials that have a bounty."""
        self.behind: dict[str, int] = {}
        """Loops that each trial had completed at the start, by its id."""
        self.at: dict[str, int] = {}
        """The same, now."""
        self.over: set[str] = set()
        """Trials that are done or have failed."""
        self.accuracies: dict[str, float | None] = {}
        """Of each trial's latest loop."""
        self.bounties: dict[str, float] = {}
        """Of each trial that has one."""
        self.sizes: dict[str, tuple[int, int]] = {}
        """(dendrites on a unit, parameters) of each trial's latest network, where networks can grow."""
        self.loops: dict[int, LoopTally] = {}
        self.accepted = self.judged = 0

    def add(self, trial_id: str, setting: str, behind: int = 0) -> None:
        """One more trial, which has completed some loops."""
        self.setting_of[trial_id] = setting
        self.behind[trial_id] = self.at[trial_id] = behind

    def loop_done(self, trial_id: str, entry: LoopEntry, bounty: float | None) -> bool:
        """Count a loop; whether it is now done by every trial that goes through it."""
        self.seen(trial_id, entry.loop, bounty)
        self.accuracies[trial_id] = entry.accuracy
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

    def seen(self, trial_id: str, loop: int, bounty: float | None) -> None:
        """A trial has completed a loop, in any process."""
        self.at[trial_id] = loop
        if bounty is None:
            return
        if trial_id in self.bounties:
            risen = bounty - self.bounties[trial_id]
            self.climbs[self.setting_of[trial_id]].gain(loop, risen)
        self.ended(trial_id, bounty)
        self.bounties[trial_id] = bounty

    def ended(self, trial_id: str, bounty: float | None) -> None:
        """A trial has a record, from any process: seen before, or not."""
        if bounty is not None and trial_id not in self.bounties:
            self.bounties[trial_id] = bounty
            self.climbs.setdefault(self.setting_of[trial_id], Climb()).join(bounty)

    def trial_done(self, record: TrialRecord) -> None:
        """A trial that this run trained to its end."""
        self.ended(record.spec.id, record.bounty)
        if record.curve:
            self.accuracies[record.spec.id] = record.curve[-1].accuracy

    @property
    def finished(self) -> bool:
        return len(self.over) == len(self.at)

    @property
    def span(self) -> tuple[int, int]:
        """The lowest and the highest loop of the trials under way; of all, if none or every one is over."""
        under_way = [
            at for trial, at in self.at.items() if self.behind[trial] < at and trial not in self.over
        ]
        loops = under_way or list(self.at.values())
        return min(loops), max(loops)

    @property
    def accuracy(self) -> float | None:
        return Mean(self.accuracies.values()).value

    @property
    def dendrites(self) -> str:
        """`0-2`: the smallest and largest number on a unit; empty where networks cannot grow."""
        return _span([dendrites for dendrites, _ in self.sizes.values()])

    @property
    def parameters(self) -> str:
        return _span([parameters for _, parameters in self.sizes.values()])

    def curve(self, settings: Collection[str]) -> list[float]:
        """The mean bounty of the trials of some settings, loop by loop; the last is that of now."""
        climbs = [climb for setting, climb in self.climbs.items() if setting in settings]
        trials, gains = sum(climb.trials for climb in climbs), dict[int, float]()
        for climb in climbs:
            for loop, points in climb.gains.items():
                gains[loop] = gains.get(loop, 0.0) + points
        first = sum(climb.first for climb in climbs)
        sums = itertools.accumulate((gains[loop] for loop in sorted(gains)), initial=first)
        return [total / trials for total in sums] if trials else []


def _span(values: list[int]) -> str:
    if not values:
        return ""
    low, high = min(values), max(values)
    return f"{low:,}" if low == high else f"{low:,}-{high:,}"
