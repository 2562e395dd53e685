"""What a mode is: a frozen dataclass whose fields are its knobs and whose methods are its treatment.

A mode can act at two moments of a meta-loop: on the candidate's weights, before it is trained
(`intervene`), and on how its epoch is trained (`training`). It does not decide what is accepted, draws
no number but from the context's streams, and never sees another trial.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from frustration.errors import InputError
from frustration.protocols import AnyNetwork, AnyShape
from frustration.streams import Stream, Streams

Evidence = dict[str, Any]
"""What a treatment really did in one loop: JSON values, kept in the record."""

Knobs = Mapping[str, Any]


class ModeError(InputError):
    """A mode that does not exist, is misspelt, or has nothing to act on."""


@dataclass(frozen=True, kw_only=True)
class EpochSettings:
    """How one epoch is trained."""

    learning_rate: float
    weight_decay: float = 0.0
    dropout: float = 0.0


class LoopContext:
    """What a mode may see of the loop it acts in."""

    def __init__(self, streams: Streams, loop: int, probe: Any, steps: int = 1) -> None:
        self.streams, self.loop = streams, loop
        self.steps = steps
        """Optimizer steps of one epoch."""
        self.probe = probe
        """Up to 1,000 training samples, the first, as a network's `activity` takes them."""
        self._open: dict[str, Stream] = {}

    def stream(self, purpose: str) -> Stream:
        """The loop's stream for a purpose; modes of one composition draw from it one after another."""
        if purpose not in self._open:
            self._open[purpose] = self.streams.stream(purpose, self.loop)
        return self._open[purpose]


@dataclass(frozen=True, kw_only=True)
class Mode:
    """One treatment with its knobs; the class docstring is its help."""

    name: ClassVar[str]
    damages: ClassVar[bool] = False
    """Whether `intervene` changes weights; only said here, and held to by the contract tests."""
    ratchet: ClassVar[bool] = True
    """Whether the next candidate starts from the LKG; if not, training continues from the current weights."""
    widens: ClassVar[bool] = False
    """Whether another network is trained than the one that was asked for."""
    insists: ClassVar[bool] = False
    """Whether the ratchet holds, and the optimizer is fresh, whatever the other modes would do."""
    optimizer: ClassVar[str] = "fresh"
    """The optimizer policy that belongs to this mode unless the user names another."""
    dose_knob: ClassVar[str | None] = None
    """The knob that, at 0, turns the mode into its control."""
    control: ClassVar[bool] = False
    """Whether this is a control, which cannot be inert, rather than a treatment."""
    controls: ClassVar[tuple[str, ...]] = ()
    """The modes that this one is compared with, the best first; if it names none, `none`, which has nothing
    but the ratchet, or for a mode without the ratchet `plain`."""

    @classmethod
    def with_knobs(cls, knobs: Mapping[str, str | Any]) -> Self:
        """The mode with some knobs set, from text or values; unknown knobs are named."""
        fields = {field.name: field for field in dataclasses.fields(cls)}
        for knob in knobs:
            if knob not in fields:
                known = ", ".join(fields) or "no knobs"
                raise ModeError(f'mode "{cls.name}" has no knob "{knob}"; it has {known}')
        return cls(**{knob: cls._value(fields[knob], value) for knob, value in knobs.items()})

    @classmethod
    def _value(cls, field: dataclasses.Field[Any], value: Any) -> Any:
        read = field.metadata.get("read", float)
        try:
            return read(value)
        except ValueError as error:
            raise ModeError(f'mode "{cls.name}": {field.name}={value}: {error}') from None

    @classmethod
    def controlled_by(cls) -> tuple[str, ...]:
        """The modes that this one is compared with."""
        return cls.controls or (("none",) if cls.ratchet else ("plain",))

    @property
    def knobs(self) -> dict[str, Any]:
        """All knobs with their values, defaults included."""
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}

    def label(self) -> str:
        """As a user would write it: knobs that differ from their defaults are shown."""
        usual = type(self)().knobs
        # As text, because 1 == 1.0, and yet one is a unit and the other all of them.
        changed = {knob: v for knob, v in self.knobs.items() if str(v) != str(usual[knob])}
        return self.name + "".join(f":{knob}={_text(value)}" for knob, value in changed.items())

    def widened(self, shape: AnyShape) -> AnyShape:
        """The network that is trained in place of the one that was asked for."""
        return shape

    def check(self, shape: AnyShape) -> None:
        """Raise ModeError where this mode has nothing to act on in such a network."""

    def intervene(self, candidate: AnyNetwork, context: LoopContext) -> Evidence:
        """Change the candidate's weights in place, from global loop 2 on; say what was done."""
        return {}

    def training(self, settings: EpochSettings) -> EpochSettings:
        """Change how the epoch is trained, in every loop."""
        return settings

    def training_evidence(self, settings: EpochSettings) -> Evidence:
        """What acts during the epoch."""
        return {}

    def idle(self, settings: EpochSettings, loops: int) -> bool:
        """Whether arithmetic says beforehand that it does nothing in any of so many loops.

        True promises the bits of a trial without it, and no evidence but that of `training_evidence`.
        """
        return False

    def acted(self, evidence: Evidence) -> bool:
        """Whether the evidence of one loop shows that the treatment did anything."""
        return bool(evidence)


def _text(value: Any) -> str:
    return ";".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def probability(text: Any) -> float:
    """A knob's value in [0, 1)."""
    value = float(text)
    if not 0 <= value < 1:
        raise ValueError("must be in [0, 1)")
    return value


def non_negative(text: Any) -> float:
    """A knob's value of 0 or more."""
    value = float(text)
    if not 0 <= value < float("inf"):
        raise ValueError("must be a finite number, 0 or more")
    return value
