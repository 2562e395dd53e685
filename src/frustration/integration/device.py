"""The device that a script moves its network to."""

from __future__ import annotations

import re

import libcst as cst

from frustration.integration.parts import Parts
from frustration.integration.source import Script, Statement, last


def device_of(script: Script, parts: Parts) -> str:
    """What the network is moved to, if that has a name where the network is made."""
    place = parts.created or parts.enters
    if place is None:
        return ""
    scope = script.scope(place)
    for call, name in script.calls():
        if last(name) != "to" or not isinstance(call.func, cst.Attribute) or len(call.args) != 1:
            continue
        root = call.func.value
        while isinstance(root, cst.Call) and isinstance(root.func, cst.Attribute):
            root = root.func.value
        if script.code(root) != parts.model and not script.holds(place, call):
            continue
        target = script.code(call.args[0].value)
        if not re.fullmatch(r"[A-Za-z_][\w.]*", target) or script.scope(call) not in (scope, None):
            continue
        if _bound_before(script, target, place, scope):
            return target
    return ""


def _bound_before(script: Script, target: str, place: Statement, scope: cst.FunctionDef | None) -> bool:
    """Whether a name has a value where the network is made."""
    root = target.partition(".")[0]
    if scope is not None and root in {p.name.value for p in script.all(cst.Param, scope.params)}:
        return True
    for names, value in script.assignments():
        bound = root in names or target in names
        if bound and script.before(value, place) and script.scope(value) in (scope, None):
            return True
    return False


def moves(script: Script, created: Statement) -> bool:
    return any(last(name) in ("to", "cuda") for _, name in script.calls(created))
