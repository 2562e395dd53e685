"""Data sets of a few images, in every form in which the real ones are published."""

import gzip
import hashlib
import io
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from frustration.dataset.catalogue import CIFAR_10, EMNIST_BALANCED, KMNIST, MNIST, DataFile, Entry, Published

SHAPE = (3, 5)
COUNTS = {"train": 20, "test": 8}


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def images(count: int, shape: tuple[int, ...] = SHAPE) -> np.ndarray:
    return np.random.default_rng(count).integers(0, 256, (count, *shape), dtype=np.uint8)


def labels(count: int, classes: int = 10) -> np.ndarray:
    return (np.arange(count) % classes).astype(np.uint8)


def idx(array: np.ndarray) -> bytes:
    """The array as an IDX file, written independently of the reader."""
    header = bytes([0, 0, 8, array.ndim]) + b"".join(n.to_bytes(4, "big") for n in array.shape)
    return header + array.tobytes()


def mnist_like(
    name: str = "tiny", *, address: str = "http://127.0.0.1:9", pin: str = "content"
) -> tuple[Entry, dict]:
    """(entry, name -> unpacked content); `pin` is "content" as for MNIST or "packed" as for KMNIST."""
    contents, files = {}, []
    for file in MNIST.files:
        count = COUNTS[file.part]
        data = idx(images(count) if file.holds == "images" else labels(count))
        contents[file.name] = data
        packed = sha256(pack(data)) if pin == "packed" else ""
        published = Published(f"{file.name}.gz", (f"{address}/{file.name}.gz",), 10_000, packed)
        files.append(
            DataFile(
                file.name, file.part, file.holds, count, sha256(data) if pin == "content" else "", published
            )
        )
    base = MNIST if pin == "content" else KMNIST
    return replace(base, name=name, shape=SHAPE, files=tuple(files), validation=5), contents


def pack(data: bytes) -> bytes:
    return gzip.compress(data, mtime=0)


def write(folder: Path, contents: dict, *, packed: bool = True) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, data in contents.items():
        (folder / (f"{name}.gz" if packed else name)).write_bytes(pack(data) if packed else data)
    return folder


def emnist_like(prefix: str = "gzip/", address: str = "http://127.0.0.1:9") -> tuple[Entry, bytes, dict]:
    """(entry, the archive, name -> unpacked content); square images, stored columns first."""
    contents, files = {}, []
    for file in EMNIST_BALANCED.files:
        count = COUNTS[file.part]
        upright = images(count, (4, 4))
        contents[file.name] = idx(
            upright.swapaxes(1, 2).copy() if file.holds == "images" else labels(count, 47)
        )
        files.append(replace(file, count=count))
    memory = io.BytesIO()
    with zipfile.ZipFile(memory, "w") as archive:
        archive.writestr(f"{prefix}emnist-letters-mapping.txt", "not wanted")
        for name, data in contents.items():
            archive.writestr(f"{prefix}{name}.gz", pack(data))
    published = Published("gzip.zip", (f"{address}/gzip.zip",), 100_000, sha256(memory.getvalue()))
    entry = replace(
        EMNIST_BALANCED,
        name="tiny-emnist",
        shape=(4, 4),
        files=tuple(files),
        archives=(published,),
        validation=5,
    )
    return entry, memory.getvalue(), contents


def cifar_like() -> tuple[Entry, bytes, dict]:
    """(entry, the archive, name -> records of one label byte and 2 x 2 x 3 pixels)."""
    contents, files = {}, []
    for number, file in enumerate(CIFAR_10.files):
        pixels = images(number + 4, (12,))
        contents[file.name] = np.concatenate([labels(number + 4)[:, None], pixels], axis=1).tobytes()
        files.append(replace(file, count=number + 4, sha256=sha256(contents[file.name])))
    memory = io.BytesIO()
    with tarfile.open(fileobj=memory, mode="w:gz") as archive:
        for name, data in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))
    published = Published("cifar-10-binary.tar.gz", (), 100_000, sha256(memory.getvalue()))
    entry = replace(
        CIFAR_10, name="tiny-cifar", shape=(3, 2, 2), files=tuple(files), archives=(published,), validation=5
    )
    return entry, memory.getvalue(), contents
