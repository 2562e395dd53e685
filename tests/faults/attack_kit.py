"""What attacks on files share: made-up finished trials, flipped bits, and values that no field can have."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from frustration.record import LoopEntry, TrialRecord
from frustration.sealed_json import seal
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.store import Store

LOOPS = 4
TEN_TO_THE_400 = "1" + "0" * 400
WRONG: tuple[Any, ...] = (
    "x",
    "",
    "\ud800",
    [],
    [1, 2],
    {},
    {"a": 1},
    True,
    -1,
    10**9,
    10**30,
    -0.5,
    1e301,
    101.5,
    float("nan"),
    float("inf"),
    -float("inf"),
)
"""Values in place of others; what a field allows is found out by `differs`."""


def records(count: int) -> Iterator[TrialRecord]:
    """Finished trials of `none` and `hidden`."""
    for number in range(count):
        mode = ("none", "hidden")[number % 2]
        spec = TrialSpec.of("[1*4]", mode, trial=number // 2, meta_loops=LOOPS, dataset_digest="f" * 64)
        curve = tuple(
            LoopEntry(
                loop=loop,
                mode=mode,
                loss=2.0 / loop,
                before=None if loop == 1 else 40.0 + loop,
                damaged=30.0 if mode == "hidden" and loop > 1 else None,
                accuracy=41.0 + loop,
                accepted=True,
                new_bounty=True,
                evidence={"hidden": {"units": [[0, 1]], "removed": 0.5}}
                if mode == "hidden" and loop > 1
                else {},
            )
            for loop in range(1, LOOPS + 1)
        )
        yield TrialRecord(
            spec=spec,
            loop=LOOPS,
            curve=curve,
            bounty=41.0 + LOOPS,
            bounty_loop=LOOPS,
            test_accuracy=44.5 + number / 100,
            parameters=3190,
            flops=6374,
            seconds=0.25,
            numerics={"backend": "torch", "group": {"runs": ["f"], "slot": 0}},
        )


def study(trials: int) -> Study:
    return Study.from_toml(
        f'name = "attacked"\narchitectures = ["[1*4]"]\nmodes = ["none", "hidden"]\ntrials = {trials}\n'
        f"meta_loops = {LOOPS}\n"
    )


def store_of(folder: Path, count: int = 8) -> Store:
    """A finished study."""
    store = Store(folder / "attacked")
    store.create(study(count // 2))
    for record in records(count):
        store.write_record(record)
    return store


def flipped(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """The same with one bit changed, and which."""
    place, bit = draw.randrange(len(content)), draw.randrange(8)
    changed = bytearray(content)
    changed[place] ^= 1 << bit
    return bytes(changed), f"byte {place}, bit {bit}"


def cut(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Only its beginning."""
    length = draw.randrange(len(content))
    return content[:length], f"its first {length} bytes"


def spoiled(fields: dict[str, Any], draw: random.Random) -> tuple[dict[str, Any], str] | None:
    """The same with a wrong value somewhere, a field too many or too few; None if nothing changed."""
    changed = json.loads(json.dumps(fields))
    holder: Any = changed
    where = ""
    while True:
        keys = list(holder) if isinstance(holder, dict) else list(range(len(holder)))
        if not keys:
            return None
        key = draw.choice(keys)
        where += f".{key}"
        if isinstance(holder[key], dict | list) and holder[key] and draw.random() < 0.8:
            holder = holder[key]
            continue
        break
    kind = draw.random()
    if kind < 0.1 and isinstance(holder, dict):
        del holder[key]
        return changed, f"{where} removed"
    if kind < 0.2 and isinstance(holder, dict):
        holder[f"{key}2"] = holder[key]
        return changed, f"{where} twice"
    value = draw.choice(WRONG)
    if type(holder[key]) is type(value) and holder[key] == value:
        return None
    holder[key] = value
    return changed, f"{where} = {ascii(value)[:40]}"


def as_line(fields: dict[str, Any], draw: random.Random) -> bytes:
    """As a file, with a digest that agrees or without one; sometimes with a number of 400 digits in it."""
    try:
        text = seal(fields) if draw.random() < 0.5 else json.dumps(fields, allow_nan=False)
    except ValueError:  # NaN is written as Python would, without a digest
        text = json.dumps(fields)
    return text.encode() + b"\n"
