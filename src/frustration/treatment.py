"""How two treatments of a network differ: settings with their old and new values, for users."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from frustration.errors import InputError
from frustration.modes import Program

SETTINGS: Final = {
    "learning_rate": "learning rate",
    "batch_size": "batch size",
    "train_fraction": "training fraction",
    "optimizer": "optimizer",
    "acceptance": "acceptance",
    "updates": "updates",
    "loop_steps": "steps of a loop",
}
"""The fields of a treatment that are no part of its mode, in words."""
UNSAID: Final = {"updates": "epochs", "loop_steps": "an epoch"}
"""What a treatment means that does not have the field."""


@dataclass(frozen=True, kw_only=True)
class Session:
    """One session of `train` that a trial went through."""

    mode: str
    """The label of its treatment."""
    treatment: dict[str, Any]
    """`TrialSpec.treatment`: what may differ from session to session; empty: another program's, unknown."""
    first_loop: int
    """Global: the first loop that it added."""
    target: int
    """Global: the last loop that it was to add."""


def differ(before: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether two treatments (`TrialSpec.treatment`) are not the same."""
    return _text(before) != _text(now)


def changed_settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    """`learning rate 0.0001 then, 0.01 now`: all that differs but the mode and what it brings along."""
    other_mode = before["mode"] != now["mode"]
    if not other_mode:
        for old, new in zip(before["mode_params"], now["mode_params"], strict=True):
            for knob in (knob for knob in new if _text(old.get(knob)) != _text(new[knob])):
                yield f"{knob} of {new['mode']} {old.get(knob)} then, {new[knob]} now"
    for name, words in SETTINGS.items():
        old, new = (treatment.get(name, UNSAID.get(name)) for treatment in (before, now))
        brought = name == "optimizer" and other_mode and _own(before) == old and _own(now) == new
        if old != new and not brought:
            yield f"{words} {old} then, {new} now"


def told(sessions: Sequence[Session]) -> str:
    """`from loop 1 in mode "none", from loop 4 in mode "none" (learning rate 0.0001 then, 0.01 now)`."""
    parts: list[str] = []
    before: Mapping[str, Any] = {}
    for one in sessions:
        if not one.treatment:
            parts.append(f"up to loop {one.target} in {one.mode}")
        elif not before or differ(before, one.treatment):
            changes = ", ".join(changed_settings(before, one.treatment)) if before else ""
            changes = f" ({changes})" if changes else ""
            parts.append(f'from loop {one.first_loop} in mode "{one.mode}"{changes}')
        before = one.treatment
    return ", ".join(parts)


def _text(value: Any) -> str:
    # As text, because 1 == 1.0, and yet one dose is a unit and the other all of them.
    return json.dumps(value, sort_keys=True)


def _own(treatment: Mapping[str, Any]) -> str | None:
    """The optimizer policy that the mode of a treatment brings along."""
    with contextlib.suppress(InputError):  # a mode of a package that is not installed any more
        return Program.of_knobs(treatment["mode"], treatment["mode_params"]).optimizer
    return None
