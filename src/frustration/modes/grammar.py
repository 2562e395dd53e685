"""The language of modes: `hidden`, `hidden+dropout`, `dropout@1-50,hidden:dose=3@51-`, `none/persist`.

    mode     = segment ("," segment)* ("/" policy)*
    segment  = component ("+" component)* ["@" first "-" [last]]
    component = name (":" knob "=" value)*
    policy   = an optimizer (fresh, persist, persist-masked), an acceptance (strict, ties, patience-K)
               or the length of a loop (epochs, equal-updates)

Segments are schedules by global loops, both ends included; together they cover every loop once.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from frustration.errors import InputError
from frustration.modes.base import Mode, ModeError
from frustration.modes.dendrites import Dendrites
from frustration.modes.registry import mode_named
from frustration.policy import OPTIMIZERS, UPDATES, Acceptance
from frustration.protocols import AnyShape


@dataclass(frozen=True)
class Segment:
    """Modes that act together, in this order, from loop `first` to loop `last` (None: for ever)."""

    components: tuple[Mode, ...]
    first: int = 1
    last: int | None = None

    @property
    def names(self) -> str:
        return "+".join(mode.name for mode in self.components)

    @property
    def ratchet(self) -> bool:
        return any(mode.insists for mode in self.components) or all(m.ratchet for m in self.components)

    @property
    def growing(self) -> Dendrites | None:
        """The mode whose schedule says when the network grows."""
        return next((mode for mode in self.components if isinstance(mode, Dendrites)), None)

    @property
    def optimizer(self) -> str:
        if any(mode.insists for mode in self.components):
            return "fresh"
        return next((mode.optimizer for mode in self.components if mode.optimizer != "fresh"), "fresh")

    @property
    def controls(self) -> tuple[str, ...]:
        """The modes that these together are compared with: `none` where the ratchet was asked for, else what
        the first component names that does not name `none`."""
        if len(self.components) > 1 and any(mode.insists for mode in self.components):
            return ("none",)
        named = (mode.controlled_by() for mode in self.components)
        return next((controls for controls in named if controls != ("none",)), ("none",))

    @property
    def treatments(self) -> tuple[str, ...]:
        """Components that are no mere controls."""
        return tuple(mode.name for mode in self.components if not mode.control)

    def __str__(self) -> str:
        return self.names + self.range

    def label(self) -> str:
        """As a user would write it: knobs that differ from their defaults are shown."""
        return "+".join(mode.label() for mode in self.components) + self.range

    @property
    def range(self) -> str:
        """`@1-50`; nothing for all loops."""
        if (self.first, self.last) == (1, None):
            return ""
        return f"@{self.first}-{'' if self.last is None else self.last}"


@dataclass(frozen=True)
class Program:
    """What is done to one trial over all its loops."""

    segments: tuple[Segment, ...]

    def __post_init__(self) -> None:
        due = 1
        for number, segment in enumerate(self.segments):
            closed = segment.last is not None
            if closed and segment.last is not None and segment.last < segment.first:
                raise ModeError(f'mode "{self}": "{segment}" ends before it begins')
            if segment.first != due:
                what = "a gap" if segment.first > due else "an overlap"
                raise ModeError(f'mode "{self}": {what} before "{segment}": loop {due} is due there')
            if not closed and number < len(self.segments) - 1:
                alone = all(one.first == 1 and one.last is None for one in self.segments)
                hint = f"; two modes are compared as {segment} {self.segments[-1]}, combined with +"
                hint = hint if alone else ""
                raise ModeError(f'mode "{self}": only the last range may be left open, not "{segment}"{hint}')
            due = (segment.last or 0) + 1
        if len(self.segments) > 1 and any(m.widens for s in self.segments for m in s.components):
            raise ModeError(f'mode "{self}": a network cannot change its width from one range to the next')
        growing = [s.first for s in self.segments if s.growing and s.growing.can_grow]
        if growing and any(restart >= growing[0] for restart in self._restarts):
            raise ModeError(f'mode "{self}": "restart" begins without dendrites: leave out one of the two')
        if len(self._functions) > 1:
            functions = " and ".join(sorted(self._functions))
            raise ModeError(f'mode "{self}": dendrites of one network cannot compute both {functions}')

    @classmethod
    def parse(cls, text: str, defaults: Mapping[str, Mapping[str, Any]] | None = None) -> Program:
        """Read the part before any "/"; `defaults` are knobs for components that do not name them."""
        spelt = _WIDE.sub(r"wide:dendrites=\1", text)
        return cls(tuple(_segment(text, part, defaults or {}) for part in spelt.split(",")))

    @classmethod
    def of_knobs(cls, text: str, knobs: Sequence[Mapping[str, Any]]) -> Program:
        """The program that `str()` and `knobs` describe together, as records keep it."""
        plain, left = cls.parse(text), list(knobs)
        segments = []
        for segment in plain.segments:
            settings = [left.pop(0) for _ in segment.components]
            components = [
                mode_named(mode.name).with_knobs({k: v for k, v in setting.items() if k != "mode"})
                for mode, setting in zip(segment.components, settings, strict=True)
            ]
            segments.append(replace(segment, components=tuple(components)))
        return cls(tuple(segments))

    def at(self, loop: int) -> Segment:
        """What acts in a global loop."""
        for segment in self.segments:
            if segment.last is None or loop <= segment.last:
                return segment
        raise ModeError(
            f'mode "{self}" says nothing about loop {loop}; leave the last range open, '
            f'as in "{self.segments[-1].names}@{self.segments[-1].first}-"'
        )

    def check(self, shape: AnyShape, loops: int) -> None:
        """Raise ModeError where a component has nothing to act on or a loop has no mode."""
        for segment in self.segments:
            for mode in segment.components:
                mode.check(shape)
        self.at(loops)

    def widened(self, shape: AnyShape) -> AnyShape:
        """The network that is trained."""
        for mode in self.segments[0].components:
            shape = mode.widened(shape)
        return shape

    @property
    def treatments(self) -> tuple[str, ...]:
        """Components that are no mere controls, each once."""
        return tuple(dict.fromkeys(name for segment in self.segments for name in segment.treatments))

    @property
    def controls(self) -> tuple[str, ...]:
        """Programs to compare with, the best first: every range that treats has its control in its place."""
        found = []
        for choice in range(max(len(segment.controls) for segment in self.segments)):
            names = [
                s.controls[min(choice, len(s.controls) - 1)]
                if s.treatments or not self.treatments
                else s.names
                for s in self.segments
            ]
            if len(set(names)) == 1:
                found.append(names[0])
            else:
                ranges = zip(names, self.segments, strict=True)
                found.append(",".join(name + segment.range for name, segment in ranges))
        return tuple(dict.fromkeys(found))

    @property
    def grows(self) -> bool:
        """Whether networks may change their size in some of its loops."""
        return any(segment.growing for segment in self.segments)

    @property
    def restarts(self) -> bool:
        """Whether networks begin anew in some of its loops."""
        return bool(self._restarts)

    @property
    def _restarts(self) -> list[int]:
        return [s.first for s in self.segments for mode in s.components if mode.name == "restart"]

    @property
    def forward_function(self) -> str | None:
        """Of the dendrites that it can add; None where it adds none."""
        return next(iter(self._functions), None)

    @property
    def _functions(self) -> set[str]:
        modes = (segment.growing for segment in self.segments)
        return {mode.pai_forward_function for mode in modes if mode is not None and mode.can_grow}

    @property
    def optimizer(self) -> str:
        """The policy that belongs to the components, unless the user names another."""
        return next((s.optimizer for s in self.segments if s.optimizer != "fresh"), "fresh")

    @property
    def knobs(self) -> list[dict[str, Any]]:
        """The knobs of every component in order of appearance, all of them explicit."""
        return [{"mode": mode.name, **mode.knobs} for s in self.segments for mode in s.components]

    @functools.cached_property
    def label(self) -> str:
        return ",".join(segment.label() for segment in self.segments)

    def __str__(self) -> str:
        return ",".join(str(segment) for segment in self.segments)


@dataclass(frozen=True)
class ModeChoice:
    """A mode as the user wrote it: the program, and the policies if they were named."""

    program: Program
    optimizer: str | None = None
    acceptance: Acceptance | None = None
    updates: str | None = None

    @classmethod
    def parse(cls, text: str, defaults: Mapping[str, Mapping[str, Any]] | None = None) -> ModeChoice:
        body, *policies = text.strip().split("/")
        choice = cls(Program.parse(body, defaults))
        for policy in policies:
            if policy in OPTIMIZERS:
                choice = replace(choice, optimizer=policy)
                continue
            if policy in UPDATES:
                choice = replace(choice, updates=policy)
                continue
            try:
                choice = replace(choice, acceptance=Acceptance.parse(policy))
            except InputError:
                raise ModeError(
                    f'mode "{text}": after "/" comes an optimizer ({", ".join(OPTIMIZERS)}), '
                    f'an acceptance (strict, ties, patience-K) or equal-updates, not "{policy}"'
                ) from None
        return choice


_WIDE = re.compile(r"\bwide@([0-9]+)(?![0-9-])", re.ASCII)
"""The dendrites that `wide` stands in for; a range of loops has a hyphen."""
_RANGE = re.compile(r"([1-9][0-9]{0,8})-([1-9][0-9]{0,8})?", re.ASCII)


def _segment(whole: str, text: str, defaults: Mapping[str, Mapping[str, Any]]) -> Segment:
    body, at, loops = text.strip().partition("@")
    first, last = 1, None
    if at:
        match = _RANGE.fullmatch(loops)
        if not match:
            raise ModeError(f'mode "{whole}": "{text.strip()}" wants loops as "@1-50" or, to the end, "@51-"')
        first, last = int(match[1]), int(match[2]) if match[2] else None
    components = tuple(_component(whole, part.strip(), defaults) for part in body.split("+"))
    names = [mode.name for mode in components]
    if len(set(names)) < len(names):
        raise ModeError(f'mode "{whole}": "{text.strip()}" names one mode twice; use its dose instead')
    if sum(isinstance(mode, Dendrites) for mode in components) > 1:
        raise ModeError(f'mode "{whole}": "{text.strip()}" has two schedules of growth; name one')
    if "restart" in names and any(isinstance(mode, Dendrites) for mode in components):
        raise ModeError(f'mode "{whole}": "restart" leaves no time to grow; use one or the other')
    if "none" in names and len(names) > 1:
        raise ModeError(f'mode "{whole}": "none" adds nothing to other modes; leave it out')
    segment = Segment(components, first, last)
    if segment.growing and segment.ratchet and (why := segment.growing.contradicts_ratchet()):
        raise ModeError(f'mode "{whole}": {why}')
    return segment


def _component(whole: str, text: str, defaults: Mapping[str, Mapping[str, Any]]) -> Mode:
    name, *settings = text.split(":")
    if not name:
        raise ModeError(f'mode "{whole}": a mode is missing; write it as "hidden" or "hidden+dropout"')
    knobs: dict[str, Any] = dict(defaults.get(name, {}))
    for setting in settings:
        knob, equals, value = setting.partition("=")
        if not equals or not value:
            raise ModeError(f'mode "{whole}": "{setting}" is not knob=value, as in "hidden:dose=3"')
        knobs[knob] = value
    return mode_named(name).with_knobs(knobs)
