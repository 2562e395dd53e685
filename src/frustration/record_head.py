"""Records of which a list needs one line: the curve is read as text, without an object for every loop.

A curve as `TrialRecord.write` writes it is a regular text. A pattern made from the table of its fields
matches loops whose values are surely of their kinds, and hands out the columns that a line needs. It only
accepts: any other text is read by `record_reading`, which decides and says what is wrong.
A record of 100 loops takes half of the time.
"""

from __future__ import annotations

import functools
import re
from typing import Final

from frustration.errors import InputError
from frustration.metric import PERCENT
from frustration.record_reading import (
    LOOP,
    Columns,
    RecordHead,
    check_of_study,
    finished_record,
    typed_head,
)
from frustration.sealed_json import checked_text
from frustration.typed import REAL, WHOLE, Kind, parse

CURVE: Final = b', "curve": ['
DEPTH = 4
"""Of the evidence that the pattern knows: `{"hidden": {"units": [[8, 1]]}}` has four."""
_WHOLE = r"(?!0\d)\d{1,15}+"
_REAL = rf"-?+{_WHOLE}(?:\.\d{{1,25}}+)?+(?:e[-+]?+\d{{1,2}}+)?+"
"""Always finite; whole ones are as exact in a float. Nothing that was matched is tried again (`+`): a quarter
of the time."""
_NUMBERS = {(-REAL, REAL): _REAL, (0, WHOLE): _WHOLE, (1, WHOLE): rf"(?!0){_WHOLE}"}
"""By the limits of a kind."""
_TEXT = r'"[ !#-\[\]-~]*+"'
"""ASCII without escapes."""
_PERCENT = r"(?:100(?:\.0)?+|(?!0\d)\d{1,2}+(?:\.\d{1,25}+)?+)"
_UNITS = rf"\[(?:\[{_WHOLE}, {_WHOLE}\](?:, (?=\[)|(?=\])))*+\]"
_USUAL = rf'\{{(?:{_TEXT}: \{{"units": {_UNITS}, "removed": {_REAL}\}})?+\}}'
"""The evidence of nothing and of most ablations. Tried before any other, it saves a sixth of the time."""
_SCORES = ("before", "damaged", "accuracy")
_COLUMNS = ("loop", "accuracy", "accepted", "diverged")
_FLAG = "(?:(t)rue|false)"
"""Of a flag in a column: of all groups, those of one byte cost least."""
_FIRST = [b"%d" % loop for loop in range(1, 1001)]


def finished_head(content: bytes) -> RecordHead:
    """What `finished_record` reads, as a rule without the curve; RecordError says what is wrong with it."""
    try:
        found = _quickly(content)
    except InputError:
        found = None
    return found or finished_record(content)


def _quickly(content: bytes) -> RecordHead | None:
    """None where the curve is not such a text; InputError where something is wrong, unless the curve is."""
    text, digest = checked_text(content)
    if digest is None:
        return None
    before, _, curve = text.partition(CURVE)
    fields = parse(before + b"}")
    if not isinstance(fields, dict) or "curve" in fields:
        return None
    spec = typed_head({**fields, "curve": []})
    columns = _columns(curve, _loop_pattern(spec.metric.unit == PERCENT))
    if columns is None:
        return None
    found = RecordHead(spec, fields, columns, sealed=True)
    check_of_study(found)
    return found


def _columns(curve: bytes, pattern: re.Pattern[bytes]) -> Columns | None:
    """The columns of loops followed by `]`; None unless the pattern matches every byte of them."""
    pieces = pattern.split(curve)
    between, loop, accuracy, accepted, diverged = (pieces[first::5] for first in range(5))
    if not loop or between != [b"", *[b", "] * (len(loop) - 1), b"]"]:
        return None
    return Columns(
        range(1, len(loop) + 1) if loop == _FIRST[: len(loop)] else list(map(int, loop)),
        [None if text == b"null" else float(text) for text in accuracy]
        if b"null" in accuracy
        else list(map(float, accuracy)),
        list(map(bool, accepted)),
        list(map(bool, diverged)),
    )


@functools.cache
def _loop_pattern(percent: bool) -> re.Pattern[bytes]:
    """Of one loop, with the values of `_COLUMNS` in groups; of a flag only that it is true.

    `percent`: of a trial whose scores are percentages.
    """
    fields = ""
    for name, kind in LOOP.items():
        value = rf"null|{_PERCENT}" if percent and name in _SCORES else _pattern(kind)
        kept = _FLAG if bool in kind.types else f"({value})"
        field = f'"{name}": {kept if name in _COLUMNS else f"(?:{value})"}'
        field = f", {field}" if fields else field
        fields += field if kind.needed else f"(?:{field})?+"
    return re.compile(rf"\{{{fields}\}}".encode())


def _pattern(kind: Kind) -> str:
    """Of texts that surely hold a value of a kind."""
    choices: dict[type, str] = {
        bool: "true|false",
        str: _TEXT,
        dict: f"{_USUAL}|{_object(_value(DEPTH - 1))}",
        type(None): "null",
    }
    if int in kind.types:
        choices[int] = _NUMBERS[kind.least, kind.most]
    return "|".join(choices[one] for one in kind.types if one is not float)


def _value(depth: int) -> str:
    """Of a number, a text, a flag, null, or a nest of them so deep."""
    flat = rf"{_TEXT}|true|false|null|{_REAL}"  # the first byte tells all but a number
    if not depth:
        return flat
    inner = _value(depth - 1)
    return rf"\[(?:(?:{inner})(?:, (?!\])|(?=\])))*+\]|{_object(inner)}|{flat}"


def _object(value: str) -> str:
    return rf"\{{(?:{_TEXT}: (?:{value})(?:, (?!\}})|(?=\}})))*+\}}"
