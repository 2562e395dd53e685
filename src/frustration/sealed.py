"""Safetensors files that carry a digest of all they hold, so that a flipped bit is noticed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import numpy as np
import safetensors
import safetensors.numpy

from frustration.errors import FrustrationError, InputError
from frustration.files import MOST_BYTES, open_file
from frustration.network import Vector
from frustration.typed import parse

OUR_FORMATS = "frustration-"
METADATA = "__metadata__"
HEADER_BYTES = 100_000_000
"""The safetensors library reads no header that is longer."""


class CheckpointError(FrustrationError):
    """A checkpoint that is damaged or not one at all."""


def pack(tensors: dict[str, Vector], metadata: dict[str, str]) -> bytes:
    """The file, with its digest; equal content is equal to the byte.

    Not by the library, which writes metadata in an order that changes from run to run: to sort them
    afterwards, a header with the whole curve in it went through three encoders after every loop.
    """
    arrays = {name: np.asarray(array, "<f4", order="C") for name, array in sorted(tensors.items())}
    header: dict[str, Any] = {METADATA: metadata | {"sha256": _digest(arrays, metadata)}}
    end = 0
    for name, array in arrays.items():
        start, end = end, end + array.nbytes
        header[name] = {"dtype": "F32", "shape": array.shape, "data_offsets": (start, end)}
    text = json.dumps(header, sort_keys=True, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    if len(text) > HEADER_BYTES:
        raise CheckpointError(f"its description has {len(text):,} bytes, which is too long to be read again")
    return b"".join([len(text).to_bytes(8, "little"), text, *(array.data for array in arrays.values())])


def unpack(content: bytes) -> tuple[dict[str, Vector], dict[str, str]]:
    """Tensors and metadata of a safetensors file; its digest, if it has one, must agree."""
    try:
        tensors = safetensors.numpy.load(content)
        metadata = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")]).get(METADATA, {})
    except (safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointError(f"not a whole safetensors file: {error}") from None
    except KeyError as error:
        raise CheckpointError(
            f"it holds numbers of the type {error}, which this program does not use"
        ) from None
    signed = "sha256" in metadata or is_ours(metadata)
    if signed and metadata.get("sha256") != _digest(tensors, metadata):
        raise CheckpointError("its content does not agree with its digest: some bits have changed")
    return tensors, metadata


def _digest(tensors: Mapping[str, Vector], metadata: Mapping[str, str]) -> str:
    digest = hashlib.sha256()
    for key in sorted(metadata):
        if key != "sha256":
            digest.update(f"{key}={metadata[key]}\n".encode())
    kinds = {dtype: str(dtype) for dtype in {array.dtype for array in tensors.values()}}  # NumPy takes long
    for name, array in sorted(tensors.items()):
        digest.update(f"{name} {array.shape} {kinds[array.dtype]}\n".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def is_ours(metadata: Mapping[str, str]) -> bool:
    """Other programs name a format too: Hugging Face's write "pt"."""
    return metadata.get("format", "").startswith(OUR_FORMATS)


def header_of(path: Path) -> dict[str, str]:
    """The metadata of a safetensors file of which nothing else is read: to look at, not to resume from."""
    try:
        with open_file(path) as file:
            header = _header(file)
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}") from None
    except InputError as error:
        raise CheckpointError(str(error)) from None
    metadata = header.get(METADATA)
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise CheckpointError("not a whole safetensors file")
    return metadata


def _header(file: IO[bytes]) -> dict[str, Any]:
    length = int.from_bytes(file.read(8), "little")
    header = parse(file.read(length)) if length <= HEADER_BYTES else None
    return header if isinstance(header, dict) else {}


def read(path: Path) -> bytes:
    """The content of a file; a large one has to be as long as its header says, or it is mostly hole."""
    try:
        with open_file(path) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MOST_BYTES and size - MOST_BYTES > _bytes_of(_header(file)):
                raise CheckpointError(f"it has {size:,} bytes, far more than it describes")
            file.seek(0)
            return file.read()
    except OSError as error:
        raise CheckpointError(f"cannot be read: {error.strerror}") from None
    except MemoryError:
        raise CheckpointError("it is larger than the memory that is free") from None
    except InputError as error:
        raise CheckpointError(str(error)) from None


def _bytes_of(header: Mapping[str, Any]) -> int:
    """Of all tensors, as far as they are described."""
    described = [one.get("data_offsets") for one in header.values() if isinstance(one, dict)]
    ends = [one[-1] for one in described if isinstance(one, list) and one]
    return max((end for end in ends if isinstance(end, int)), default=0)
