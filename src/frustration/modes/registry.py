"""Modes by name: the built-in ones and those that installed packages bring."""

from __future__ import annotations

import functools
from importlib.metadata import entry_points

from frustration.errors import did_you_mean
from frustration.modes.base import Mode, ModeError
from frustration.modes.cbp import Cbp
from frustration.modes.decay import Decay
from frustration.modes.dendrites import Dendrites, EarlyStop, Reset
from frustration.modes.dropout import Dropout
from frustration.modes.full import Full
from frustration.modes.hidden import Hidden
from frustration.modes.noise import Noise
from frustration.modes.none import NoTreatment
from frustration.modes.output import Output
from frustration.modes.plain import Plain
from frustration.modes.ratchet import Ratchet
from frustration.modes.redo import Redo
from frustration.modes.restart import Restart
from frustration.modes.wide import Wide

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
    Redo,
    Cbp,
    Ratchet,
    Dendrites,
    EarlyStop,
    Reset,
    Wide,
)


@functools.cache
def _modes() -> tuple[dict[str, type[Mode]], dict[str, str]]:
    """Modes by name; and by the name of their entry points those that cannot be used, with the reason."""
    modes = {mode.name: mode for mode in BUILT_IN}
    unusable: dict[str, str] = {}
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            mode = entry.load()
        except (ImportError, AttributeError, SyntaxError) as error:
            unusable[entry.name] = f"{entry.value} cannot be imported: {error}"
            continue
        if not (isinstance(mode, type) and issubclass(mode, Mode)):
            unusable[entry.name] = f"{entry.value} is not a subclass of Mode"
        elif mode.name in modes:
            unusable[mode.name] = f'{entry.value} brings a second mode named "{mode.name}"'
        else:
            modes[mode.name] = mode
    return modes, unusable


def make_known(mode: type[Mode]) -> None:
    """Add a mode to those of this process, as an entry point would; a second one of its name is refused."""
    modes, _ = _modes()
    if modes.setdefault(mode.name, mode) is not mode:
        raise ModeError(f'there is another mode named "{mode.name}": {modes[mode.name]}')


def mode_names() -> list[str]:
    modes, unusable = _modes()
    return [name for name in modes if name not in unusable]


def mode_named(name: str) -> type[Mode]:
    modes, unusable = _modes()
    if name in unusable:
        raise ModeError(f'the mode "{name}" cannot be used: {unusable[name]}')
    if name in modes:
        return modes[name]
    if name.lower() == "psa":
        raise ModeError('"psa" is a family of modes: hidden, output and full; name one of them')
    raise ModeError(f'there is no mode "{name}"{did_you_mean(name, modes)}; modes are {", ".join(modes)}')
