"""`dendrites`, and two controls that share its schedule: `early-stop` and `reset`."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from frustration.dendrites.schedule import Schedule
from frustration.dendrites.settings import Settings, SettingsError
from frustration.modes.base import EpochSettings, Evidence, Mode, ModeError
from frustration.protocols import AnyShape

OF_THE_SCHEDULE = (
    "switch_mode",
    "fixed_switch_num",
    "first_fixed_switch_num",
    "initial_history_after_switches",
    "history_lookback",
    "improvement_threshold",
    "improvement_threshold_raw",
    "retain_all_dendrites",
    "testing_dendrite_capacity",
)
"""Settings that say when the schedule acts, and nothing to the ratchet."""


@dataclass(frozen=True, kw_only=True)
class Dendrites(Settings, Mode):
    """Grow dendrites as perforatedai does: where validation no longer improves, one more on every unit.

    Weights and optimizer are carried on from loop to loop; growth goes back to the best network and takes
    a fresh optimizer; the trial ends when growth no longer helps. Behind "ratchet+" growth is an
    intervention on a candidate, and goes with it.
    """

    name: ClassVar[str] = "dendrites"
    ratchet: ClassVar[bool] = False
    optimizer: ClassVar[str] = "persist"
    controls: ClassVar[tuple[str, ...]] = ("plain", "early-stop")
    adds_dendrites: ClassVar[bool] = True
    """Whether something grows where the schedule says so, or the network only goes back."""

    @classmethod
    def with_knobs(cls, knobs: Mapping[str, str | Any]) -> Self:
        given: dict[str, Any] = dict(knobs)
        try:
            return cls.of(given)
        except SettingsError as error:
            raise ModeError(f'mode "{cls.name}": {error}') from None

    @property
    def knobs(self) -> dict[str, Any]:
        return self.to_dict()

    @property
    def settings(self) -> Settings:
        return self

    def check(self, shape: AnyShape) -> None:
        if not self.maximizing_score:
            raise ModeError(
                f'mode "{self.name}": which way is better is said by the metric; leave out maximizing_score'
            )
        try:
            self.grown_layers(shape.outputs)
        except SettingsError as error:
            raise ModeError(f'mode "{self.name}": {error}') from None

    @property
    def can_grow(self) -> bool:
        return self.adds_dendrites and self.max_dendrites > 0

    def contradicts_ratchet(self) -> str | None:
        """Why this cannot be meant behind the ratchet, where no schedule looks at scores; None if it can."""
        if not self.can_grow:
            return (
                f'"{self.name}" follows a schedule, and with the ratchet there is none; leave out "ratchet"'
            )
        usual = {setting.name: setting.default for setting in dataclasses.fields(Settings)}
        idle = next((name for name in OF_THE_SCHEDULE if getattr(self, name) != usual[name]), None)
        return (
            f"{idle}={getattr(self, idle)} cannot act: with the ratchet there is no schedule"
            if idle
            else None
        )

    def idle(self, settings: EpochSettings, loops: int) -> bool:
        """Its schedule neither grows nor ends within the loops."""
        first = Schedule(self.settings).loops_before_first_switch()
        return first is None or first > loops

    def acted(self, evidence: Evidence) -> bool:
        return "dendrites" in evidence


@dataclass(frozen=True, kw_only=True)
class EarlyStop(Dendrites):
    """The dendrites' schedule without dendrites: train on, stop where it would grow, keep the best."""

    name: ClassVar[str] = "early-stop"
    control: ClassVar[bool] = True
    controls: ClassVar[tuple[str, ...]] = ("plain",)
    max_dendrites: int = field(default=0, metadata=Settings.__dataclass_fields__["max_dendrites"].metadata)

    def check(self, shape: AnyShape) -> None:
        super().check(shape)
        if self.max_dendrites:
            raise ModeError('mode "early-stop" grows nothing: leave out max_dendrites, or use "dendrites"')


@dataclass(frozen=True, kw_only=True)
class Reset(Dendrites):
    """What else a dendrite brings: at the moments of growth, back to the best with a fresh optimizer."""

    name: ClassVar[str] = "reset"
    control: ClassVar[bool] = True
    adds_dendrites: ClassVar[bool] = False
