"""Training interventions: one small file each, found by name, composed by a grammar.

A mode of your own is a subclass of `Mode` in your own package, named there as an entry point of the
group `frustration.modes`; it then works everywhere a built-in one does.
"""

from frustration.modes.base import EpochSettings, Evidence, Knobs, LoopContext, Mode, ModeError
from frustration.modes.grammar import Program, Segment
from frustration.modes.registry import mode_named, mode_names

__all__ = [
    "EpochSettings",
    "Evidence",
    "Knobs",
    "LoopContext",
    "Mode",
    "ModeError",
    "Program",
    "Segment",
    "mode_named",
    "mode_names",
]
