"""The study that a text names: a file, an existing study, or a preset."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from frustration.errors import InputError, did_you_mean
from frustration.study.definition import Study
from frustration.study.presets import preset, preset_names
from frustration.study.store import Store


def study_named(
    name: str, results: Path, elsewhere: Callable[[], Study | None] = lambda: None
) -> tuple[Study, Store | None]:
    """The study, and its store where it has one already; `elsewhere` is asked last."""
    if Path(name).is_file() or name.endswith(".toml"):
        return Study.from_file(Path(name)), None
    for root in (Path(name), results / name):
        if (root / "study.toml").exists():
            return Store(root).study(), Store(root)
    if name in preset_names():
        return preset(name), None
    if study := elsewhere():
        return study, None
    there = sorted(path.parent.name for path in results.glob("*/study.toml"))
    hint = did_you_mean(name, [*preset_names(), *there])
    raise InputError(
        f'"{name}" is no file, preset or study in {results}{hint}; presets are {", ".join(preset_names())}'
    )


def quick_name(study: Study, word: str = "quick") -> Study:
    """Named after what cannot change later, so that the same grid continues with it."""
    nameless = replace(study, name=word, trials=1)
    digest = hashlib.sha256(nameless.to_toml().encode()).hexdigest()
    return replace(study, name=f"{word}-{digest[:8]}")
