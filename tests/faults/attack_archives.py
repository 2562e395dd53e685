"""Attacks by archives from a bucket: whatever is in one, nothing false is taken and the honest rest is."""

from __future__ import annotations

import gzip
import io
import json
import random
import tarfile
import tempfile
from pathlib import Path

from attack_kit import TEN_TO_THE_400, as_line, cut, flipped, records, spoiled, study
from tally import Tally

from frustration.archive import Limits, members
from frustration.original.cloud_forms import read_archive
from frustration.record import TrialRecord
from frustration.sealed_json import seal
from frustration.study.intake import take
from frustration.study.store import Store

DEEP = '{"a":' * 50_000 + "1" + "}" * 50_000
LIMITS = Limits(members=100, member_bytes=2**22, total_bytes=2**24, packed_bytes=2**24)
ORIGINALS = (DEEP.encode(), b"1" * 5000, b"nan", b"[1e400]", b"\xff", b'[{"bounty":' * 9)
HONEST = 6
VICTIM = 0


def run(seed: int, count: int) -> Tally:
    """`count` archives, each with one bad thing in it."""
    tally = Tally()
    made = list(records(HONEST))
    for number in range(count):
        draw = random.Random(f"{seed}.{number}")
        with tempfile.TemporaryDirectory() as folder:
            _attack(tally, Path(folder), made, draw, f"{seed}.{number}")
    return tally


def _attack(tally: Tally, folder: Path, made: list[TrialRecord], draw: random.Random, name: str) -> None:
    whole = {f"study/trials/{r.spec.id[:2]}/{r.spec.id}.json": seal(r.to_dict()).encode() for r in made}
    kind = draw.choice(("value", "value", "huge", "deep", "original", "flip", "cut", "name", "bomb", "link"))
    victim = next(iter(whole))
    files, what = dict(whole), kind
    if kind == "value":
        found = spoiled(made[VICTIM].to_dict(), draw)
        if found is None:
            return
        files[victim], what = as_line(found[0], draw), found[1]
    elif kind == "huge":
        what = draw.choice(("seconds", "loop", "bounty", "flops", "parameters"))
        files[victim] = json.dumps({**made[VICTIM].to_dict(), what: 0}).replace(
            f'"{what}": 0', f'"{what}": {TEN_TO_THE_400}'
        ).encode()  # fmt: skip
    elif kind == "deep":
        part = draw.choice(("numerics", "growth", "curve", "spec", "past_numerics"))
        text = json.dumps({**made[VICTIM].to_dict(), part: "HERE"})
        files[victim], what = text.replace('"HERE"', DEEP).encode(), f"deep {part}"
    elif kind == "original":
        base = draw.choice(("results.txt", "comprehensive_results.json"))
        files[base] = draw.choice(ORIGINALS)
    elif kind == "name":
        files[draw.choice(("../out", "/tmp/out", "a/../../out", "a\\..\\..\\out", "C:\\out"))] = b"out"
    elif kind == "bomb":
        files["study/zeros"] = bytes(LIMITS.member_bytes + 1)
    content = _packed(files, link=kind == "link")
    if kind in ("flip", "cut"):
        content, what = (flipped if kind == "flip" else cut)(content, draw)
    path = folder / "model.tar.gz"
    path.write_bytes(content)
    store = Store(folder / "store")
    store.create(study(HONEST // 2))
    right = {record.spec.id: record for record in made}

    def taken_rightly() -> bool:
        found = take(members(path, LIMITS), store, lambda spec: spec.id in right)
        if kind == "original" and not read_archive(members(path, LIMITS))[1]:
            return False
        honest = {record.spec.id for number, record in enumerate(made) if number != VICTIM}
        if not honest <= found.records or list(folder.glob("*out*")):
            return False
        accepted = {one: store.record(one) for one in found.records}
        if kind == "value":  # what was accepted of it can at least be used
            accepted.pop(made[VICTIM].spec.id, None)
        return all(accepted[one] == right[one] for one in accepted)

    tally.attempt(f"{kind} {name}: {what}", taken_rightly)


def _packed(files: dict[str, bytes], link: bool) -> bytes:
    packed = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=packed, mode="wb", mtime=0) as zipped,
        tarfile.open(fileobj=zipped, mode="w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
        if link:
            info = tarfile.TarInfo("study/study.toml")
            info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(info)
    return packed.getvalue()
