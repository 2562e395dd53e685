"""Messages between a trial and the process in which perforatedai runs: JSON and arrays over pipes.

A message is 8 bytes, little-endian, with the length of a JSON header; the header, which names the arrays
that follow with their types and shapes; and the arrays' bytes. Nothing in it can run code.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

Arrays = Mapping[str, NDArray[Any]]
Message = dict[str, Any]

SIMPLE_MLP, PROBLEM = "SimpleMLP", "problem"
"""What the process trains, as the first message says."""

EPHEMERAL = "ephemeral"
"""The argument of a process that removes its folder when it ends."""

DTYPES = ("float32", "int64", "uint8")


def send(stream: BinaryIO, message: Message, arrays: Arrays | None = None) -> None:
    held = {name: np.ascontiguousarray(array) for name, array in (arrays or {}).items()}
    described = [[name, array.dtype.name, list(array.shape)] for name, array in held.items()]
    header = json.dumps({"message": message, "arrays": described}, allow_nan=True).encode()
    stream.write(len(header).to_bytes(8, "little"))
    stream.write(header)
    for array in held.values():
        stream.write(array.data.cast("B") if array.size else b"")
    stream.flush()


def receive(stream: BinaryIO) -> tuple[Message, dict[str, NDArray[Any]]]:
    """The next message; EOFError where the other side has gone."""
    header = json.loads(_exactly(stream, int.from_bytes(_exactly(stream, 8), "little")))
    arrays = {}
    for name, dtype, shape in header["arrays"]:
        if dtype not in DTYPES:
            raise ValueError(f"no array of {dtype} was expected")
        array = np.empty(shape, dtype)
        body = _exactly(stream, array.nbytes)
        arrays[name] = np.frombuffer(bytearray(body), dtype).reshape(shape)
    message: Message = header["message"]
    return message, arrays


def _exactly(stream: BinaryIO, count: int) -> bytes:
    parts = []
    while count:
        part = stream.read(count)
        if not part:
            raise EOFError
        parts.append(part)
        count -= len(part)
    return b"".join(parts)
