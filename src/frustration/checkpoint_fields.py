"""The metadata of checkpoints: the type of every field, and the readers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from frustration.errors import InputError
from frustration.protocols import AnyShape
from frustration.record_reading import SCORE, SESSION, SHARED, check_numerics
from frustration.sealed import CheckpointError
from frustration.typed import (
    FLAG,
    LIST,
    OBJECT,
    TEXT,
    Kind,
    Table,
    check,
    check_all,
    parse,
    whole,
)

LKG_FORMAT = "frustration-lkg-1"
FORM = ("architecture", "features", "classes")
"""Of a SimpleMLP; what else is trained is a problem."""
DESCRIPTION: Final[Table] = {
    "mode_history": LIST,
    "meta_loops": whole(),
    "bounty": SCORE.or_null(),
    "bounty_loop": whole().or_null(),
    "seed": whole(),
    "trial": whole(),
}
"""What an LKG file says about itself in numbers, which safetensors keeps as texts."""
TEXTS: Final[Table] = {
    **dict.fromkeys(("format", "sha256", "dataset", *DESCRIPTION), TEXT),
    **dict.fromkeys((*FORM, "problem", "dendrites", "forward_function"), TEXT.optional()),
}
KEPT: Final[Table] = {
    **SHARED,
    "bounty_loop": whole().or_null(),  # 0 in what other programs left
    "base_accuracy": SCORE.or_null(),
    "failures": whole(),
    "patience": whole(),
    "ended": FLAG,
    "unscored": FLAG,
}
"""What a checkpoint keeps of a trial as it is, under the names of its fields."""
STATE: Final[Table] = {
    "spec": OBJECT,
    "features": whole(),
    "classes": whole(),
    **KEPT,
    "runner_up": OBJECT.or_null(),
    "steps": whole().or_null(),
    "history": LIST,
    "memory": OBJECT.optional(),
    "growth": OBJECT.optional(),
    "stopped": FLAG.optional(),
    "forward_functions": OBJECT.optional(),
    "curve": Kind(name="the end of a curve, or a curve", types=frozenset({dict, list})),
}
"""What a resume file says beside its tensors."""
RUNNER_UP: Final[Table] = {"accuracy": SCORE, "loop": whole(1)}


def read_state(text: str) -> dict[str, Any]:
    """What the metadata of a resume file say, each field of its type."""
    try:
        state = check(parse(text), STATE, "its state")
        if state["runner_up"] is not None:
            check(state["runner_up"], RUNNER_UP, "its runner-up")
        check_all(state["history"], SESSION, "its history")
        for numerics in (state["numerics"], *state["past_numerics"]):
            check_numerics(numerics)
    except InputError as error:
        raise CheckpointError(f"its state is not one that this version writes: {error}") from None
    return state


def read_description(metadata: Mapping[str, str], shape: AnyShape) -> dict[str, Any]:
    """What an LKG file of ours says about itself, each field of its type; it has to be of this shape."""
    if metadata["format"] != LKG_FORMAT:
        raise CheckpointError(f'its format is "{metadata["format"]}"; this version reads "{LKG_FORMAT}"')
    try:
        found = check(dict(metadata), TEXTS, "its description")
        about = {name: parse(found[name]) for name in DESCRIPTION}
        check(about, DESCRIPTION, "its description")
        check_all(about["mode_history"], SESSION, "its history")
    except InputError as error:
        raise CheckpointError(f"its description is not one that this version writes: {error}") from None
    said = tuple(found.get(name) for name in FORM)
    if "problem" not in found and said != tuple(map(str, shape.form)):
        raise CheckpointError("its description is that of another network")
    return about
