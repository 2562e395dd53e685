"""What an attack came to: how much was tried, and what became of each try."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field

from frustration.errors import FrustrationError

SECONDS = 60.0
"""Longer than this, and one try counts as a hang."""


@dataclass(kw_only=True)
class Tally:
    """The counts of one attack; tallies of several attacks can be added."""

    tried: int = 0
    noticed: int = 0
    """Refused in one sentence, or left out and named."""
    harmless: int = 0
    """Accepted, and what came out is what would have come out without the attack."""
    believed: int = 0
    """Accepted, and what came out is wrong."""
    tracebacks: int = 0
    """Ended in anything but a sentence."""
    hangs: int = 0
    details: list[str] = field(default_factory=list)
    """Of what was believed, ended in a traceback or hung: enough to do it again."""

    def __add__(self, other: Tally) -> Tally:
        names = ("tried", "noticed", "harmless", "believed", "tracebacks", "hangs", "details")
        return Tally(**{name: getattr(self, name) + getattr(other, name) for name in names})

    @property
    def survived(self) -> bool:
        """Nothing was believed, ended in a traceback or hung, and every try is accounted for."""
        counted = self.noticed + self.harmless + self.believed + self.tracebacks + self.hangs
        return self.tried > 0 and counted == self.tried and not self.details

    def __str__(self) -> str:
        names = ("tried", "noticed", "harmless", "believed", "tracebacks", "hangs")
        return ", ".join(f"{name} {getattr(self, name):,}" for name in names)

    def attempt(self, what: str, look: Callable[[], bool]) -> None:
        """One try. `look` says whether what came out is right; a FrustrationError of one line is a notice."""
        began = time.monotonic()
        self.tried += 1
        try:
            right = look()
        except FrustrationError as error:
            self.count("tracebacks" if "\n" in str(error) else "noticed", what)
        except Exception:  # whatever it is, a user would have seen a traceback
            self.count("tracebacks", f"{what}: {traceback.format_exc(limit=-2)}")
        else:
            late = time.monotonic() - began > SECONDS
            self.count("hangs" if late else "harmless" if right else "believed", what)

    def count(self, outcome: str, what: str) -> None:
        """Enter an outcome of a try that was counted already."""
        setattr(self, outcome, getattr(self, outcome) + 1)
        if outcome in ("believed", "tracebacks", "hangs"):
            self.details.append(f"{outcome}: {what}")
