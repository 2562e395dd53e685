"""The index of a store: a sealed line for every record, so that lists need not read them all.

A line also says in what state the record was when it was read. Where the file is in another state by now,
under whatever name, the line counts as missing, and so does one that is torn or fails its digest.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from frustration.errors import InputError
from frustration.files import append, read_file
from frustration.sealed_json import seal, unseal
from frustration.study.summary import SUMMARY
from frustration.typed import Table, check, whole

INDEX = "index.jsonl"
STATE: Final[Table] = {"bytes": whole(), "changed": whole()}
"""Of a record: its length, and when it was last written, in nanoseconds."""
LINE: Final[Table] = {**SUMMARY, **STATE}

State = Mapping[str, int]
Line = dict[str, Any]


def state_of(record: Path | os.DirEntry[str]) -> State:
    """How a record's file is now; zeros where it is not there."""
    try:
        found = record.stat()
    except OSError:
        return dict.fromkeys(STATE, 0)
    return dict(zip(STATE, (found.st_size, found.st_mtime_ns), strict=True))


def read_index(root: Path, states: Mapping[str, State]) -> dict[str, Line]:
    """By id, the lines about records that are in these states; none of an index that cannot be read."""
    lines: dict[str, Line] = {}
    content = b""
    with contextlib.suppress(OSError):
        content = read_file(root / INDEX)
    for text in filter(None, content.splitlines()):
        with contextlib.suppress(InputError):
            line, digest = unseal(text)
            if digest:
                check(line, LINE, "the line")
                state = {name: line.pop(name) for name in STATE}
                if states.get(line["id"]) == state:
                    lines[line["id"]] = line
    return lines


def add_to_index(root: Path, lines: Iterable[tuple[Line, State]]) -> None:
    """Add lines in one write; those that find no room are made again from their records."""
    text = "".join(f"\n{seal({**line, **state})}\n" for line, state in lines)
    with contextlib.suppress(OSError):
        if text:
            append(root / INDEX, text.encode())
