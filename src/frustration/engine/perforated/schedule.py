"""The library's tracker behind the face of our schedule, and our schedule beside it as a witness.

The tracker decides. Ours is told the same scores and has to come to the same decision, because it carries
what the tracker does not tell: reasons, attempts, what was saved. Where the two part, the trial ends.
"""

from __future__ import annotations

from typing import Any

from frustration.dendrites.schedule import END, GROW, Attempt, Decision, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.perforated.process import LibraryError, LibraryProcess
from frustration.protocols import AnyNetwork, AnyShape

STATE = "perforatedai"
"""The key under which a schedule's state holds what the library would forget."""


class LibrarySchedule:
    """The same questions as `Schedule`, answered by perforatedai.

    `mirrored` is off for licensed Perforated Backpropagation, whose rules are not ours to know.
    """

    counts_growth = True

    def __init__(
        self, mirror: Schedule, process: LibraryProcess, bare: AnyShape, mirrored: bool = True
    ) -> None:
        self._mirror, self._process, self._bare, self._mirrored = mirror, process, bare, mirrored
        self._grown: AnyNetwork | None = None
        self._added = mirror.added
        self._kept: dict[str, Any] | None = None
        """What the library would forget, as it was after the last score."""

    @property
    def settings(self) -> Settings:
        return self._mirror.settings

    @property
    def attempts(self) -> list[Attempt]:
        return self._mirror.attempts

    @property
    def added(self) -> int:
        return self._added

    @property
    def ended(self) -> bool:
        return self._mirror.ended

    def observe(self, score: float) -> Decision:
        """Tell the library a score that is a number; it restores and grows its own network."""
        hold = self._mirror.observed + 1 < self.settings.min_epochs_before_growth
        expected = self._mirror.observe(score) if self._mirrored else None
        if expected is None:
            Schedule.refuse(score)
        self._kept = None
        message, arrays = self._process.ask("observe", score=float(score), hold=hold)
        self._added = int(message["added"])
        decision = expected or self._said(message)
        if expected is not None and (message["action"], self._added) != (expected.action, self._mirror.added):
            raise LibraryError(
                f"perforatedai decided to {message['action']} at {self._added} dendrites where its rules, as "
                f"this version knows them, say to {expected.action} at {self._mirror.added} ({expected.why})"
            )
        self._grown = None
        if decision.action != "train":
            shape = self._bare.with_dendrites(message["dendrites"], self.settings.pai_forward_function)
            self._grown = shape.view(arrays["weights"])
        return decision

    def grown(self) -> AnyNetwork | None:
        """The network that the library put in place when it last decided to grow or to end."""
        return self._grown

    @property
    def closed(self) -> bool:
        """Whether its process is gone; what it knew is in `state`."""
        return not self._process.alive

    def __reduce__(self) -> tuple[Any, ...]:
        """Copied or sent elsewhere it is our schedule, with what the library would forget beside it."""
        return Schedule.from_state, (self.state(),)

    def state(self) -> dict[str, Any]:
        """The witness's state, and what the library would forget."""
        if self._kept is None:
            self._kept, _ = self._process.ask("state")
        return {**self._mirror.state(), STATE: self._kept}

    def resume(self, network: AnyNetwork, saved: AnyNetwork | None) -> None:
        """Bring a library that has just been started to where the witness stands."""
        kept = self._mirror.foreign.get(STATE)
        if kept is None:  # it starts as the library does
            return
        arrays = {"weights": network.vector}
        if saved is not None:
            arrays["best_weights"] = saved.vector
        self._process.ask(
            "resume",
            arrays,
            **kept,
            dendrites=list(network.shape.dendrites),
            best_dendrites=list(saved.shape.dendrites) if saved is not None else [],
        )

    def _said(self, message: dict[str, Any]) -> Decision:
        """What the library did, where nothing else knows its rules."""
        action = message["action"]
        self._mirror.observed += 1
        self._mirror.ended = action == END
        grew = action == GROW and self._added > self._mirror.now.added
        self._mirror.now.added = self._added
        if grew:
            self._mirror.attempts.append(Attempt(loop=self._mirror.observed, dendrites=self._added))
        return Decision(
            save="best_model" in message["saved"],
            action=action,
            restore=action != "train",
            save_grown=False,
            why=f"perforatedai decided to {action}",
        )
