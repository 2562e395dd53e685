"""Dendrites in a layer of a population: one elementwise step after its product, and its backward pass.

A layer of N units with K dendrites on each is a product of (K + 1) N rows; `sums` [slots, K + 1, N, batch]
are its results. Of the dendrites k = 1 … K

    a_k = f(z_k + sum over j < k of links[j, k] a_j),    y = z_0 + sum over k of tops[k] a_k
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

LEAK = 0.01

FUNCTIONS: dict[str, tuple[Callable[[Tensor], Tensor], Callable[[Tensor], Tensor]]] = {
    "sigmoid": (torch.sigmoid, lambda a: a - a * a),
    "relu": (torch.relu, lambda a: (a > 0).to(a.dtype)),
    "tanh": (torch.tanh, lambda a: 1 - a * a),
    "leaky_relu": (lambda z: functional.leaky_relu(z, LEAK), lambda a: torch.where(a > 0, 1.0, LEAK)),
    "softplus": (functional.softplus, lambda a: 1 - torch.exp(-a)),
}
"""f, and its derivative from its own value."""


def pair(k: int, j: int) -> int:
    """The row of `links` in which dendrite j weighs in dendrite k, both counted from 1, j < k."""
    return (k - 1) * (k - 2) // 2 + j - 1


def join(sums: Tensor, tops: Tensor, links: Tensor, function: str, out: Tensor) -> None:
    """Write y [slots, N, batch] to `out`; in `sums` the dendrites' sums become their activations.

    tops [slots, K, N, 1], links [slots, K (K - 1) / 2, N, 1].
    """
    f, _ = FUNCTIONS[function]
    out.copy_(sums[:, 0])
    for k in range(1, sums.shape[1]):
        a = sums[:, k]
        for j in range(1, k):
            a.addcmul_(links[:, pair(k, j)], sums[:, j])
        a.copy_(f(a))
    for k in range(1, sums.shape[1]):
        out.addcmul_(tops[:, k - 1], sums[:, k])


def part(
    active: Tensor,
    delta: Tensor,
    tops: Tensor,
    links: Tensor,
    function: str,
    deltas: Tensor,
    top_gradients: Tensor,
    link_gradients: Tensor,
) -> None:
    """The way back: from `delta` [slots, N, batch] of y the `deltas` [slots, K + 1, N, batch] of the sums.

    `active` is what `join` left in `sums`. The gradients have the shapes of tops and links.
    """
    _, derivative = FUNCTIONS[function]
    last = active.shape[1] - 1
    deltas[:, 0] = delta
    for k in range(last, 0, -1):
        a, into = active[:, k], deltas[:, k]
        torch.mul(delta, tops[:, k - 1], out=into)
        for j in range(k + 1, last + 1):
            into.addcmul_(links[:, pair(j, k)], deltas[:, j])
            torch.sum(deltas[:, j] * a, 2, keepdim=True, out=link_gradients[:, pair(j, k)])
        into.mul_(derivative(a))
        torch.sum(delta * a, 2, keepdim=True, out=top_gradients[:, k - 1])
