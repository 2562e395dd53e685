"""What a number was measured on."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from frustration.runners.pool import default_workers


def facts() -> dict[str, str]:
    """CPU, cores, versions and how busy the machine is right now."""
    return {
        "CPU": f"{cpu_model()}, {default_workers()} cores, {torch.backends.cpu.get_cpu_capability()}",
        "versions": f"torch {torch.__version__}, numpy {np.__version__}, Python {platform.python_version()}",
        "load average": load_average(),
    }


def cpu_model() -> str:
    """With family and model where the name alone says little, as in a virtual machine."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = (line.partition(":") for line in info.read_text().splitlines())
    fields = {key.strip(): value.strip() for key, _, value in lines}
    name = fields.get("model name", platform.machine())
    if "cpu family" in fields:
        name += f" (family {fields['cpu family']}, model {fields['model']})"
    return name


def load_average() -> str:
    """Over the last 1, 5 and 15 minutes."""
    return " ".join(f"{load:.1f}" for load in os.getloadavg()) if hasattr(os, "getloadavg") else "unknown"


def sgemm_peaks(size: int = 1536, repeats: int = 8) -> dict[str, float]:
    """FLOP per CPU second of the best of some single-precision products, by library, on torch's threads.

    PyTorch's own products are the BLAS's that it was built with; its compiler also calls oneDNN's, which
    may use vector instructions that the other does not use on this CPU.
    """
    a, b = torch.randn(size, size), torch.randn(size, size)
    products: dict[str, Callable[[], object]] = {"BLAS": lambda: torch.mm(a, b)}
    if torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        products["oneDNN"] = lambda: torch.ops.mkldnn._linear_pointwise(a, b, None, "none", [], "")
    return {name: 2 * size**3 / _least_seconds(product, repeats) for name, product in products.items()}


def _least_seconds(work: Callable[[], object], repeats: int) -> float:
    work()
    best = float("inf")
    for _ in range(repeats):
        started = time.process_time()
        work()
        best = min(best, time.process_time() - started)
    return best
