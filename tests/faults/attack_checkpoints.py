"""Attacks on the files of a trial under way: flips, cuts, other files, descriptions of no fitting type."""

from __future__ import annotations

import json
import random
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from attack_kit import TEN_TO_THE_400, cut, flipped, spoiled
from scripted import play
from tally import Tally

from frustration import sealed
from frustration.checkpoint import CheckpointFiles
from frustration.treatment import Session

SESSIONS = [Session(mode="none", treatment={"mode": "none"}, first_loop=1, target=6)]
DEEP = "[" * 50_000
TEXTS = ("", "x", "null", "[]", "{}", "-1", "1.5", "true", DEEP, "1" * 5000, TEN_TO_THE_400, "NaN", '"x"')
KINDS = (b"", b"no checkpoint", b"\x80\x04\x95 a pickle", b"PK\x03\x04", b"{" * 64, b"\xff" * 64)


def run(seed: int, count: int) -> Tally:
    """`count` attacks on the LKG, the resume file and the curve in turn."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        whole = CheckpointFiles(Path(folder) / "whole" / "x_lkg")
        whole.stem.parent.mkdir()
        trial, _ = play("none/patience-3", [50.0, 60.0, 40.0, 61.0, 30.0, 20.0])
        trial.sessions = SESSIONS
        whole.save(trial, lkg_too=True)
        for number in range(count):
            draw = random.Random(f"{seed}.{number}")
            place = Path(folder) / "attacked"
            files = CheckpointFiles(shutil.copytree(whole.stem.parent, place) / whole.stem.name)
            _attack(tally, files, ("lkg", "resume", "curve")[number % 3], draw, f"{seed}.{number}")
            shutil.rmtree(place)
    return tally


def _attack(tally: Tally, files: CheckpointFiles, which: str, draw: random.Random, name: str) -> None:
    if which == "lkg":
        files.resume.unlink()
    path: Path = getattr(files, which)
    right = _all_of(files)
    before = path.read_bytes()
    kind = draw.choice(("flip", "flip", "cut", "kind", "description", "weights"))
    if kind in ("description", "weights") and which != "curve":
        content, what = (_described if kind == "description" else _weighted)(before, draw)
    elif kind == "kind":
        content = draw.choice(KINDS)
        what = repr(content[:10])
    else:
        content, what = (cut if kind == "cut" else flipped)(before, draw)
    path.write_bytes(content)
    if content != before:
        other = kind == "description"  # which need not be wrong
        tally.attempt(f"{which} {kind} {name}: {what}", lambda: _all_of(files) == right or other)


def _all_of(files: CheckpointFiles) -> Any:
    """All that is loaded, as values that can be compared."""
    saved = files.load()
    assert saved is not None
    trial = saved.trial
    rest = None if trial is None else (trial.base.vector.tobytes(), trial.curve, trial.failures, trial.loop)
    return saved.lkg.vector.tobytes(), saved.loop, saved.bounty, saved.seed, saved.sessions, rest


def _described(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Another description under a digest that agrees: who wrote it cannot be known, but it must be usable."""
    tensors, metadata = sealed.unpack(content)
    metadata.pop("sha256")
    key = draw.choice(sorted(metadata))
    if key == "state" and draw.random() < 0.8:
        found = spoiled(json.loads(metadata["state"]), draw)
        if found is not None:
            return sealed.pack(tensors, {**metadata, "state": json.dumps(found[0])}), found[1]
    value = draw.choice(TEXTS)
    return sealed.pack(tensors, {**metadata, key: value}), f"{key} = {value[:20]}"


def _weighted(content: bytes, draw: random.Random) -> tuple[bytes, str]:
    """Weights that are not finite, under a digest that agrees."""
    tensors, metadata = sealed.unpack(content)
    metadata.pop("sha256")
    name = draw.choice(sorted(tensors))
    array = tensors[name].copy()
    array.flat[draw.randrange(array.size)] = draw.choice((np.nan, np.inf, -np.inf))
    return sealed.pack({**tensors, name: array}, metadata), f"{name} is not finite"
