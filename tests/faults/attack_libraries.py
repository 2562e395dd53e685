"""Attacks on the compiled engine: what was damaged or put there by somebody else is never loaded."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from tally import Tally

from frustration.engine.native import build

COMPILER = """#!/bin/sh
for last; do :; done
case "$*" in *" -o "*) head -c 4096 "$0.library" >"$last";; esac
"""
"""In no time: what it makes is 4,096 bytes that a seed drew, and no library."""
KINDS = (
    *("flip", "cut", "empty", "garbage", "writable", "link", "pipe", "folder"),
    *("planted file", "planted folder", "open folder"),
)
"""The last three need another user, and so the superuser, or a folder that others may write in."""
SOMEBODY = 54_321


def run(seed: int, count: int) -> Tally:
    """`count` caches, each with one library in it that must not be believed."""
    tally = Tally()
    for number in range(count):
        draw = random.Random(f"{seed}.{number}")
        kind = draw.choice(KINDS if os.geteuid() == 0 else KINDS[:-3])
        with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
            home = Path(folder)
            whole = draw.randbytes(4096)
            (home / "c++.library").write_bytes(whole)
            (home / "c++").write_text(COMPILER)
            (home / "c++").chmod(0o755)
            patch.setenv("CXX", str(home / "c++"))
            patch.setenv(build.CACHE, str(home / "cache"))
            library = build.library_path()
            _attack(library, kind, draw)
            build._private.cache_clear()
            tally.attempt(f"{seed}.{number}: {kind}", lambda whole=whole: _is_whole_and_ours(whole))
            build._private.cache_clear()
    return tally


def _is_whole_and_ours(whole: bytes) -> bool:
    path = build.library_path()
    return path.read_bytes() == whole and path.stat().st_uid == os.geteuid() and not path.is_symlink()


def _attack(library: Path, kind: str, draw: random.Random) -> None:
    content, planted = bytearray(library.read_bytes()), draw.randbytes(4096)
    if kind == "flip":
        content[draw.randrange(len(content))] ^= 1 << draw.randrange(8)
        library.write_bytes(content)
    elif kind == "cut":
        library.write_bytes(content[: draw.randrange(len(content))])
    elif kind == "empty":
        library.write_bytes(b"")
    elif kind == "garbage":
        library.write_bytes(planted)
    elif kind == "writable":
        library.write_bytes(planted)
        library.rename(_named(library, planted)).chmod(0o666)
    elif kind == "link":
        target = library.parent.with_name("planted")
        target.write_bytes(planted)
        library.unlink()
        _named(library, planted).symlink_to(target)
    elif kind == "pipe":
        library.unlink()
        os.mkfifo(library)
    elif kind == "folder":
        library.unlink()
        library.mkdir()
    else:  # everything about it is right, but somebody else wrote it or could have
        library.unlink()
        _named(library, planted).write_bytes(planted)
        _named(library, planted).chmod(0o700)
        if kind == "planted file":
            os.chown(_named(library, planted), SOMEBODY, SOMEBODY)
        elif kind == "planted folder":
            for path in (_named(library, planted), library.parent):
                os.chown(path, SOMEBODY, SOMEBODY)
        else:
            library.parent.chmod(0o777)


def _named(library: Path, content: bytes) -> Path:
    """With the digest in its name that it ought to have."""
    return library.with_name(build._whole_name(library.name.rpartition("-")[0], content))
