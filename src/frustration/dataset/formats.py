"""Bytes of a data file -> arrays: IDX (MNIST and the like) and CIFAR's binary records. Bytes in, arrays out.

Structure is checked before the digest, because "expected 60000 x 28 x 28" says more than two digests.
"""

from __future__ import annotations

import hashlib
import struct

import numpy as np
from numpy.typing import NDArray

from frustration.dataset.catalogue import DataFile, DatasetError, Entry


def damaged(where: str, expected: str, found: str) -> DatasetError:
    """The one sentence about a file that must not be used."""
    return DatasetError(
        f"{where} is not what was published: expected {expected}, found {found}; "
        "delete it to have it downloaded again, or put the published file in its place"
    )


def check_length(data: bytes, expected: int, where: str) -> None:
    """A reader stops one byte after the expected end, so a longer file shows as exactly one byte more."""
    if len(data) != expected:
        found = f"{len(data):,} bytes" if len(data) < expected else "more"
        raise damaged(where, f"{expected:,} bytes", found)


def check_idx_header(data: bytes, dimensions: tuple[int, ...], where: str) -> None:
    """`data` must begin as an IDX file of unsigned bytes with these dimensions."""
    size = 4 + 4 * len(dimensions)
    if len(data) < size:
        raise damaged(where, f"an IDX header of {size} bytes", f"{len(data)} bytes")
    magic, *found = struct.unpack(f">{1 + len(dimensions)}I", data[:size])
    expected_magic = 0x0800 + len(dimensions)  # 0x08 = unsigned byte, then the number of dimensions
    if magic != expected_magic:
        raise damaged(where, f"magic number {expected_magic}", str(magic))
    if tuple(found) != dimensions:
        raise damaged(where, " x ".join(map(str, dimensions)), " x ".join(map(str, found)))


def check_digest(data: bytes, sha256: str, where: str) -> None:
    """An empty `sha256` is an unknown one."""
    if sha256 and (found := hashlib.sha256(data).hexdigest()) != sha256:
        raise damaged(where, f"content with SHA-256 {sha256}", found)


def check_structure(entry: Entry, file: DataFile, data: bytes, where: str) -> None:
    """Header, counts, length and digest of one unpacked file."""
    if file.holds == "images":
        check_idx_header(data, (file.count, *entry.shape), where)
    elif file.holds == "labels":
        check_idx_header(data, (file.count,), where)
    check_length(data, entry.unpacked_size(file), where)
    check_digest(data, file.sha256, where)


def parse(
    entry: Entry, file: DataFile, data: bytes, where: str
) -> tuple[NDArray[np.uint8] | None, NDArray[np.int64] | None]:
    """(images [count, features] or None, labels [count] or None) of one unpacked file, checked."""
    check_structure(entry, file, data, where)
    body = np.frombuffer(data, np.uint8)[len(data) - file.count * _bytes_per_image(entry, file) :]
    if file.holds == "images":
        return _flat(body.reshape(file.count, *entry.shape), entry.transposed), None
    if file.holds == "labels":
        return None, _labels(body, entry.classes, where)
    records = body.reshape(file.count, 1 + entry.features)
    return np.ascontiguousarray(records[:, 1:]), _labels(records[:, 0], entry.classes, where)


def _bytes_per_image(entry: Entry, file: DataFile) -> int:
    return {"images": entry.features, "labels": 1, "both": 1 + entry.features}[file.holds]


def _flat(images: NDArray[np.uint8], transposed: bool) -> NDArray[np.uint8]:
    """[n, rows, columns] -> [n, features] in rows, upright."""
    upright = images.swapaxes(-1, -2) if transposed else images
    return upright.reshape(len(images), -1)


def _labels(labels: NDArray[np.uint8], classes: int, where: str) -> NDArray[np.int64]:
    """[n], each in 0 .. classes - 1."""
    if labels.max(initial=0) >= classes:
        raise damaged(where, f"labels 0 to {classes - 1}", f"a label {labels.max()}")
    return labels.astype(np.int64)
