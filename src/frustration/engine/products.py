"""Matrix products in single precision, with the faster of PyTorch's two libraries.

oneDNN, behind PyTorch's convolutions and the linear layers of its compiler, reaches 235 GFLOP/s on one
thread of a Zen 5 with AVX-512, where MKL, behind `torch.mm` and `torch.bmm`, reaches 105 (measured,
192 x 784 times 784 x 256). But it has no batched product, and every call of it costs some 15 µs.
"""

from __future__ import annotations

import platform

import torch
from torch import Tensor

ONE_BY_ONE_FLOPS = 5_000_000
"""From this size of a single product on (128 x 128 x 256 has 8 million), oneDNN one by one beats MKL's
batched product: 1.3 times there, twice at 632 x 632 x 256, half as fast at 32 x 32 x 256 (measured)."""
WIDE_FLOPS = 2_000_000
"""From this size on oneDNN beats MKL for a single product: 6 x 784 x 256 has 2.4 million (measured)."""


def _has_onednn() -> bool:
    """Whether the product of oneDNN that PyTorch's compiler calls is there, on a CPU that it is good at."""
    on_x86 = platform.machine().lower() in ("x86_64", "amd64")
    return on_x86 and torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


ONEDNN = _has_onednn()


def times_transposed(a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
    """a [m, k] times the transpose of b [n, k]: [m, n], in `out` if it is given."""
    if ONEDNN and a.device.type == "cpu" and 2 * a.shape[0] * a.shape[1] * b.shape[0] >= WIDE_FLOPS:
        product = _onednn(a, b)
        return product if out is None else out.copy_(product)
    return torch.mm(a, b.t(), out=out)


def layer_outputs(weight: Tensor, below: Tensor, bias: Tensor, out: Tensor) -> Tensor:
    """[K, outputs, batch]: weight [K, outputs, inputs] times below [K, inputs, batch], plus bias."""
    if weight.shape[2] == 1:
        return torch.mul(below, weight, out=out).add_(bias)
    return _batched_times_transposed(weight, below.transpose(1, 2), out, bias)


def gradient(delta: Tensor, below: Tensor, out: Tensor) -> Tensor:
    """[K, outputs, inputs]: delta [K, outputs, batch] times the transpose of below [K, inputs, batch]."""
    if out.shape[1:] == (1, 1):
        return torch.sum(delta * below, 2, keepdim=True, out=out)
    return _batched_times_transposed(delta, below, out)


def propagate(weight: Tensor, delta: Tensor, out: Tensor) -> Tensor:
    """[K, inputs, batch]: the transpose of weight [K, outputs, inputs] times delta [K, outputs, batch]."""
    if weight.shape[1] == 1:
        return torch.mul(weight.transpose(1, 2), delta, out=out)
    return _batched_times_transposed(weight.transpose(1, 2), delta.transpose(1, 2), out)


def _batched_times_transposed(a: Tensor, b: Tensor, out: Tensor, bias: Tensor | None = None) -> Tensor:
    """a [K, m, k] times the transpose of b [K, n, k], plus bias [K, m, 1], by slot, in out [K, m, n]."""
    if ONEDNN and a.device.type == "cpu" and 2 * a.shape[1] * a.shape[2] * b.shape[1] >= ONE_BY_ONE_FLOPS:
        for one, other, into in zip(a, b, out, strict=True):
            into.copy_(_onednn(one, other))
        return out if bias is None else out.add_(bias)
    if bias is None:
        return torch.bmm(a, b.transpose(1, 2), out=out)
    return torch.baddbmm(bias, a, b.transpose(1, 2), out=out)


def _onednn(a: Tensor, b: Tensor) -> Tensor:
    product: Tensor = torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return product
