"""Attacks on the records and the index of a study: flipped bits, cut files, values of no type that fits."""

from __future__ import annotations

import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path

from attack_kit import TEN_TO_THE_400, as_line, cut, flipped, spoiled, store_of
from tally import Tally

from frustration.record_reading import finished_record
from frustration.report.reading import read_study
from frustration.study.store import Store
from frustration.study.summary import summary

TEXTS = (
    b"",
    b"null",
    b"[]",
    b"{}",
    b"\xff\xfe\x00",
    b"[" * 100_000,
    b'{"record_schema": 1, "spec": {}, "curve": []}',
    b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
)
"""Files of another kind."""


def run(seed: int, count: int) -> Tally:
    """`count` attacks in all: half of them flips, the others of every other kind."""
    tally = Tally()
    with tempfile.TemporaryDirectory() as folder:
        store = store_of(Path(folder))
        for number in range(count):
            draw = random.Random(f"{seed}.{number}")
            kind = ("flip", "index", "flip", "wrong", "cut", "text", "report")[number % 7]
            ATTACKS[kind](tally, store, draw, f"{kind} {seed}.{number}")
    return tally


def _on_record(tally: Tally, store: Store, draw: random.Random, name: str, content: bytes) -> None:
    """Put the content in place of a record; whatever is read or listed of it has to be what was there."""
    trial_id = min(store.ids()[0])
    path = store.record_path(trial_id)
    before = path.read_bytes()
    right = finished_record(before)
    line = summary(right)
    path.write_bytes(content)
    try:
        tally.attempt(
            name, lambda: summary(store.head(trial_id)) == line and store.record(trial_id) == right.record()
        )
    finally:
        path.write_bytes(before)


def _content(store: Store) -> bytes:
    return store.record_path(min(store.ids()[0])).read_bytes()


def flip(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    content, what = flipped(_content(store), draw)
    _on_record(tally, store, draw, f"{name}: {what}", content)


def shorten(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    content, what = cut(_content(store), draw)
    _on_record(tally, store, draw, f"{name}: {what}", content)


def text(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    content = draw.choice(TEXTS)
    _on_record(tally, store, draw, f"{name}: {content[:20]!r}", content)


def wrong(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    """A value of no type that fits, under a digest that agrees or without one.

    Free texts, counts of time and numerics can have other values that make sense, so what is asked is that
    whatever is accepted can be used: it is written again, reported and listed.
    """
    fields = json.loads(_content(store))
    del fields["sha256"]
    if draw.random() < 0.2:
        number = draw.choice(("seconds", "loop", "bounty", "flops"))
        content = json.dumps({**fields, number: "HERE"}).replace('"HERE"', TEN_TO_THE_400).encode()
        _on_record(tally, store, draw, f"{name}: {number} = 10^400", content)
        return
    found = spoiled(fields, draw)
    if found is None:
        return
    changed, what = found
    trial_id = min(store.ids()[0])
    path = store.record_path(trial_id)
    before = path.read_bytes()
    path.write_bytes(as_line(changed, draw))

    def usable() -> bool:
        record = store.record(trial_id)
        assert summary(store.head(trial_id)) == summary(store.fields(trial_id))
        json.dumps(record.to_dict(), allow_nan=False).encode()
        return sum(cell.n for cell in read_study(store.root).cells) == len(store.ids()[0])

    try:
        tally.attempt(f"{name}: {what}", usable)
    finally:
        path.write_bytes(before)


def index(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    """A damaged index costs time and nothing else."""
    right = store.summaries()
    path = store.root / "index.jsonl"
    before = path.read_bytes()
    content, what = draw.choice((flipped, cut))(before, draw)
    path.write_bytes(content)
    try:
        tally.attempt(f"{name}: {what}", lambda: store.summaries() == right)
    finally:
        path.write_bytes(before)


def report(tally: Tally, store: Store, draw: random.Random, name: str) -> None:
    """One bad record is named, and the others are reported."""
    trial_id = min(store.ids()[0])
    path = store.record_path(trial_id)
    before = path.read_bytes()
    content, what = draw.choice((flipped, cut))(before, draw)
    path.write_bytes(content)

    def others() -> bool:
        results = read_study(store.root)
        named = [skipped.path for skipped in results.skipped]
        return (results.trials, named) in ((7, [path]), (8, []))

    try:
        tally.attempt(f"{name}: {what}", others)
    finally:
        path.write_bytes(before)


Attack = Callable[[Tally, Store, random.Random, str], None]
ATTACKS: dict[str, Attack] = {
    "flip": flip,
    "cut": shorten,
    "text": text,
    "wrong": wrong,
    "index": index,
    "report": report,
}
