"""When a network grows, goes back, or is complete: the tracker of perforatedai 3.2.9.

A state machine over scores. It holds no network and draws no number: its caller keeps the saved network,
restores it and lets it grow when told to. It follows the library to the letter, two faults included, each
marked where it is: for the same scores the two decide the same.
"""

from __future__ import annotations

import copy
import math
from dataclasses import asdict, dataclass, field
from typing import Any, Final, Literal, Protocol, Self

from frustration.dendrites.settings import CAPACITY_DENDRITES, Settings
from frustration.errors import FrustrationError
from frustration.protocols import AnyNetwork

Action = Literal["train", "grow", "end"]
Outcome = Literal["open", "kept", "failed"]

TRAIN: Final = "train"
GROW: Final = "grow"
END: Final = "end"


class ScoreError(FrustrationError):
    """A score that the schedule cannot be told."""


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What is to be done now that a network was scored, in the order of the fields."""

    save: bool
    """The network just scored replaces the saved one."""
    action: Action
    restore: bool
    """Before it grows or ends, the network goes back to the saved one."""
    save_grown: bool
    """The network that has just grown, untrained, replaces the saved one."""
    why: str


@dataclass(kw_only=True)
class Attempt:
    """One growth and what became of it."""

    loop: int
    """Epochs trained before it."""
    dendrites: int
    """Per neuron, with the new one."""
    outcome: Outcome = "open"
    """kept: a network with it became the saved one. failed: the network went back before it. open: neither
    is known yet."""


class GrowthSchedule(Protocol):
    """What the meta-loop asks: this schedule answers, and so does the library's own tracker."""

    @property
    def settings(self) -> Settings: ...
    @property
    def counts_growth(self) -> bool: ...
    @property
    def attempts(self) -> list[Attempt]: ...
    @property
    def added(self) -> int: ...
    @property
    def ended(self) -> bool: ...
    def observe(self, score: float) -> Decision: ...
    def grown(self) -> AnyNetwork | None:
        """The network as it has grown by itself, right after `observe` said so; None: the caller grows it."""

    def state(self) -> dict[str, Any]: ...


@dataclass(kw_only=True)
class Tracker:
    """What is saved with a network and comes back with it; the names are those of section 'state' in
    docs/dendrites.md."""

    added: int = 0
    epoch: int = 0
    """Counted from 0 along the line that leads to the present network."""
    overwritten: int = 0
    """Epochs trained and undone: epoch + overwritten counts every one."""
    running: float = 1e-8
    current_best: float = 0.0
    global_best: float = 0.0
    last_improved: int = 0
    tries: int = 0
    set_global_best: bool = True
    """Whether the networks of this round have beaten those of all rounds before."""
    history: list[float] = field(default_factory=list)
    """The scores along that line."""
    switches: list[int] = field(default_factory=list)

    def since_switch(self) -> int:
        return self.epoch - (self.switches[-1] if self.switches else 0)


