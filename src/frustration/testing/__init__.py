"""The contract of modes, for the tests of a new mode.

import pytest
from frustration.testing import contract

@pytest.mark.parametrize("claim", contract("shrink"), ids=str)
def test_shrink_keeps_the_contract(claim):
    claim.check()

A mode is named, or given as its class, which need not be installed then. Each claim trains some small
networks on a few images; together they take seconds. `trials` holds what the claims are made with.
"""

from __future__ import annotations

from dataclasses import dataclass

from frustration.modes import Mode
from frustration.modes.registry import make_known
from frustration.testing import claims as claims  # fills the list of promises
from frustration.testing.promises import Promise, promises
from frustration.testing.subject import ContractBroken, Subject

__all__ = ["Claim", "ContractBroken", "contract"]


@dataclass(frozen=True)
class Claim:
    """One promise of one mode."""

    subject: Subject
    promise: Promise

    def __str__(self) -> str:
        return f"{self.subject.name}: {self.promise.sentence}"

    def check(self) -> None:
        """Raise ContractBroken, an AssertionError, if it does not hold."""
        try:
            self.promise.check(self.subject)
        except ContractBroken as broken:
            raise ContractBroken(f"{self}? No: {broken}") from None


def contract(mode: str | type[Mode]) -> list[Claim]:
    """All that a mode promises; a class is made known to this process under its name."""
    if not isinstance(mode, str):
        make_known(mode)
        mode = mode.name
    subject = Subject(mode)
    return [Claim(subject, promise) for promise in promises() if promise.about(subject)]
