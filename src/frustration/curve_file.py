"""The curve of a running trial: a file beside its checkpoint, to which every loop appends a sealed line.

The checkpoint says how many bytes of it count, and the digest of the last line in them, which answers for all
lines before it. What follows them is of a loop that was cut off, and the next one writes over it. So a loop
costs the same, however many precede it, and the files may be copied one after the other.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from frustration.errors import InputError
from frustration.files import open_file, write_behind
from frustration.record import LoopEntry
from frustration.record_reading import LOOP
from frustration.sealed import CheckpointError
from frustration.sealed_json import digest_of, seal, unseal
from frustration.typed import TEXT, Table, check, check_all, whole

SUFFIX = ".curve.jsonl"
END: Final[Table] = {"loops": whole(), "bytes": whole(), "sha256": TEXT}


@dataclass(frozen=True, kw_only=True)
class CurveEnd:
    """How far a curve is kept."""

    loops: int = 0
    bytes: int = 0
    sha256: str = ""
    """Of the last line."""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> CurveEnd:
        return cls(**check(fields, END, "its end of the curve"))


NOTHING_KEPT: Final = CurveEnd()


@dataclass(frozen=True)
class CurveLines:
    """What a curve has more than is kept of it."""

    at: int
    """Bytes before them."""
    content: bytes

    def write(self, path: Path) -> None:
        """Write them at their place; anything there or after it is replaced."""
        if self.content or self.at:
            write_behind(path, self.at, self.content)


def new_lines(curve: Sequence[LoopEntry], kept: CurveEnd) -> tuple[CurveLines, CurveEnd]:
    """The lines of the loops that are not kept yet, and the end of the curve with them."""
    last, lines = kept.sha256, []
    for entry in curve[kept.loops :]:
        line = seal(entry.to_dict(), after=last)
        last = digest_of(line)
        lines.append(f"{line}\n")
    content = "".join(lines).encode()
    end = CurveEnd(loops=len(curve), bytes=kept.bytes + len(content), sha256=last)
    return CurveLines(kept.bytes, content), end


def read_curve(path: Path, end: CurveEnd) -> list[LoopEntry]:
    """The loops that a checkpoint counts; CheckpointError where they are not what it counted."""
    if not end.bytes:
        return []
    try:
        with open_file(path) as file:
            there = os.fstat(file.fileno()).st_size
            content = file.read(end.bytes) if there >= end.bytes else b""
    except OSError as error:
        raise CheckpointError(f"its curve {path.name} cannot be read: {error.strerror}") from None
    if len(content) < end.bytes:
        raise CheckpointError(f"its curve {path.name} has {there:,} bytes, and {end.bytes:,} count")
    try:
        return _entries(content, end)
    except InputError as error:
        raise CheckpointError(f"its curve {path.name} is damaged: {error}") from None


def _entries(content: bytes, end: CurveEnd) -> list[LoopEntry]:
    last, found = "", list[dict[str, Any]]()
    for line in content.splitlines():
        fields, digest = unseal(line, after=last)
        if digest is None:
            raise InputError(f"line {len(found) + 1} has no digest")
        last = digest
        found.append(fields)
    if (len(found), last) != (end.loops, end.sha256):
        raise InputError("it is the curve of another moment, or of another trial")
    return entries_of(found)


def entries_of(values: Any) -> list[LoopEntry]:
    """Loops from the objects that records and checkpoints have of them."""
    return [LoopEntry(**fields) for fields in check_all(values, LOOP, "its curve")]
