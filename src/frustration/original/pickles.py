"""The pickles in which the original project kept an LKG."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping

from frustration.errors import first_line
from frustration.network import Vector
from frustration.sealed import CheckpointError


def is_pickle(content: bytes) -> bool:
    """What torch.save writes: a zip archive, or in older versions a bare pickle.

    A safetensors file can begin with the byte of a pickle, for it begins with the length of its header;
    the header itself begins with a brace.
    """
    return content[:4] == b"PK\x03\x04" or (content[:1] == b"\x80" and content[8:9] != b"{")


def unpickle(content: bytes) -> tuple[dict[str, Vector], dict[str, int]]:
    """The original's pickles: a state dict, or {model_state, global_meta_loops, bounty_meta_loop}."""
    import torch  # reading pickles is the only thing here that needs it

    try:
        if content[:2] == b"PK" and (broken := zipfile.ZipFile(io.BytesIO(content)).testzip()):
            raise CheckpointError(f"a pickle whose {broken} does not agree with its checksum")
        with warnings.catch_warnings(action="ignore"):
            loaded = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except CheckpointError:
        raise
    except Exception as error:  # damage can make a pickle fail in any way
        raise CheckpointError(f"a pickle that cannot be read safely: {first_line(error)}") from None
    counts: dict[str, int] = {}
    if isinstance(loaded, dict) and "model_state" in loaded:
        counts = {k: v for k, v in loaded.items() if k != "model_state" and isinstance(v, int)}
        loaded = loaded["model_state"]
    if not isinstance(loaded, dict) or not all(isinstance(t, torch.Tensor) for t in loaded.values()):
        raise CheckpointError("a pickle that does not hold a state dict")
    return {name: tensor.detach().float().numpy() for name, tensor in loaded.items()}, counts


def loops_of(counts: Mapping[str, int]) -> int:
    """A file that does not count its loops has seen one at least, so no later loop is the undamaged one."""
    return max(1, counts.get("global_meta_loops", 1), counts.get("bounty_meta_loop", 1))
