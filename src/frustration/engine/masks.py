"""Dropout masks for many networks at once: the numbers of `frustration.streams.dropout_keep`, in torch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from frustration.streams import dropout_threshold

Counter = tuple[Tensor, Tensor, Tensor, Tensor]

_LOW = 0xFFFF_FFFF
_M0, _M1 = 0xD2511F53, 0xCD9E8D57
_BLOCKS_AT_ONCE = 1 << 16
"""Blocks of four numbers made by one pass: a pass is about a hundred small operations, so a few steps of
a small network share it; of a large one, a few networks do. ns per number for 2 networks of [1*16] with 2^13,
2^14, 2^15, 2^16: 9.1, 6.6, 5.2, 4.6; more would only take more memory (measured)."""


def philox4x32(counter: Counter, keys: Tensor) -> Counter:
    """Philox4x32-10 of counters that broadcast together with the keys [..., 2]; four tensors of words.

    Words are 32 bits in int64: a product wraps modulo 2^64. Only what is multiplied or returned has its
    upper half cleared; in between it may hold anything, a sign included.
    """
    k0, k1 = keys[..., 0], keys[..., 1]
    # In the first rounds much is the same for all units or all samples, and worked on once.
    for _ in range(2):
        counter = _round(counter, k0, k1)
        k0, k1 = _next(k0, k1)
    c0, c1, c2, c3 = (word.contiguous() for word in torch.broadcast_tensors(*counter))
    spare, other = torch.empty_like(c0), torch.empty_like(c0)
    for _ in range(8):
        a, b = c0.bitwise_and_(_LOW).mul_(_M0), c2.bitwise_and_(_LOW).mul_(_M1)
        above_b = torch.bitwise_right_shift(b, 32, out=spare).bitwise_xor_(c1).bitwise_xor_(k0)
        above_a = torch.bitwise_right_shift(a, 32, out=other).bitwise_xor_(c3).bitwise_xor_(k1)
        spare, other = c1, c3
        c0, c1, c2, c3 = above_b, b, above_a, a
        k0, k1 = _next(k0, k1)
    return c0.bitwise_and_(_LOW), c1.bitwise_and_(_LOW), c2.bitwise_and_(_LOW), c3.bitwise_and_(_LOW)


def _round(counter: Counter, k0: Tensor, k1: Tensor) -> Counter:
    c0, c1, c2, c3 = counter
    a, b = (c0 & _LOW) * _M0, (c2 & _LOW) * _M1
    return (b >> 32) ^ c1 ^ k0, b, (a >> 32) ^ c3 ^ k1, a


def _next(k0: Tensor, k1: Tensor) -> tuple[Tensor, Tensor]:
    return (k0 + 0x9E3779B9) & _LOW, (k1 + 0xBB67AE85) & _LOW


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
        self._thresholds = column([dropout_threshold(rate) for rate in rates]).view(1, -1, 1, 1)
        self._layers = column([layer for layer, width in enumerate(hidden) for _ in range(width)])
        self._units = column([unit for width in hidden for unit in range(width)])
        self._networks = len(keys)

    def steps(self, first: int, count: int, samples: int) -> Iterator[Tensor]:
        """For each of `count` steps a bool tensor [R, all hidden units, samples]."""
        blocks = (samples + 3) // 4
        units = len(self._units)
        networks_at_once = max(1, min(self._networks, _BLOCKS_AT_ONCE // (units * blocks)))
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
            keep = torch.empty(some, self._networks, units, blocks * 4, dtype=torch.bool, device=device)
            for r in range(0, self._networks, networks_at_once):
                part = slice(r, r + networks_at_once)
                for word, words in enumerate(philox4x32(counter, self._keys[:, part])):
                    torch.ge(words, self._thresholds[:, part], out=keep[:, part, :, word::4])
            yield from keep[..., :samples]
