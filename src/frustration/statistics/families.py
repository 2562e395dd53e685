"""Many tests at once: corrections, and a verdict for each member of a family.

The primary family is the modes of one architecture against control, under Holm: the chance of even one false
claim in it is at most alpha. Benjamini-Hochberg is for exploration: of its finds, a share alpha is false.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from frustration.errors import InputError
from frustration.statistics import paired, unpaired
from frustration.statistics.inputs import Array, finite, fraction
from frustration.statistics.results import Significance

Finding = Literal["better", "worse", "undecided", "n too small", "too few draws", "mostly inert", "inert"]


def holm(p: ArrayLike) -> Array:
    """p values (tests,) -> adjusted p values (tests,): at or below alpha is a claim of the whole family."""
    values = _p_values(p)
    order = np.argsort(values, kind="stable")
    steps = np.maximum.accumulate(values[order] * np.arange(values.size, 0, -1))
    return _restored(np.minimum(1.0, steps), order)


def benjamini_hochberg(p: ArrayLike) -> Array:
    """p values (tests,) -> adjusted p values (tests,): of those up to alpha, a share alpha is false."""
    values = _p_values(p)
    order = np.argsort(values, kind="stable")[::-1]
    steps = np.minimum.accumulate(values[order] * values.size / np.arange(values.size, 0, -1))
    return _restored(np.minimum(1.0, steps), order)


def _p_values(p: ArrayLike) -> Array:
    values = finite(p, "p values")
    if values.min() < 0.0 or values.max() > 1.0:
        raise InputError(f"p values: from {values.min()} to {values.max()}; expected numbers from 0 to 1")
    return values


def _restored(ordered: Array, order: np.ndarray[tuple[int], np.dtype[np.int64]]) -> Array:
    values = np.empty_like(ordered)
    values[order] = ordered
    return values


@dataclass(frozen=True, kw_only=True)
class Member:
    """One test of a family."""

    name: str
    test: Significance
    finding: Finding
    adjusted_p: float | None
    """By Holm within the family; None for an inert member, which is not in it."""
    needs: int | None = None
    """Trials (or, where draws are too few, draws) without which no outcome could have been a claim; None
    where nothing is missing, or no number of trials would do."""

    @property
    def verdict(self) -> str:
        """The finding in words: "n too small: needs n = 8"."""
        if self.finding == "n too small":
            return "n too small" if self.needs is None else f"n too small: needs n = {self.needs}"
        if self.finding == "too few draws":
            return f"too few draws: needs {self.needs:,}"
        return self.finding


@dataclass(frozen=True, kw_only=True)
class Family:
    """Tests that are corrected together."""

    alpha: float
    members: tuple[Member, ...]
    """In the order given, inert ones included."""

    @property
    def size(self) -> int:
        """How many are corrected for; inert members do not count."""
        return sum(member.adjusted_p is not None for member in self.members)

    @property
    def needs(self) -> int | None:
        """The trials with which every member could be a claim; None where n is not what is missing, or where
        equal values keep the tests of some member from ever rejecting."""
        missing = [m.needs for m in self.members if m.finding == "n too small"]
        known = [needs for needs in missing if needs is not None]
        return max(known, default=None) if len(known) == len(missing) else None

    def __getitem__(self, name: str) -> Member:
        return next(member for member in self.members if member.name == name)


def judge(tests: Mapping[str, Significance], *, inert: Collection[str] = (), alpha: float = 0.05) -> Family:
    """A verdict for each test by Holm at `alpha`.

    Members named in `inert`, and those whose pairs are all equal to control, leave the family: a treatment
    that never acted has nothing to test, and must not cost the others power. Where even the smallest
    attainable p of all members would not pass Holm, the verdict is not "undecided" but names the n that is
    needed.
    """
    fraction(alpha, "alpha")
    if unknown := set(inert) - set(tests):
        raise InputError(f"inert: {', '.join(sorted(unknown))} is not among the tests {', '.join(tests)}")
    idle = {name for name, test in tests.items() if name in inert or test.informative == 0}
    active = {name: test for name, test in tests.items() if name not in idle}
    adjusted = _by_name(active, [test.p for test in active.values()])
    best_case = _by_name(active, [test.smallest_p for test in active.values()])
    members = []
    for name, test in tests.items():
        if name in idle:
            members.append(Member(name=name, test=test, finding="inert", adjusted_p=None))
        elif best_case[name] > alpha:
            finding, needs = missing(test, alpha / len(active))
            members.append(
                Member(name=name, test=test, finding=finding, adjusted_p=adjusted[name], needs=needs)
            )
        else:
            finding = found(test, adjusted[name], alpha)
            members.append(Member(name=name, test=test, finding=finding, adjusted_p=adjusted[name]))
    return Family(alpha=alpha, members=tuple(members))


def _by_name(tests: Mapping[str, Significance], p: list[float]) -> dict[str, float]:
    return dict(zip(tests, holm(p).tolist(), strict=True)) if p else {}


def found(test: Significance, adjusted_p: float, alpha: float) -> Finding:
    if adjusted_p > alpha:
        return "undecided"
    return "better" if test.effect > 0 else "worse"


def missing(test: Significance, target: float) -> tuple[Finding, int | None]:
    """What is needed before the smallest p can be `target`: more trials, or more random draws.

    The number is None where equal values keep the test from it, however many trials there are.
    """
    if test.draws is not None and 1.0 / (test.draws + 1) > target:
        return "too few draws", math.ceil(1.0 / target) - 1
    pairs: int | None
    if test.paired:  # pairs without a difference say nothing; as large a share is expected among new ones
        pairs = math.ceil(paired.trials_to_reach(target) * test.n / test.informative)
    else:
        pairs = unpaired.trials_to_reach_with_ties(target, test.ties or (1,))
    return "n too small", None if pairs is None else max(pairs, test.n + 1)
