"""Where a data set's files may be, and the folder that is used: found, or completed by a download.

One rule: the first folder that holds any of the files is the folder. A damaged file there is an error, and
missing ones are downloaded into it; nothing is mixed from two folders or skipped for a better one.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from pathlib import Path

from frustration.dataset.catalogue import DatasetError, Entry, Published
from frustration.dataset.contents import missing_from
from frustration.dataset.download import Unreachable, fetch_all, fetch_any
from frustration.files import StorageError, expanded, users_cache


def places(entry: Entry, folder: Path | None = None) -> list[Path]:
    """Folders in the order in which they are searched; a `folder` that the user names is the only one."""
    if folder is not None:
        return [expanded(folder)]
    found = [Path("dataset").absolute() / entry.name]
    if root := os.environ.get("FRUSTRATION_DATASETS"):
        found.insert(0, expanded(Path(root)) / entry.name)
    if checkout := _checkout():
        found.append(checkout / "dataset" / entry.name)
    found.append(Path(__file__).resolve().parents[1] / "bundled" / entry.name)  # package data of the wheel
    if entry.system_folder:
        found.append(Path(entry.system_folder))
    with contextlib.suppress(StorageError):  # a user without a home folder
        found.append(_cache() / entry.name)
    return list(dict.fromkeys(found))


def locate(entry: Entry, folder: Path | None = None) -> Path | None:
    """The first folder that holds any of the files; it may lack others."""
    everything = len(entry.files)
    return next(
        (place for place in places(entry, folder) if len(missing_from(entry, place)) < everything), None
    )


def obtain(entry: Entry, folder: Path | None = None) -> Path:
    """A folder with all files of the data set; what is missing is downloaded."""
    place = locate(entry, folder)
    target = place or download_folder(entry, folder)
    missing = missing_from(entry, target)
    if not missing:
        return target
    published = [file.published for file in missing if file.published]
    try:
        if entry.archives:
            fetch_any(entry, entry.archives, target)
        else:
            fetch_all(entry, published, target)
    except Unreachable as error:
        lacks = f"{target} lacks {len(missing)} of its files" if place else "not on this machine"
        raise DatasetError(
            f"{entry.name}: {lacks}, and the download failed ({error}); "
            f"{how_to_get(entry, published, target)}"
        ) from error
    return target


def how_to_get(entry: Entry, published: Sequence[Published], target: Path) -> str:
    """Which files go where, and where they come from, for a machine without the internet."""
    if entry.archives:
        return f"put {' or '.join(archive.urls[0] for archive in entry.archives)} into {target}"
    address = published[0].urls[0].rpartition("/")[0]
    return f"put {', '.join(file.name for file in published)} from {address}/ into {target}"


def download_folder(entry: Entry, folder: Path | None = None) -> Path:
    """Where a data set that is nowhere yet goes: `folder`, a writable checkout or the user's cache."""
    if folder is not None:
        return expanded(folder)
    checkout = _checkout()
    if checkout and os.access(checkout / "dataset", os.W_OK):
        return checkout / "dataset" / entry.name
    return _cache() / entry.name


def _checkout() -> Path | None:
    """The source checkout that this file is part of, None for an installed package."""
    source = Path(__file__).resolve().parents[2]
    return source.parent if source.name == "src" and (source.parent / "dataset").is_dir() else None


def _cache() -> Path:
    return users_cache() / "frustration" / "datasets"