class Schedule:
    """Told a score after each epoch, it decides what comes next.

    With `counts_growth` off the caller restores and takes a fresh optimizer where a dendrite run would
    grow, and adds nothing: the same rounds, tries and margins, but `dendrites` stays 0.
    """

    def __init__(self, settings: Settings, counts_growth: bool = True) -> None:
        self.settings, self.counts_growth = settings, counts_growth
        self.now = Tracker()
        self.saved: Tracker | None = None
        self.observed = 0
        """All epochs, undone ones included."""
        self.attempts: list[Attempt] = []
        self.ended = False
        self.foreign: dict[str, Any] = {}
        """What another keeper of this state put beside it; it goes through untouched."""
        capacity = settings.testing_dendrite_capacity
        self._mode = "every" if capacity else settings.switch_mode
        self._retain = capacity or settings.retain_all_dendrites
        self._max_dendrites = 1000 if capacity else settings.max_dendrites
        self._max_tries = 1000 if capacity else settings.max_dendrite_tries

    @property
    def added(self) -> int:
        """Rounds of growth along the line that leads to the present network."""
        return self.now.added

    @property
    def dendrites(self) -> int:
        """Dendrites per neuron that the present network has."""
        return self.now.added if self.counts_growth else 0

    @property
    def tries(self) -> int:
        """Failed tries, as the library counts them."""
        return self.now.tries

    def observe(self, score: float) -> Decision:
        """Tell the score of the network just trained. NaN and infinities are refused: told one, the library
        takes its running average for NaN until the next switch and knows no best any more."""
        if self.ended:
            raise ScoreError("the dendrite schedule has ended; it takes no more scores")
        self.refuse(score)
        score = float(score)
        self.observed += 1
        save = self._note(score)
        if save:
            self.saved = copy.deepcopy(self.now)
        reason = self._switch_reason()
        if reason is None:
            self.now.epoch += 1
            return self._decide(save, TRAIN, self._said_of(save))
        if self.settings.testing_dendrite_capacity and self.now.added >= CAPACITY_DENDRITES:
            return self._end(save, f"the capacity test has added {self.now.added} dendrites", restore=False)
        if self.now.set_global_best:
            if self.now.added == self._max_dendrites:
                limit = self._max_dendrites
                return self._end(save, f"{reason}, and max_dendrites={limit} {_are(limit)} reached")
            # The library sets `tries` to 0 here and loses that by restoring: a later round has fewer (T8).
            return self._grow(save, reason)
        self._close("failed")
        if self.now.tries < self._max_tries - 1:
            tries = self.now.tries + 1
            decision = self._grow(
                save, f"{reason}, and try {tries} of {self._max_tries} did not beat the best"
            )
            self.now.tries = tries
            return decision
        return self._end(save, f"{reason}, and the last of {self._max_tries} tries did not beat the best")

    def wait(self, score: float) -> bool:
        """Enter a score without ending the round, and begin to be patient anew; whether it is to be saved."""
        self.refuse(score)
        self.observed += 1
        save = self._note(float(score))
        if save:
            self.saved = copy.deepcopy(self.now)
        self.now.last_improved = self.now.epoch
        self.now.epoch += 1
        return save

    @staticmethod
    def refuse(score: float) -> None:
        """Raise ScoreError for what is not a finite number."""
        if not math.isfinite(score):
            raise ScoreError(
                f"the validation score is {score} and not a number to compare; the network diverged: "
                "try a smaller learning rate"
            )

    def grown(self) -> AnyNetwork | None:
        """None: the caller lets the network grow."""
        return None

    def loops_before_first_switch(self) -> int | None:
        """The earliest epoch, from 1, after which it can grow or, with max_dendrites=0, end; None: never."""
        at_least = max(1, self.settings.min_epochs_before_growth)
        if self._mode == "every":
            return at_least
        if self._mode == "history":
            # The first epoch is never a best (nor those of the initial history); the next always is.
            patient = self.settings.initial_history_after_switches + self.settings.n_epochs_to_switch + 2
            return max(patient, at_least)
        if self._mode == "fixed":
            every = self.settings.fixed_switch_num
            return every * math.ceil(max(at_least, self.settings.first_fixed_switch_num) / every)
        return None

    def state(self) -> dict[str, Any]:
        """Everything, as JSON values; `from_state` resumes from it."""
        return {
            **self.foreign,
            "settings": self.settings.to_dict(),
            "counts_growth": self.counts_growth,
            "now": asdict(self.now),
            "saved": asdict(self.saved) if self.saved else None,
            "observed": self.observed,
            "attempts": [asdict(attempt) for attempt in self.attempts],
            "ended": self.ended,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        schedule = cls(Settings.of(state["settings"]), state["counts_growth"])
        schedule.now = Tracker(**copy.deepcopy(state["now"]))
        schedule.saved = Tracker(**copy.deepcopy(state["saved"])) if state["saved"] else None
        schedule.observed = state["observed"]
        schedule.attempts = [Attempt(**attempt) for attempt in state["attempts"]]
        schedule.ended = state["ended"]
        schedule.foreign = {key: value for key, value in state.items() if key not in schedule.state()}
        return schedule

    def _note(self, score: float) -> bool:
        """Enter a score; whether its network is to be saved."""
        now, settings = self.now, self.settings
        since, waiting = now.since_switch(), settings.initial_history_after_switches
        if since < waiting:
            share = 1.0 / (since + 1)
            now.running = score if since <= 0 else now.running * (1 - share) + score * share
        else:
            share = 1.0 / settings.history_lookback
            # With a lookback the average starts near 0: as a loss, a best beyond reach (T9).
            now.running = now.running * (1.0 - share) + score * share
        now.history.append(score)
        late_enough = since > waiting or self._mode == "every"  # strictly: epoch 0 is never a best
        # A best of 0 means that there is none yet (T11).
        if late_enough and (self._beats(now.running, now.current_best) or now.current_best == 0):
            now.current_best, now.last_improved = now.running, now.epoch
            if self._beats(now.current_best, now.global_best) or now.global_best == 0:
                now.global_best, now.set_global_best = now.current_best, True
                self._close("kept")
                return True
            return False
        return len(now.history) == 1

    def _beats(self, new: float, old: float) -> bool:
        margin = self.settings.improvement_threshold.at(self.now.added)
        raw = self.settings.improvement_threshold_raw
        if self.settings.maximizing_score:
            return new * (1.0 - margin) > old and new - raw > old
        return new * (1.0 + margin) < old and new + raw < old

    def _switch_reason(self) -> str | None:
        """Why this round is over; None where it continues."""
        now, settings = self.now, self.settings
        if self.observed < settings.min_epochs_before_growth:
            return None
        if self._mode == "every":
            return "every epoch ends a round"
        if self._mode == "history":
            patience, waiting = settings.n_epochs_to_switch, settings.initial_history_after_switches
            idle = now.epoch - now.last_improved
            if idle >= patience and now.since_switch() >= waiting + patience:
                return f"no new best for {idle} epochs"
        if self._mode == "fixed":
            every = settings.fixed_switch_num
            counted = now.epoch + now.overwritten
            if counted % every == every - 1 and now.epoch >= settings.first_fixed_switch_num - 1:
                return f"{every} epochs end a round"
        return None

    def _grow(self, save: bool, why: str) -> Decision:
        epoch, overwritten = self.now.epoch, self.now.overwritten
        now = self._restore()
        now.overwritten = overwritten + epoch - now.epoch
        now.added += 1
        now.switches += [now.epoch, now.epoch]
        now.set_global_best = self._retain
        now.current_best = now.running = 0.0
        if self._retain:
            now.global_best = 0.0
            self.saved = copy.deepcopy(now)
        now.epoch += 1
        now.last_improved = now.epoch
        outcome: Outcome = "kept" if self._retain else "open"
        self.attempts.append(Attempt(loop=self.observed, dendrites=self.dendrites, outcome=outcome))
        does = (
            f"dendrite {now.added} of each neuron grows" if self.counts_growth else "a fresh start, no growth"
        )
        return self._decide(save, GROW, f"{why}: {does}", restore=True)

    def _end(self, save: bool, why: str, restore: bool = True) -> Decision:
        if restore:
            self._restore()
        self.ended = True
        return self._decide(save, END, f"{why}: the end", restore=restore)

    def _restore(self) -> Tracker:
        if self.saved is None:
            raise RuntimeError("the first score is always saved")
        self.now = copy.deepcopy(self.saved)
        self.now.current_best, self.now.last_improved = 0.0, self.now.epoch
        return self.now

    def _close(self, outcome: Outcome) -> None:
        if self.attempts and self.attempts[-1].outcome == "open":
            self.attempts[-1].outcome = outcome

    def _decide(self, save: bool, action: Action, why: str, restore: bool = False) -> Decision:
        grown = action == GROW and self._retain
        return Decision(save=save, action=action, restore=restore, save_grown=grown, why=why)

    def _said_of(self, save: bool) -> str:
        if save:
            return "a new best"
        idle = self.now.epoch - 1 - self.now.last_improved
        return f"{idle} epochs without a new best" if idle else "a best of its round"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
