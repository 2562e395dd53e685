"""A training script as a syntax tree with every space and comment, and the questions that are asked of it."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import libcst as cst

from frustration.errors import InputError
from frustration.files import read_file
from frustration.integration.reading import imported_file, parse, positions, roots

Node = TypeVar("Node", bound=cst.CSTNode)
Statement = cst.BaseStatement
Block = cst.IndentedBlock | cst.Module
Loop = (cst.For, cst.While)


@dataclass(frozen=True)
class Function:
    """A function, and the script that it is in."""

    script: Script
    node: cst.FunctionDef

    @property
    def name(self) -> str:
        return self.node.name.value

    @property
    def code(self) -> str:
        return self.script.code(self.node)


class Script:
    """One file of Python. Nothing in it is ever run."""

    def __init__(
        self,
        source: bytes | str,
        path: Path | None = None,
        folders: Sequence[Path] = (),
        files: dict[Path, Script | None] | None = None,
    ) -> None:
        self.path = path
        self._files = {} if files is None else files
        if path is not None:
            self._files.setdefault(path.resolve(), self)
        wrapper = parse(source, path)
        self.module = wrapper.module
        self._positions = positions(wrapper, path)
        self._nodes: list[cst.CSTNode] = []
        self._parents: dict[int, cst.CSTNode] = {}
        self._spans: dict[int, tuple[int, int]] = {}
        self._index(self.module)
        self._places: dict[type, list[int]] = {}
        for place, node in enumerate(self._nodes):
            self._places.setdefault(type(node), []).append(place)
        self.text = self.module.code
        self._folders = [*roots(path, self.text), *folders] if path else []
        self._lines = re.split(r"(?<=\n)|(?<=\r)(?!\n)", self.text)
        self._assigned: list[tuple[int, list[str], cst.BaseExpression]] = []
        self._called = [(call, self._start(call)) for call in self.all(cst.Call)]
        self._callees: dict[int, Function | None] = {}
        self.imports = dict(self._imports())
        self.functions = {
            node.name.value: Function(self, node)
            for node in self.all(cst.FunctionDef)
            if not isinstance(self.up(self.parent(node), cst.ClassDef, cst.FunctionDef), cst.ClassDef)
        }
        self.classes = {node.name.value: node for node in self.all(cst.ClassDef)}
        self._neighbours: dict[str, Script | None] = {}
        self._assigned = list(self._read_assignments())
        self.instances = {
            name: self.classes[self.code(value.func)]
            for _, names, value in self._assigned
            for name in names
            if isinstance(value, cst.Call) and self.code(value.func) in self.classes
        }

    @staticmethod
    def read(
        path: Path, folders: Sequence[Path] = (), files: dict[Path, Script | None] | None = None
    ) -> Script:
        """The script in a file, in the encoding that it declares; imports are looked up in folders too.

        `files`: those that were read already, by their paths; each is read once.
        """
        try:
            return Script(read_file(path), path, folders, files)
        except OSError as error:
            raise InputError(f"{path} cannot be read: {error.strerror}") from None

    def _index(self, root: cst.CSTNode) -> None:
        """Numbers the nodes in the order of the text; a node's descendants follow it."""
        stack: list[tuple[cst.CSTNode, bool]] = [(root, False)]
        while stack:
            node, left = stack.pop()
            if left:
                self._spans[id(node)] = (self._spans[id(node)][0], len(self._nodes))
                continue
            self._spans[id(node)] = (len(self._nodes), 0)
            self._nodes.append(node)
            stack.append((node, True))
            for child in reversed(node.children):
                self._parents[id(child)] = node
                stack.append((child, False))

    def _imports(self) -> Iterator[tuple[str, str]]:
        """A name that an import binds, and its full name."""
        for node in self.all(cst.Import):
            for alias in node.names:
                full = self.code(alias.name)
                if alias.asname:
                    yield self.code(alias.asname.name), full
                else:
                    yield full.partition(".")[0], full.partition(".")[0]
        for part in self.all(cst.ImportFrom):
            if not isinstance(part.names, cst.ImportStar):
                dots = "." * len(part.relative)
                module = dots + (self.code(part.module) if part.module else "")
                for alias in part.names:
                    name = self.code(alias.name)
                    bound = self.code(alias.asname.name) if alias.asname else name
                    yield bound, f"{module}.{name}" if module.strip(".") else module + name

    def stars(self) -> list[Script]:
        """The scripts beside this one of which everything is imported (`from models import *`)."""
        found = []
        for node in self.all(cst.ImportFrom):
            if isinstance(node.names, cst.ImportStar) and node.module is not None:
                neighbour = self.neighbour("." * len(node.relative) + self.code(node.module))
                found += [neighbour] if neighbour is not None else []
        return found

    def all(self, kind: type[Node] | tuple[type[Node], ...], within: cst.CSTNode | None = None) -> list[Node]:
        """The nodes of a kind, in the order of the text."""
        start, end = self._spans[id(within or self.module)]
        kinds = kind if isinstance(kind, tuple) else (kind,)
        places: list[int] = []
        for known, where in self._places.items():
            if issubclass(known, kinds):
                places += where[bisect_left(where, start) : bisect_left(where, end)]
        return [cast(Node, self._nodes[place]) for place in sorted(places)]

    def code(self, node: cst.CSTNode) -> str:
        """The text of a node, to be read. Parentheses around the whole node are left out."""
        place = self._positions.get(node)
        if place is None:
            return self.exact(node)
        (top, left), (bottom, right) = (
            (place.start.line - 1, place.start.column),
            (place.end.line - 1, place.end.column),
        )
        if top == bottom:
            return self._lines[top][left:right].strip()
        parts = [self._lines[top][left:], *self._lines[top + 1 : bottom], self._lines[bottom][:right]]
        return "".join(parts).strip()

    def exact(self, node: cst.CSTNode) -> str:
        """The text of a node, to be written again: a statement is without its indentation."""
        return self.module.code_for_node(node).strip()

    def line(self, node: cst.CSTNode) -> int:
        return int(self._positions[node].start.line)

    def last_line(self, node: cst.CSTNode) -> int:
        return int(self._positions[node].end.line)

    def _start(self, node: cst.CSTNode) -> int:
        return self._spans[id(node)][0]

    def before(self, one: cst.CSTNode, other: cst.CSTNode) -> bool:
        """Whether one node begins before another in the text."""
        return self._spans[id(one)][0] < self._spans[id(other)][0]

    def holds(self, outer: cst.CSTNode, inner: cst.CSTNode) -> bool:
        """Whether a node is another, or is inside it."""
        start, end = self._spans[id(outer)]
        return start <= self._spans[id(inner)][0] < end

    def parent(self, node: cst.CSTNode) -> cst.CSTNode:
        return self._parents.get(id(node), self.module)

    def up(self, node: cst.CSTNode, *kinds: type[cst.CSTNode]) -> cst.CSTNode | None:
        """The nearest node of these kinds, from a node outwards."""
        while not isinstance(node, kinds):
            if node is self.module:
                return None
            node = self.parent(node)
        return node

    def statement(self, node: cst.CSTNode) -> Statement:
        """The statement of a block that a node belongs to."""
        while not isinstance(self.parent(node), (cst.IndentedBlock, cst.Module)):
            node = self.parent(node)
        return cast(Statement, node)

    def block(self, statement: Statement) -> Block:
        return cast(Block, self.parent(statement))

    def siblings(self, statement: Statement) -> Sequence[Statement]:
        return self.block(statement).body

    def scope(self, node: cst.CSTNode) -> cst.FunctionDef | None:
        """The function that a node is in, or None for the module."""
        found = self.up(self.parent(node), cst.FunctionDef)
        return cast("cst.FunctionDef | None", found)

    def body(self, scope: cst.FunctionDef | None) -> Block:
        return self.module if scope is None else cast(Block, scope.body)

    def around(self, node: cst.CSTNode) -> list[Statement]:
        """The statements around a node, innermost first; its own is the first."""
        found = []
        while node is not self.module:
            if isinstance(self.parent(node), (cst.IndentedBlock, cst.Module)):
                found.append(cast(Statement, node))
            node = self.parent(node)
        return found

    def name(self, node: cst.CSTNode) -> str:
        """What a name stands for: after `from torch import optim`, `optim.SGD` is `torch.optim.SGD`."""
        root, dot, rest = self.code(node).partition(".")
        return self.imports.get(root, root) + dot + rest

    def calls(self, within: cst.CSTNode | None = None) -> Iterator[tuple[cst.Call, str]]:
        start, end = self._spans[id(within or self.module)]
        for call, place in self._called:
            if start <= place < end:
                yield call, self.name(call.func)

    def called(self, *names: str, within: cst.CSTNode | None = None) -> list[cst.Call]:
        """The calls of functions with these last names."""
        return [call for call, name in self.calls(within) if last(name) in names]

    def targets(self, statement: cst.CSTNode) -> list[str]:
        """The names that the assignments in a statement bind."""
        found: list[str] = []
        for node in self.all((cst.AssignTarget, cst.AnnAssign), statement):
            found += self._flat(node.target)  # type: ignore[attr-defined]
        return found

    def _flat(self, target: cst.CSTNode) -> list[str]:
        if not isinstance(target, (cst.Tuple, cst.List)):
            return [self.code(target)]
        return [name for element in target.elements for name in self._flat(element.value)]

    def assignments(
        self, within: cst.CSTNode | None = None
    ) -> Iterator[tuple[list[str], cst.BaseExpression]]:
        """The names and the value of every assignment."""
        start, end = self._spans[id(within or self.module)]
        for place, names, value in self._assigned:
            if start <= place < end:
                yield names, value

    def _read_assignments(self) -> Iterator[tuple[int, list[str], cst.BaseExpression]]:
        for node in self.all((cst.Assign, cst.AnnAssign)):
            value = cast("cst.BaseExpression | None", node.value)  # type: ignore[attr-defined]
            targets: Sequence[Any] = node.targets if isinstance(node, cst.Assign) else [node]
            for target in targets if value is not None else ():
                yield self._start(node), self._flat(target.target), cast(cst.BaseExpression, value)

    def names_in(self, node: cst.CSTNode) -> set[str]:
        return {name.value for name in self.all(cst.Name, node)}

    def argument(
        self, call: cst.Call, keyword: str, position: int | None = None
    ) -> cst.BaseExpression | None:
        """What a call passes for a parameter."""
        for place, argument in enumerate(call.args):
            if argument.keyword is not None:
                if argument.keyword.value == keyword:
                    return argument.value
            elif position is not None and place == position and not argument.star:
                return argument.value
        return None

    def callee(self, call: cst.Call) -> Function | None:
        """The function of this script, or of one beside it, that a call runs."""
        if id(call) not in self._callees:
            self._callees[id(call)] = self._callee(call)
        return self._callees[id(call)]

    def _callee(self, call: cst.Call) -> Function | None:
        name = self.code(call.func)
        if name in self.functions:
            return self.functions[name]
        root, dot, rest = name.partition(".")
        if root == "self" and dot:
            owner = self.up(call, cst.ClassDef)
            return self.method(owner, rest) if isinstance(owner, cst.ClassDef) else None
        if name in self.imports:
            module, _, function = self.imports[name].rpartition(".")
            neighbour = self.neighbour(module)
            return neighbour.functions.get(function) if neighbour else None
        if root in self.imports and (neighbour := self.neighbour(self.imports[root])):
            return neighbour.functions.get(rest)
        return self.method(self.instances[root], rest) if root in self.instances else None

    def method(self, owner: cst.ClassDef, name: str) -> Function | None:
        for function in self.all(cst.FunctionDef, owner):
            if function.name.value == name and self.up(self.parent(function), cst.ClassDef) is owner:
                return Function(self, function)
        return None

    def neighbour(self, module: str) -> Script | None:
        """The script beside this one that an import names, if there is one and it can be read."""
        if self.path is None or not module.strip("."):
            return None
        if module not in self._neighbours:
            self._neighbours[module] = None  # files that import each other
            file = imported_file(self.path, self._folders, module)
            if file is not None and file.resolve() not in self._files:
                self._files[file.resolve()] = None
                with suppress(InputError):  # a neighbour that does not parse is not what was asked about
                    self._files[file.resolve()] = Script.read(file, self._folders, self._files)
            self._neighbours[module] = self._files[file.resolve()] if file is not None else None
        return self._neighbours[module]

    def neighbours(self) -> list[Script]:
        """The scripts beside this one that it imports."""
        found: list[Script] = []
        for full in self.imports.values():
            for module in (full, full.rpartition(".")[0]):
                script = self.neighbour(module)
                if script is not None and script not in found:
                    found.append(script)
        return found


def last(name: str) -> str:
    """The last part of a dotted name."""
    return name.rpartition(".")[2]


def leaves_loop(script: Script, statement: Statement, *kinds: type[cst.CSTNode]) -> bool:
    """Whether a `continue` or `break` in a statement belongs to the loop around it."""
    for node in script.all(kinds, statement):
        inner = script.up(script.parent(node), *Loop, cst.FunctionDef)
        if inner is None or not script.holds(statement, inner):
            return True
    return False
