"""Dropout masks for many networks at once: the numbers of `frustration.streams.dropout_keep`, in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from frustration.streams import dropout_threshold

_LOW = 0xFFFF_FFFF
_BLOCKS_AT_ONCE = 1 << 15
"""Blocks of four numbers made by one pass: a pass is about a hundred small operations, so a few steps of
a small network share it. 2^15 words of 8 bytes stay in the cache: twice as fast as 2^19 (measured)."""


def philox4x32(counter: tuple[Tensor, Tensor, Tensor, Tensor], keys: Tensor) -> tuple[Tensor, ...]:
    """Philox4x32-10 of counters that broadcast together with the keys [..., 2]; four tensors of words.

    Words are 32 bits in int64: a product wraps modulo 2^64, and after masking its sign does not matter.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = keys[..., 0], keys[..., 1]
    for _ in range(10):
        # The first rounds broadcast: a counter word that is the same for all units is worked on once.
        a, b = c0 * 0xD2511F53, c2 * 0xCD9E8D57
        c0, c1, c2, c3 = ((b >> 32) & _LOW) ^ c1 ^ k0, b & _LOW, ((a >> 32) & _LOW) ^ c3 ^ k1, a & _LOW
        k0, k1 = (k0 + 0x9E3779B9) & _LOW, (k1 + 0xBB67AE85) & _LOW
    return c0, c1, c2, c3


class Masks:
    """Which activations survive, step after step, for the hidden units of R networks of one shape."""

    def __init__(
        self, keys: Sequence[int], rates: Sequence[float], hidden: Sequence[int], device: torch.device
    ) -> None:
        """Keys of the dropout streams and dropout rates of R networks; widths of their hidden layers."""

        def column(values: Sequence[int]) -> Tensor:
            return torch.tensor(values, dtype=torch.int64, device=device)

        words = torch.tensor([[key & _LOW, key >> 32] for key in keys], dtype=torch.int64, device=device)
        self._keys = words.view(1, len(keys), 1, 1, 2)
        self._thresholds = column([dropout_threshold(rate) for rate in rates]).view(1, -1, 1, 1, 1)
        self._layers = column([layer for layer, width in enumerate(hidden) for _ in range(width)])
        self._units = column([unit for width in hidden for unit in range(width)])
        self._networks = len(keys)

    def steps(self, first: int, count: int, samples: int) -> Iterator[Tensor]:
        """For each of `count` steps a bool tensor [R, all hidden units, samples]."""
        blocks = (samples + 3) // 4
        units = len(self._units)
        at_once = max(1, _BLOCKS_AT_ONCE // (self._networks * units * blocks))
        for start in range(first, first + count, at_once):
            some = min(at_once, first + count - start)
            device = self._keys.device
            counter = (
                torch.arange(blocks, device=device),
                self._units.view(1, 1, -1, 1),
                self._layers.view(1, 1, -1, 1),
                torch.arange(start, start + some, device=device).view(-1, 1, 1, 1),
            )
            words = torch.stack(torch.broadcast_tensors(*philox4x32(counter, self._keys)), dim=-1)
            keep = (words >= self._thresholds).view(some, self._networks, units, blocks * 4)
            yield from keep[..., :samples]
