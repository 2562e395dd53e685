"""A network inside of what wraps it: DataParallel, DDP, `torch.compile`, accelerate and Fabric."""

from __future__ import annotations

import libcst as cst

from frustration.integration.draft import REBUILD
from frustration.integration.parts import DISTRIBUTED, Parts
from frustration.integration.processes import accelerated
from frustration.integration.rebuild import Rebuild
from frustration.integration.source import Script, last


def unwrapped(script: Script, parts: Parts, network: str) -> str:
    """The network that the library knows, inside of what wraps it."""
    if parts.prepared is not None:
        call = script.all(cst.Call, parts.prepared)[0]
        owner, _, method = script.code(call.func).rpartition(".")
        if owner and method == "prepare":
            return f"{owner}.unwrap_model({network})"
        return f'getattr({network}, "module", {network})'
    kinds = {last(script.name(c.func)) for c in parts.wrappings}
    inner = network
    if kinds & (DISTRIBUTED | {"DataParallel"}):
        inner = f'getattr({inner}, "module", {inner})'
    if "compile" in kinds:
        inner = f'getattr({inner}, "_orig_mod", {inner})'
    return inner


def wrapped_again(script: Script, parts: Parts, rebuild: Rebuild) -> list[str]:
    """The wrapper of a grown network: DDP has to learn of the new parameters."""
    network, name = rebuild.network, rebuild.inner
    if (owner := accelerated(script, parts)) and name != network:
        return [f"{owner}._models.clear()", f"{network} = {owner}.prepare({name})"]
    if name == network or parts.prepared is not None:
        return []
    kinds = {last(script.name(c.func)): c for c in parts.wrappings}
    lines: list[str] = []
    for kind, call in kinds.items():
        func = script.code(call.func)
        word = "elif" if lines else "if"
        if kind in DISTRIBUTED:
            lines += [
                f"{word} isinstance({network}, {func}):",
                f"    {network} = {func}({name}, device_ids={network}.device_ids, "
                f"find_unused_parameters=True)",
            ]
        elif kind == "DataParallel":
            lines += [
                f"{word} isinstance({network}, {func}):",
                f"    {network} = {func}({name}, device_ids={network}.device_ids)",
            ]
    return lines


def made_again(script: Script, parts: Parts, rebuild: Rebuild) -> list[str]:
    """The lines that make the optimizer anew, and hand it to what prepared the first one."""
    lines = rebuild.generic.splitlines() if rebuild.generic else [REBUILD]
    prepared = parts.prepared
    if prepared is None:
        return lines
    call = script.all(cst.Call, prepared)[0]
    func = script.code(call.func)
    again = f"{func}_optimizers" if func.endswith(".setup") else func
    owner, _, method = func.rpartition(".")
    if owner and method == "prepare":  # it would continue with the optimizers that it knows
        lines += [f"{owner}._optimizers.clear()", f"{owner}._schedulers.clear()"]
    lines.append(f"{rebuild.optimizer} = {again}({rebuild.optimizer})")
    for name in parts.scheduler_names(script):
        if name in script.targets(prepared) and name not in rebuild.lost:
            lines.append(f"{name} = {func}({name})")
    return lines
