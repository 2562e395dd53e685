"""The control of a treatment: one rule for the report, `train` and studies.

Every mode names its controls (`Mode.controls`); the treatment of a trial has its own control where the same
comparison holds one of these, under the same policies. Beside it stands the baseline, one arm for everybody:
the one that the user chose, or `none`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from frustration.errors import InputError

if TYPE_CHECKING:
    from frustration.spec import TrialSpec


class Comparable(Protocol):
    """What has to be known of an arm to find its control."""

    @property
    def label(self) -> str:
        """The treatment as a user would write it."""

    @property
    def program(self) -> str:
        """The treatment without knobs and policies."""

    @property
    def policies(self) -> tuple[str, ...]:
        """Optimizer, acceptance, length of a loop."""

    @property
    def departures(self) -> str:
        """How the policies differ from the usual ones of the program, as its label ends: `/ties`, or ""."""

    @property
    def controls(self) -> tuple[str, ...]:
        """Programs that it may be compared with, the best first."""

    @property
    def treatments(self) -> tuple[str, ...]:
        """The names of its components that are no mere controls."""


@dataclass(frozen=True, kw_only=True)
class Contender:
    """An arm, from the specification of its trials."""

    label: str
    program: str
    policies: tuple[str, ...]
    departures: str
    controls: tuple[str, ...]
    treatments: tuple[str, ...]

    @classmethod
    def of(cls, spec: TrialSpec) -> Self:
        return cls(
            label=spec.label,
            program=str(spec.program),
            policies=(spec.optimizer, str(spec.acceptance), spec.updates),
            departures=spec.label.removeprefix(spec.program.label),
            controls=spec.program.controls,
            treatments=spec.program.treatments,
        )


Arm = TypeVar("Arm", bound=Comparable)


def own_control(one: Arm, arms: Sequence[Arm]) -> Arm | None:
    """The arm that differs from `one` in what it tests and in nothing else; None where there is none.

    Of the programs that its mode names, the first under the same policies, or as far from its usual ones.
    What differs from its usual policies may also be compared with the same, knobs included, under those.
    """
    others = [arm for arm in arms if arm.label != one.label]
    for program in one.controls:
        named = [arm for arm in others if arm.program == program]
        alike = [arm for arm in named if arm.policies == one.policies]
        alike += [arm for arm in named if arm.departures == one.departures]
        if alike:
            return alike[0]
    if one.departures:
        usual = (arm for arm in others if not arm.departures)
        return next((arm for arm in usual if one.label.startswith(f"{arm.label}/")), None)
    return None


def baseline_of(arms: Sequence[Arm], chosen: str | None = None) -> Arm:
    """The baseline: the chosen arm, `none`, or the one that most others have as
    their control; among several under the policies of most; else the first."""
    if chosen is not None:
        found = next((arm for arm in arms if arm.label == chosen), None)
        if found is None:
            raise InputError(
                f'there is no treatment "{chosen}" to compare with; there are '
                f"{', '.join(arm.label for arm in arms)}"
            )
        return found
    votes = Counter(control.label for arm in arms if (control := own_control(arm, arms)) is not None)
    common = Counter(arm.policies for arm in arms if arm.program != "none")

    def standing(arm: Arm) -> tuple[bool, int, bool, int]:
        return arm.program == "none", votes[arm.label], not arm.treatments, common[arm.policies]

    return max(arms, key=standing)


def control_of(one: Arm, arms: Sequence[Arm], baseline: Arm) -> Arm | None:
    """Its own control, or else the baseline; None for an arm that is a control itself."""
    own = own_control(one, arms)
    if own is not None:
        return own
    root = one.label == baseline.label or one.controls == (one.program,)
    return None if root else baseline
