"""The settings of dendrite growth, under the names and with the defaults of perforatedai 3.2.9.

Names that guides of other versions use, and that 3.2.9 does not have, are answered with what they are
called now or why they are not there: the library itself prints a line and continues without them.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from frustration.dendrites.old_names import OLD_NAMES, OLD_SWITCH_MODES
from frustration.errors import InputError, did_you_mean, nearest

SWITCH_MODES: Final = ("history", "fixed", "every", "none")
"""history: after `n_epochs_to_switch` epochs without a new best. fixed: every `fixed_switch_num` epochs.
every: after each epoch. none: never."""

FORWARD_FUNCTIONS: Final = ("sigmoid", "relu", "tanh", "leaky_relu", "softplus")
"""What a dendrite's sum goes through. The derivative of each follows from its value alone. The native engine
knows them by their places (dendrites.h)."""

CAPACITY_DENDRITES: Final = 3
"""What the capacity test adds, one dendrite an epoch, before it ends with its fourth score."""


class SettingsError(InputError):
    """A setting that does not exist, cannot have its value, or contradicts another."""


class Thresholds(tuple[float, ...]):
    """Relative margins by number of dendrites added; the last one is used for all later ones."""

    __slots__ = ()

    def __str__(self) -> str:
        """`0.001;0.0001;0`: a form without the commas that part one mode from the next."""
        return ";".join(f"{value:.12g}".replace("e+", "e") for value in self)

    def at(self, added: int) -> float:
        return self[min(len(self) - 1, added)]


def _number(value: Any) -> float:
    if isinstance(value, bool):
        raise ValueError("must be a number")
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise ValueError("must be a number") from None
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    return number


def _non_negative(value: Any) -> float:
    number = _number(value)
    if number < 0:
        raise ValueError("must be 0 or more")
    return number


def _positive(value: Any) -> float:
    number = _number(value)
    if number <= 0:
        raise ValueError("must be above 0")
    return number


def _whole(least: int) -> Any:
    def read(value: Any) -> int:
        number = _number(value)
        if number != int(number) or not least <= number <= 10**9:
            raise ValueError(f"must be a whole number, {least} or more")
        return int(number)

    return read


def _switched(value: Any) -> bool:
    words = {"true": True, "yes": True, "on": True, "1": True}
    words |= {"false": False, "no": False, "off": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError("must be true or false")
    return words[str(value).lower()]


def _switch_mode(value: Any) -> str:
    name = str(value)
    mode = OLD_SWITCH_MODES.get(name, name)
    if mode in SWITCH_MODES:
        return mode
    if mode != name:
        raise ValueError(mode)
    raise ValueError(f"is not one of {', '.join(SWITCH_MODES)}")


def _forward_function(value: Any) -> str:
    name = str(value).removeprefix("torch.")
    if name not in FORWARD_FUNCTIONS:
        raise ValueError(f"is not one of {', '.join(FORWARD_FUNCTIONS)}")
    return name


def _thresholds(value: Any) -> Thresholds:
    if isinstance(value, str):
        parts: Iterable[Any] = value.strip("[]() ").split(";")
    else:
        parts = value if isinstance(value, (tuple, list)) else (value,)
    margins = Thresholds(_number(part) for part in parts)
    if not margins or not all(0 <= margin < 1 for margin in margins):
        raise ValueError('must be in [0, 1), one number or several as in "0.001;0.0001;0"')
    return margins


def _layers(value: Any) -> str:
    """`all`, `hidden`, or numbers in order, as `0;2`."""
    text = str(value).strip()
    if text in ("all", "hidden"):
        return text
    numbers = text.split(";")
    if not all(number.isascii() and number.isdigit() and len(number) < 6 for number in numbers):
        raise ValueError('must be "all", "hidden", or numbers of linear layers from 0, as in "0;2"')
    if len({int(number) for number in numbers}) < len(numbers):
        raise ValueError("names one layer twice")
    return ";".join(str(number) for number in sorted(map(int, numbers)))


def _setting(default: Any, read: Any) -> Any:
    return field(default=default, metadata={"read": read})


DEFAULT_THRESHOLDS: Final = Thresholds((0.001, 0.0001, 0.0))


@dataclass(frozen=True, kw_only=True)
class Settings:
    """When dendrites grow and what they are. A field's `metadata["read"]` reads it from text or a value."""

    switch_mode: str = _setting("history", _switch_mode)
    n_epochs_to_switch: int = _setting(10, _whole(1))
    """history: so many epochs without a new best end a round. It is patience, not a duration."""
    fixed_switch_num: int = _setting(250, _whole(1))
    first_fixed_switch_num: int = _setting(-1, _whole(-1))
    """fixed: the first round lasts at least so long."""
    initial_history_after_switches: int = _setting(0, _whole(0))
    """The first epochs of a round in which nothing can be a best, and over which scores are averaged."""
    history_lookback: int = _setting(1, _whole(1))
    """L: running = running (1 - 1/L) + score / L."""
    improvement_threshold: Thresholds = field(default=DEFAULT_THRESHOLDS, metadata={"read": _thresholds})
    """Relative margin by which a new best beats the old one, by dendrites added."""
    improvement_threshold_raw: float = _setting(1e-5, _non_negative)
    """Absolute margin; both must hold."""
    max_dendrites: int = _setting(100, _whole(0))
    """0: none ever grow, and the schedule is one of early stopping."""
    max_dendrite_tries: int = _setting(2, _whole(1))
    retain_all_dendrites: bool = _setting(False, _switched)
    candidate_weight_initialization_multiplier: float = _setting(0.01, _non_negative)
    """Standard deviation of a new dendrite's weights and biases."""
    candidate_weight_init_by_main: bool = _setting(False, _switched)
    """Multiplied by the mean magnitude of the parameters of the layer that grows."""
    pai_forward_function: str = _setting("sigmoid", _forward_function)
    layers: str = _setting("all", _layers)
    """Which linear layers get dendrites, counted from 0 at the input."""
    post_growth_lr_factor: float = _setting(1.0, _positive)
    """The learning rate of a network with dendrites is the one without times this."""
    min_epochs_before_growth: int = _setting(0, _whole(0))
    """Before so many epochs the schedule neither grows nor ends."""
    testing_dendrite_capacity: bool = _setting(False, _switched)
    """A smoke test of four epochs: three dendrites, one an epoch, and the end."""
    maximizing_score: bool = _setting(True, _switched)

    def __post_init__(self) -> None:
        for setting in dataclasses.fields(Settings):
            given = getattr(self, setting.name)
            try:
                value = setting.metadata["read"](given)
            except ValueError as error:
                raise SettingsError(f"{setting.name}={given}: {error}") from None
            object.__setattr__(self, setting.name, value)
        if contradiction := self._contradiction():
            raise SettingsError(contradiction)

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> Self:
        """Settings from text or values by name; what is not given keeps the library's default."""
        known = {setting.name for setting in dataclasses.fields(cls)}
        for name in given:
            if name not in known:
                raise SettingsError(unknown_setting(name))
        return cls(**given)

    def to_dict(self) -> dict[str, Any]:
        """All settings as JSON values; `of` reads them back."""
        values = {setting.name: getattr(self, setting.name) for setting in dataclasses.fields(Settings)}
        return {**values, "improvement_threshold": list(self.improvement_threshold)}

    def grown_layers(self, outputs: Sequence[bool]) -> tuple[bool, ...]:
        """Which of a network's layers get dendrites; SettingsError where one does not exist.

        `outputs`: of every layer that can grow, whether it is an output layer.
        """
        linear_layers = len(outputs)
        if not outputs:
            raise SettingsError("this network has no layer that can grow")
        if self.layers == "all":
            return (True,) * linear_layers
        if self.layers == "hidden":
            if all(outputs):
                raise SettingsError("layers=hidden: this network has no hidden layer; layers=all is possible")
            return tuple(not output for output in outputs)
        chosen = {int(number) for number in self.layers.split(";")}
        if max(chosen) >= linear_layers:
            raise SettingsError(
                f"layers={self.layers}: there is no linear layer {max(chosen)}; "
                f"this network has {linear_layers}, numbered from 0"
            )
        return tuple(number in chosen for number in range(linear_layers))

    def _contradiction(self) -> str | None:
        """What cannot be meant together, in one sentence."""
        usual = {setting.name: setting.default for setting in dataclasses.fields(Settings)}
        changed = {name for name, value in usual.items() if getattr(self, name) != value}

        def first_of(*names: str) -> str | None:
            return next((f"{name}={getattr(self, name)}" for name in names if name in changed), None)

        if self.testing_dendrite_capacity:
            own = first_of("switch_mode", "retain_all_dendrites", "max_dendrites", "max_dendrite_tries")
            if own:
                return f"testing_dendrite_capacity sets {own.partition('=')[0]} itself; leave out {own}"
            return None
        if self.switch_mode != "fixed" and (own := first_of("fixed_switch_num", "first_fixed_switch_num")):
            return f"{own} acts with switch_mode=fixed only, and switch_mode is {self.switch_mode}"
        if self.switch_mode != "history" and (own := first_of("n_epochs_to_switch")):
            return f"{own} acts with switch_mode=history only, and switch_mode is {self.switch_mode}"
        if self.retain_all_dendrites and (own := first_of("max_dendrite_tries")):
            return f"{own} cannot act: with retain_all_dendrites no dendrite counts as a failed try"
        if self.retain_all_dendrites and self.max_dendrites == 0:
            return "retain_all_dendrites and max_dendrites=0 contradict each other: no dendrite ever grows"
        return None


def unknown_setting(name: str) -> str:
    """One sentence about a setting that does not exist."""
    bare = name.removeprefix("set_").removeprefix("get_")
    known = [setting.name for setting in dataclasses.fields(Settings)]
    if bare in OLD_NAMES:
        return f"{bare}: {OLD_NAMES[bare]}"
    if bare in known:
        return f'there is no setting "{name}"; here it is written {bare}=VALUE'
    old = nearest(bare, [*known, *OLD_NAMES])
    if old in OLD_NAMES:
        return f'there is no setting "{name}"; {old} does not exist either: {OLD_NAMES[old]}'
    hint = did_you_mean(bare, known) or f"; there are {', '.join(known)}"
    return f'there is no setting "{name}"{hint}'
