"""Modes by name: the built-in ones and those that installed packages bring."""

from __future__ import annotations

import difflib
import functools
from importlib.metadata import entry_points

from frustration.modes.base import Mode, ModeError
from frustration.modes.decay import Decay
from frustration.modes.dropout import Dropout
from frustration.modes.full import Full
from frustration.modes.hidden import Hidden
from frustration.modes.noise import Noise
from frustration.modes.none import NoTreatment
from frustration.modes.output import Output
from frustration.modes.plain import Plain
from frustration.modes.restart import Restart

ENTRY_POINTS = "frustration.modes"

BUILT_IN: tuple[type[Mode], ...] = (
    NoTreatment,
    Decay,
    Dropout,
    Full,
    Hidden,
    Output,
    Plain,
    Restart,
    Noise,
)


@functools.cache
def _modes() -> dict[str, type[Mode]]:
    modes = {mode.name: mode for mode in BUILT_IN}
    for entry in entry_points(group=ENTRY_POINTS):
        mode = entry.load()
        if not (isinstance(mode, type) and issubclass(mode, Mode)):
            raise ModeError(f'the entry point "{entry.name}" ({entry.value}) is not a subclass of Mode')
        if mode.name in modes:
            raise ModeError(f'the entry point "{entry.value}" brings a second mode named "{mode.name}"')
        modes[mode.name] = mode
    return modes


def mode_names() -> list[str]:
    return list(_modes())


def mode_named(name: str) -> type[Mode]:
    modes = _modes()
    if name not in modes:
        near = difflib.get_close_matches(name, modes, n=1)
        hint = f' (did you mean "{near[0]}"?)' if near else ""
        raise ModeError(f'there is no mode "{name}"{hint}; modes are {", ".join(modes)}')
    return modes[name]
