"""Engines by name: the places where the groups of a study can be trained."""

from __future__ import annotations

from typing import Final

from frustration.errors import InputError
from frustration.runners.work import Engine

ENGINES: Final = ("local", "ray")


def engine_named(name: str, address: str | None = None, device: str = "cpu") -> Engine:
    """An engine that is not entered yet; `address` is of a Ray cluster, `device` where groups are trained."""
    if name not in ENGINES:
        raise InputError(f'engine "{name}" is not one of {", ".join(ENGINES)}')
    if name == "ray":
        from frustration.runners.ray import RayEngine

        return RayEngine(address, device)
    if address is not None:
        raise InputError(f"--address {address} is of a Ray cluster: it needs --engine ray")
    from frustration.runners.local import LocalEngine

    return LocalEngine()
