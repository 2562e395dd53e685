"""Backends by name, and the choice where the user makes none."""

from __future__ import annotations

import os
import shutil
from typing import Final

from frustration.architecture import Architecture
from frustration.engine.population import Backend
from frustration.errors import InputError
from frustration.references import HELD, ProblemReference

BACKENDS: Final = ("native", "native-bf16", "torch", "reference", "perforatedai", "perforatedbp")
MODULE: Final = "module"
"""Of problems: any torch.nn.Module, one at a time."""
STACKED: Final = "module-stacked"
"""The same, several as one network of stacked tensors."""
NEEDS_PROBLEM: Final = "is for problems; SimpleMLPs always train side by side"
OF_PROBLEMS: Final = (MODULE, STACKED)
LIBRARY: Final = "perforatedai"
"""The one name that both have: of SimpleMLPs and of problems."""
DEVICES: Final = ("cpu", "cuda", "mps")
NOT_THERE: Final = "the {} backend runs on the cpu only, not on {}"


def backend_named(name: str, device: str) -> Backend:
    """The backend for a device that is there."""
    if name not in BACKENDS:
        raise InputError(f'backend "{name}" is not one of {", ".join(BACKENDS)}')
    if name == "torch":
        from frustration.engine.torch import TorchBackend

        return TorchBackend(device)
    if device != "cpu":
        raise InputError(NOT_THERE.format(name, device))
    if name == "reference":
        from frustration.engine.reference import ReferenceBackend

        return ReferenceBackend()
    if name.startswith("perforated"):
        from frustration.engine.perforated.backend import LibraryBackend

        return LibraryBackend(licensed=name == "perforatedbp")
    if reason := why_not_native():
        raise InputError(f"the native engine cannot run here: {reason}; --backend torch can")
    from frustration.engine.native import NativeBackend

    return NativeBackend(bf16=name == "native-bf16")


def backend_for(subject: Architecture | ProblemReference, name: str, device: str) -> Backend:
    """The backend of a trial: for a SimpleMLP the one named, for a problem the one that trains any module,
    unless the library is named."""
    if isinstance(subject, ProblemReference) and name == LIBRARY:
        from frustration.engine.perforated.backend import LibraryBackend

        if device != "cpu":
            raise InputError(NOT_THERE.format(name, device))
        if subject.source == HELD:
            raise InputError(
                f"perforatedai trains in a process of its own, and {subject} is known only to the process "
                f"that made it; write it into a file"
            )
        return LibraryBackend(problem=subject)
    if isinstance(subject, ProblemReference) and name == STACKED:
        from frustration.engine.module.stacked import StackedBackend

        return StackedBackend(subject, device)
    if isinstance(subject, ProblemReference):
        from frustration.engine.module.population import ModuleBackend

        return ModuleBackend(subject, device)
    return backend_named(name, device)


def load_backend(name: str, device: str) -> None:
    """Import what a backend needs, and find out whether it can be used."""
    if name in OF_PROBLEMS:
        import frustration.engine.module.population  # noqa: F401
    else:
        backend_named(name, device)


def why_not_native() -> str | None:
    """Why the native engine cannot be used here; None if it can. Compiles it if that has not been done."""
    from frustration.engine.native import native_available

    return native_available()


def fallback(asked: str | None, chosen: tuple[str, str]) -> str | None:
    """Why another backend than the native engine was chosen for the CPU, if nobody asked for it."""
    if asked is None and chosen == ("torch", "cpu"):
        return f"using torch: {why_not_native()}"
    return None


def stacked_or_plain(subject: Architecture | ProblemReference, device: str) -> tuple[str, str | None]:
    """The backend for a problem that is to be trained stacked; and why it is the plain loop, if it is."""
    from frustration.engine.module.stacked import why_not_stacked

    assert isinstance(subject, ProblemReference)
    why = why_not_stacked(subject, device)
    return (MODULE, f"using the plain loop: {why}") if why else (STACKED, None)


def choose(
    backend: str | None, device: str | None, subject: Architecture | ProblemReference | None = None
) -> tuple[str, str]:
    """Backend and device, filled in where they are None: CUDA before the CPU; on the CPU the native engine,
    or torch where there is no compiler. Metal has to be asked for."""
    problem = isinstance(subject, ProblemReference)
    if backend == STACKED and not problem:
        raise InputError(f"--stacked {NEEDS_PROBLEM}")
    if problem and backend not in (None, LIBRARY, *OF_PROBLEMS):
        raise InputError(
            f'backend "{backend}" trains SimpleMLPs; a problem is trained by "{MODULE}" or "{LIBRARY}"'
        )
    device = device or ("cuda" if backend in (None, "torch", *OF_PROBLEMS) and _has("cuda") else "cpu")
    if device not in DEVICES:
        raise InputError(f'device "{device}" is not one of {", ".join(DEVICES)}')
    if device != "cpu" and not _has(device):
        raise InputError(f"there is no {device} device that torch can use here; try --device cpu")
    if isinstance(subject, ProblemReference):
        if backend == LIBRARY:
            backend_for(subject, backend, device)
        return backend or MODULE, device
    if backend is None:
        backend = "native" if device == "cpu" and not why_not_native() else "torch"
    backend_named(backend, device)
    return backend, device


GPU_TRACES: Final = ("/proc/driver/nvidia/version", "/dev/kfd")
"""What the drivers of NVIDIA and AMD leave on Linux."""


def _has(device: str) -> bool:
    if device == "cuda" and not any(map(os.path.exists, GPU_TRACES)) and not shutil.which("nvidia-smi"):
        return False  # without a second spent on importing torch
    import torch

    return torch.cuda.is_available() if device == "cuda" else torch.backends.mps.is_available()
