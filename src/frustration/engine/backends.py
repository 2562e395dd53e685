"""Backends by name, and the choice where the user makes none."""

from __future__ import annotations

from typing import Final

from frustration.engine.population import Backend
from frustration.errors import InputError

BACKENDS: Final = ("torch", "reference")
DEVICES: Final = ("cpu", "cuda", "mps")


def backend_named(name: str, device: str) -> Backend:
    """The backend for a device that is there."""
    if name == "reference":
        if device != "cpu":
            raise InputError(f"the reference backend runs on the cpu only, not on {device}")
        from frustration.engine.reference import ReferenceBackend

        return ReferenceBackend()
    if name == "torch":
        from frustration.engine.torch import TorchBackend

        return TorchBackend(device)
    raise InputError(f'backend "{name}" is not one of {", ".join(BACKENDS)}')


def choose(backend: str | None, device: str | None) -> tuple[str, str]:
    """Backend and device, filled in where they are None: CUDA before Metal before the CPU."""
    device = device or ("cpu" if backend == "reference" else _best_device())
    if device not in DEVICES:
        raise InputError(f'device "{device}" is not one of {", ".join(DEVICES)}')
    if device != "cpu" and not _has(device):
        raise InputError(f"there is no {device} device that torch can use here; try --device cpu")
    backend = backend or "torch"
    backend_named(backend, device)
    return backend, device


def _best_device() -> str:
    return next((device for device in ("cuda", "mps") if _has(device)), "cpu")


def _has(device: str) -> bool:
    import torch

    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
