"""Studies that come with the package, by name."""

from __future__ import annotations

from importlib import resources

from frustration.errors import InputError, did_you_mean
from frustration.study.definition import Study

DEFAULT = "quickstart"
_FOLDER = resources.files("frustration") / "presets"


def preset_names() -> list[str]:
    """The default first."""
    names = sorted(
        file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml")
    )
    return sorted(names, key=lambda name: name != DEFAULT)


def preset_text(name: str) -> str:
    """The TOML of a preset, comments included."""
    if name not in preset_names():
        hint = did_you_mean(name, preset_names())
        raise InputError(f'there is no preset "{name}"{hint}; presets are {", ".join(preset_names())}')
    return (_FOLDER / f"{name}.toml").read_text("utf-8")


def preset(name: str) -> Study:
    return Study.from_toml(preset_text(name), f"{name}.toml")
