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

from frustration.archive import opened
from frustration.cloud.download import NoObject, fetch, objects
from frustration.cloud.place import Place
from frustration.spec import TrialSpec
from frustration.study.intake import take
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
    need_networks = into.study().networks
    under = place.checkpoints(pack).removesuffix("/")  # a rerun keeps its own beside them: PACK-aNN/
    keys = {one["Key"] for one in objects(s3, place.bucket, under)}
    for key in sorted(keys):
        trial = key.rpartition("/")[2].removesuffix(".json")
        root = key.partition("/trials/")[0]
        files = (into.record_path(trial), into.network_path(trial))
        record, network = (f"{root}/{path.relative_to(into.root)}" for path in files)
        if trial not in missing - taken or key != record:
            continue
        with tempfile.TemporaryDirectory(dir=into.root) as folder:
            paths = []
            for name in keys & {record, network}:
                path = Path(folder, name.rpartition("/")[2])
                with contextlib.suppress(NoObject):  # a running job replaces what it has uploaded
                    fetch(s3, place.bucket, name, path)
                    paths.append(path)
            taken |= take(opened(paths), into, belongs, need_networks).records
    return taken
