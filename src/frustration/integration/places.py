"""The variables of a script and of the files beside it: where each is bound, read and handed on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import libcst as cst

from frustration.integration.axes import class_of
from frustration.integration.source import Function, Script

_NAMES = (cst.Param, cst.ImportAlias, cst.AsName, cst.FunctionDef, cst.ClassDef, cst.NameItem)


class Place(NamedTuple):
    """A variable: a name in a function or a module (None), or an attribute of a class."""

    script: Script
    scope: cst.CSTNode | None
    name: str


class Places:
    """The places of a script and of the files beside it."""

    def __init__(self) -> None:
        self._indexes: dict[int, dict[str, list[cst.CSTNode]]] = {}
        self._bound: dict[int, set[str]] = {}

    def place(self, script: Script, at: cst.CSTNode, name: str) -> Place:
        """The place that a name stands for at a node."""
        root, dot, _ = name.partition(".")
        if root == "self" and dot:
            owner = script.up(at, cst.ClassDef)
            return Place(script, family(script, owner), name)
        function = at if isinstance(at, cst.FunctionDef) else script.scope(at)
        if isinstance(script.parent(at), cst.Param) and function is not None:  # def step(opt=optimizer)
            function = script.scope(function)
        while function is not None and root not in self._binds(script, function):
            function = script.scope(function)
        return Place(script, function, name)

    def _binds(self, script: Script, function: cst.FunctionDef) -> set[str]:
        """The names that are a function's own."""
        if id(function) not in self._bound:
            found = {p.name.value for p in script.all(cst.Param, function.params)}
            other: set[str] = set()
            for node in script.all((cst.Name, cst.Global, cst.Nonlocal), function.body):
                if isinstance(node, cst.Name):
                    if is_target(script, node) and script.scope(node) is function:
                        found.add(node.value)
                elif script.scope(node) is function:
                    other |= script.names_in(node)
            self._bound[id(function)] = found - other
        return self._bound[id(function)]

    def _index(self, script: Script) -> dict[str, list[cst.CSTNode]]:
        """The names and dotted names of a script, with their nodes."""
        if id(script) not in self._indexes:
            index: dict[str, list[cst.CSTNode]] = {}
            for node in script.all((cst.Name, cst.Attribute)):
                parent = script.parent(node)
                if isinstance(parent, cst.Attribute) and parent.attr is node:
                    continue
                if isinstance(parent, _NAMES) and node is not getattr(parent, "default", None):
                    continue
                if isinstance(parent, cst.Arg) and parent.keyword is node:
                    continue
                text = dotted(node)
                if text:
                    index.setdefault(text, []).append(node)
            self._indexes[id(script)] = index
        return self._indexes[id(script)]

    def reads(self, place: Place) -> Iterator[cst.CSTNode]:
        """Where a place is read; a variable of its class has its attributes too, as in `trainer.model`."""
        script = place.script
        for node in self._index(script).get(place.name, ()):
            if not is_target(script, node) and self.place(script, node, place.name) == place:
                yield node
        if place.name.startswith("self."):
            for name, owner in script.instances.items():
                if family(script, owner) is place.scope:
                    for node in self._index(script).get(name + place.name[4:], ()):
                        if not is_target(script, node):
                            yield node

    def parameter(self, script: Script, call: cst.Call, argument: cst.Arg) -> Place | None:
        """The parameter of a function or class of the user's that an argument becomes."""
        function = script.callee(call) or _constructor(script, call)
        if function is None or argument.star:
            return None
        parameters = [*function.node.params.posonly_params, *function.node.params.params]
        if parameters and parameters[0].name.value in ("self", "cls"):
            parameters = parameters[1:]
        every = [*parameters, *function.node.params.kwonly_params]
        if argument.keyword is not None:
            found = next((p for p in every if p.name.value == argument.keyword.value), None)
        else:
            position = [id(a) for a in call.args].index(id(argument))
            found = parameters[position] if position < len(parameters) else None
        return Place(function.script, function.node, found.name.value) if found is not None else None


def dotted(node: cst.CSTNode) -> str:
    """`self.model` of an expression that is a name and attributes; empty: it is something else."""
    if isinstance(node, cst.Name):
        return node.value
    if isinstance(node, cst.Attribute):
        root = dotted(node.value)
        return f"{root}.{node.attr.value}" if root else ""
    return ""


def is_target(script: Script, node: cst.CSTNode) -> bool:
    """Whether a node is bound rather than read."""
    parent = script.parent(node)
    while isinstance(parent, (cst.Element, cst.Tuple, cst.List, cst.StarredElement)):
        node, parent = parent, script.parent(parent)
    if isinstance(parent, (cst.AssignTarget, cst.AsName)):
        return True
    return getattr(parent, "target", None) is node and isinstance(
        parent, (cst.AnnAssign, cst.AugAssign, cst.For, cst.CompFor, cst.NamedExpr)
    )


def family(script: Script, owner: cst.CSTNode | None) -> cst.CSTNode | None:
    """The first class of this script that a class is derived from: their attributes are the same."""
    for _ in range(9):
        bases = [script.code(b.value) for b in owner.bases] if isinstance(owner, cst.ClassDef) else []
        above = next((script.classes[b] for b in bases if b in script.classes), None)
        if above is None or above is owner:
            break
        owner = above
    return owner


def _constructor(script: Script, call: cst.Call) -> Function | None:
    """The `__init__` of a class of the user's that a call makes an object of."""
    found = class_of(script, script.code(call.func))
    return found[0].method(found[1], "__init__") if found is not None else None
