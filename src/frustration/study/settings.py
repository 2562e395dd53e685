"""Settings of a study on the command line: `lr=1e-3,3e-3`, `trials=4`, `modes=none,hidden`."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Sequence
from pathlib import Path

from frustration.errors import InputError
from frustration.study.definition import Study

SHORT = {"lr": "learning_rate", "architecture": "architectures", "mode": "modes", "problem": "problems"}
MEANT = {"epochs": "meta_loops", "loops": "meta_loops", "ablation_mode": "modes", "treatments": "modes"}
"""What others call a key."""
_SETTING = re.compile(r"([a-z_-]+)=(.*)", re.DOTALL)
_COMMA = re.compile(r",(?![^\[(]*[\])])")
"""Not one of an architecture or of a problem's fields."""


def is_setting(word: str) -> bool:
    return _SETTING.fullmatch(word) is not None


def with_settings(study: Study, words: Sequence[str]) -> Study:
    """The study with other values for some of the keys of its file."""
    document = tomllib.loads(study.to_toml())
    for word in words:
        found = _SETTING.fullmatch(word)
        if not found:
            raise InputError(f'unexpected argument "{word}"; settings are written as KEY=VALUE')
        key = found[1].replace("-", "_")
        if key in MEANT:
            raise InputError(f'{word}: there is no key "{key}" (did you mean {MEANT[key]}?)')
        values = list(_values(found[2]))
        document[SHORT.get(key, key)] = values if len(values) > 1 else values[0]
    for key in ("architectures", "modes", "problems"):
        if key in document and not isinstance(document[key], list):
            document[key] = [document[key]]
    return Study.from_fields(document, " ".join(words), Path())


def _values(text: str) -> Iterator[str | int | float | bool]:
    for part in _COMMA.split(text):
        try:
            value = tomllib.loads(f"x = {part.strip()}")["x"]
        except tomllib.TOMLDecodeError:
            value = part.strip()
        yield value if isinstance(value, str | int | float | bool) else part.strip()
