"""A list of jobs in a file, one name a line, as the original's launcher wrote `requested-jobs.txt`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from frustration.errors import InputError
from frustration.files import read_file, read_text, write_atomically

NAME = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")


def read(path: Path) -> list[str]:
    """The names, each once; empty lines and what follows a # are skipped."""
    lines = read_text(path, "the list of jobs").splitlines()
    names: dict[str, None] = {}
    for number, line in enumerate(lines, start=1):
        name = line.partition("#")[0].strip()
        if name and not NAME.fullmatch(name):
            raise InputError(f"{path}, line {number}: {name[:70]!r} is not the name of a job")
        if name:
            names[name] = None
    if not names:
        raise InputError(f"{path} names no job")
    return list(names)


def write(path: Path, names: Iterable[str]) -> int:
    """All of them, what the file held before first; how many are new."""
    before = read(path) if path.exists() and read_file(path).strip() else []
    new = [name for name in dict.fromkeys(names) if name not in set(before)]
    write_atomically(path, "".join(f"{name}\n" for name in [*before, *new]).encode())
    return len(new)
