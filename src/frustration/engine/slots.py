"""The slots of a group: which share their order of samples, and under which policy each is trained."""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate, pairwise


class SlotLayout(tuple[str, ...]):
    """Runs of slots that share their order of samples, a letter a slot: f for a fresh optimizer, p for a
    persistent one. `("ff", "fp")` are four slots. Rounding may depend on it.
    """

    __slots__ = ()

    @property
    def slots(self) -> int:
        """How many there are."""
        return sum(map(len, self))

    @property
    def policies(self) -> str:
        """The letters of all slots."""
        return "".join(self)

    @property
    def ranges(self) -> list[range]:
        """The slots of every run."""
        bounds = accumulate(map(len, self), initial=0)
        return [range(low, high) for low, high in pairwise(bounds)]

    def mates(self, slot: int) -> range:
        """The run that a slot is in."""
        return next(run for run in self.ranges if slot in run)

    def only(self, slots: Collection[int]) -> SlotLayout:
        """The layout of some of the slots, closed up."""
        chosen = ("".join(self.policies[slot] for slot in run if slot in slots) for run in self.ranges)
        return SlotLayout(filter(None, chosen))
