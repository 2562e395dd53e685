"""Finished trials of a job without an archive: one that died, was stopped, or is still running.

Its checkpoints hold their records and networks. They are uploaded file by file, so a record may be there and
its network not, and any file may be torn: only trials that are whole are taken.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from frustration.cloud.archive import Member
from frustration.cloud.archive_contents import gather
from frustration.cloud.download import NoObject, fetch, objects
from frustration.cloud.place import Place
from frustration.files import open_file
from frustration.spec import TrialSpec
from frustration.study.store import Store


def finished_in_checkpoints(
    s3: Any,
    place: Place,
    pack: str,
    missing: set[str],
    into: Store,
    belongs: Callable[[TrialSpec], bool],
) -> set[str]:
    """Put those of the missing trials into a store that nobody else uses; returns their ids."""
    taken: set[str] = set()
    wants_network = into.study().networks
    under = place.checkpoints(pack).removesuffix("/")  # a rerun keeps its own beside them: PACK-aNN/
    keys = {one["Key"] for one in objects(s3, place.bucket, under)}
    for key in sorted(keys):
        trial = key.rpartition("/")[2].removesuffix(".json")
        root = key.partition("/trials/")[0]
        record, network = into.record_path(trial), into.network_path(trial)
        names = [f"{root}/{path.relative_to(into.root)}" for path in (record, network)]
        if trial not in missing - taken or key != names[0]:
            continue
        if trial not in _fetched(s3, place.bucket, [name for name in names if name in keys], into, belongs):
            continue
        if wants_network and not network.exists() and into.record(trial).bounty is not None:
            record.unlink()
        else:
            taken.add(trial)
    return taken


def _fetched(
    s3: Any, bucket: str, keys: list[str], into: Store, belongs: Callable[[TrialSpec], bool]
) -> set[str]:
    with tempfile.TemporaryDirectory(dir=into.root) as folder, contextlib.ExitStack() as opened:
        found = []
        for key in keys:
            path = Path(folder) / key.rpartition("/")[2]
            with contextlib.suppress(NoObject):  # a running job replaces what it has uploaded
                fetch(s3, bucket, key, path)
                found.append(Member(path.name, path.stat().st_size, opened.enter_context(open_file(path))))
        return gather(found, into, belongs).records
