"""JSON that carries the digest of its own text, so that a flipped bit is noticed. As a rule one line.

    {"loop": 1, …, "sha256": "64 hexadecimal digits"}

The digest is over the text before `, "sha256"`. Lines of a sequence are chained: the digest of a line also
covers that of the line before it, so that the last one answers for all.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from frustration.errors import InputError
from frustration.typed import parse

DIGEST = "sha256"
_END = re.compile(rb',(?:\n )? "sha256": "([0-9a-f]{64})"\n?\}\s*\Z')
_TAIL_BYTES = 96
"""More than the end of a sealed line has."""


def seal(fields: Mapping[str, Any], after: str = "", sort_keys: bool = False) -> str:
    """The line, without its end; `after` is the digest of the line before."""
    text = json.dumps(fields, allow_nan=False, sort_keys=sort_keys)[:-1]
    return f'{text}, "{DIGEST}": "{_digest(text.encode(), after)}"}}'


def seal_for_eyes(fields: Mapping[str, Any]) -> str:
    """The same in many lines, for files that people read."""
    text = json.dumps(fields, allow_nan=False, indent=2)[:-2]
    return f'{text},\n  "{DIGEST}": "{_digest(text.encode(), "")}"\n}}'


def digest_of(line: str) -> str:
    """The digest of a sealed line."""
    return line[-66:-2]


def unseal(line: bytes, after: str = "") -> tuple[dict[str, Any], str | None]:
    """The object of a line and its digest, None if it has none; InputError if the two do not agree."""
    text, digest = checked_text(line, after)
    fields = parse(text + b"}" if digest else text)
    if not isinstance(fields, dict):
        raise InputError("it is not an object")
    if DIGEST in fields:
        raise InputError("its digest is not one that this program writes")
    return fields, digest


def checked_text(line: bytes, after: str = "") -> tuple[bytes, str | None]:
    """The text before the digest of a line, which agrees, and the digest; all of a line that has none."""
    end = _END.search(line, max(0, len(line) - _TAIL_BYTES))
    if not end:
        return line, None
    text, digest = line[: end.start()], end[1].decode()
    if digest != _digest(text, after):
        raise InputError("its content does not agree with its digest: some bits have changed")
    return text, digest


def _digest(text: bytes, after: str) -> str:
    return hashlib.sha256(after.encode() + text).hexdigest()
