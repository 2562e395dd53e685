"""Where a network, its optimizer and its schedulers flow in a script, and the uses that nothing explains.

Every use is followed: through assignments, attributes, calls of the script's own functions and classes (also
in files beside it), and what those return. A use is explained if it keeps none of them and changes none of
them, or if it hands them on to a place that is followed as well. All others are found here.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

import libcst as cst

from frustration.integration.harmless import CHANGED, PASSES, PICKLES, TENSOR_FIELDS, keeps_nothing
from frustration.integration.optimizers import (
    GIVES_PARAMETERS,
    OPTIMIZERS,
    PREPARES,
    makes_optimizer,
    makes_scheduler,
)
from frustration.integration.parts import CHANGES, MOVES, WRAPPERS
from frustration.integration.places import Place, Places, dotted, family, is_target
from frustration.integration.source import Script, last
from frustration.integration.words import words

Kind = Literal["network", "inner", "part", "parameters", "weights", "optimizer", "scheduler"]
"""`inner`: the network without its wrapper; `part`: a module inside; `parameters`: its tensors; `weights`: a
state dictionary."""

_SAME = frozenset({"module", "_orig_mod", "optimizer"})
_TENSORS = words("buffers named_buffers param_groups")
_MODULES = words("children named_children modules named_modules")
_IGNORED = (
    cst.Expr, cst.Comparison, cst.ComparisonTarget, cst.BooleanOperation, cst.UnaryOperation, cst.If,
    cst.While, cst.Assert, cst.FormattedStringExpression, cst.Del, cst.AugAssign, cst.BinaryOperation,
    cst.Index, cst.CompIf, cst.Raise,
)  # fmt: skip


class Move(NamedTuple):
    """A value handed on from one place to another, at a node of a script."""

    source: Place
    target: Place
    script: Script
    at: cst.CSTNode


class Unexplained(NamedTuple):
    """A use of which nothing here says what it does."""

    place: Place
    kind: Kind
    at: cst.CSTNode
    what: str
    """call, changed, copy, stored, hook, pickled, or other."""


class Flow:
    """All places that something flows to from the first ones, and the uses that are not explained."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.places = Places()
        self.kinds: dict[Place, Kind] = {}
        self.moves: list[Move] = []
        self.reads: dict[Place, list[cst.CSTNode]] = {}
        self.unexplained: list[Unexplained] = []
        self.wrappings: list[cst.Call] = []
        self._results: set[tuple[int, int, Kind]] = set()
        self._queue: list[Place] = []

    def follow(self, *first: tuple[Place, Kind]) -> None:
        for place, kind in first:
            self._enter(place, kind)
            self._above(place, kind)
        while self._queue:
            place = self._queue.pop()
            self.reads[place] = list(self.places.reads(place))
            for node in self.reads[place]:
                self._use(place, node, self.kinds[place])

    def _above(self, place: Place, kind: Kind) -> None:
        """Where a parameter comes from: what the callers hand over is the same."""
        script = place.script
        for call, _ in script.calls() if isinstance(place.scope, cst.FunctionDef) else ():
            for argument in call.args:
                text = dotted(argument.value)
                if text and self.places.parameter(script, call, argument) == place:
                    source = self.places.place(script, call, text)
                    self.moves.append(Move(source, place, script, call))
                    if source not in self.kinds:
                        self._enter(source, kind)
                        self._above(source, kind)

    def _enter(self, place: Place, kind: Kind) -> None:
        if place not in self.kinds:
            self.kinds[place] = kind
            self._queue.append(place)

    def _use(self, place: Place, node: cst.CSTNode, kind: Kind) -> None:
        """What becomes of a value where it is read."""
        script, parent = place.script, place.script.parent(node)
        if isinstance(parent, cst.Attribute):
            self._attribute(place, parent, kind)
        elif isinstance(parent, cst.Arg) and isinstance(script.parent(parent), cst.Call):
            self._argument(place, script.parent(parent), parent, kind)  # type: ignore[arg-type]
        elif isinstance(parent, (cst.Assign, cst.AnnAssign, cst.NamedExpr)):
            self._assigned(place, parent, kind)
        elif isinstance(parent, (cst.IfExp, cst.BooleanOperation)) and node is not getattr(parent, "test", 0):
            self._use(place, parent, kind)
        elif isinstance(parent, cst.Return):
            self._returned(place, parent, kind, None)
        elif isinstance(parent, (cst.Element, cst.StarredElement, cst.DictElement)):
            self._element(place, parent, kind)
        elif isinstance(parent, cst.CompFor):
            self._comprehension(place, parent, kind)
        elif isinstance(parent, cst.Param):
            owner = script.up(parent, cst.Lambda, cst.FunctionDef)
            if isinstance(owner, cst.FunctionDef):
                self._hand_on(place, Place(script, owner, parent.name.value), kind, owner)
            else:
                self._tell(place, kind, parent, "stored")
        elif isinstance(parent, cst.For):
            self._each(place, parent, kind)
        elif isinstance(parent, cst.Subscript):
            if parent.value is node and kind in ("network", "inner", "part"):
                self._use(place, parent, "part")
            elif parent.value is node and kind in ("parameters", "weights"):
                self._use(place, parent, kind)
        elif isinstance(parent, cst.BinaryOperation) and kind == "parameters":
            if isinstance(parent.operator, cst.Add):  # of two lists
                self._use(place, parent, kind)
        elif isinstance(parent, cst.AugAssign) and kind == "parameters" and parent.value is node:
            self._assigned(place, parent, kind)
        elif isinstance(parent, (cst.Call, *_IGNORED)):
            return  # it is called, compared, tested or printed
        elif isinstance(parent, (cst.Lambda, cst.WithItem, cst.Await, cst.SubscriptElement, cst.DictComp)):
            return
        else:
            self._tell(place, kind, node, "other")

    def _tell(self, place: Place, kind: Kind, node: cst.CSTNode, what: str) -> None:
        self.unexplained.append(Unexplained(place, kind, node, what))

    def _attribute(self, place: Place, node: cst.Attribute, kind: Kind) -> None:
        script, name, parent = place.script, node.attr.value, place.script.parent(node)
        if is_target(script, node):
            value = getattr(script.up(node, cst.Assign, cst.AnnAssign, cst.AugAssign), "value", None)
            number = not isinstance(value, (cst.Call, cst.Name, cst.Subscript, cst.IfExp, cst.Tuple))
            if kind in ("network", "inner", "part") and not (number or name.startswith("_")):
                self._tell(place, kind, node, "changed")
            return
        if not (isinstance(parent, cst.Call) and parent.func is node):
            if kind == "optimizer" and isinstance(parent, cst.Assign) and name in ("step", "zero_grad"):
                self._tell(place, kind, parent, "stored")
            elif name in _SAME:
                self._use(place, node, "inner" if kind == "network" else kind)
            elif name in _TENSORS:
                self._use(place, node, "parameters" if kind != "optimizer" else "optimizer")
            elif kind in ("network", "inner", "part") and not TENSOR_FIELDS.fullmatch(name):
                self._use(place, node, "part")
            return
        if kind in ("network", "inner", "part"):
            if name in MOVES:
                self._use(place, parent, kind)
            elif name in _TENSORS or GIVES_PARAMETERS.fullmatch(name):
                self._use(place, parent, "parameters")
            elif name in _MODULES:
                self._use(place, parent, "part")
            elif name == "state_dict":
                self._use(place, parent, "weights")
            elif "hook" in name:
                self._tell(place, kind, parent, "hook")
            elif CHANGED.search(name) and name not in CHANGES:
                self._tell(place, kind, parent, "changed")
        elif kind == "parameters" and name in ("append", "extend", "items", "values"):
            self._use(place, parent, kind)
        elif kind == "optimizer" and name == "add_param_group":
            self._tell(place, kind, parent, "changed")

    def _argument(self, place: Place, call: cst.Call, argument: cst.Arg, kind: Kind) -> None:
        script = place.script
        if script.holds(call.func, argument):
            return
        full = script.name(call.func)
        name = last(full)
        if name in ("append", "extend", "add", "insert", "put") and isinstance(call.func, cst.Attribute):
            self._appended(place, call, kind)
        elif (given := self.places.parameter(script, call, argument)) is not None:
            self._hand_on(place, given, kind, call)
        elif name in ("deepcopy", "copy") and kind in ("network", "inner", "part"):
            self._tell(place, kind, call, "copy")
        elif name == "deepcopy":
            self._use(place, call, kind)
        elif name in WRAPPERS or name in PREPARES:
            if kind in ("network", "inner", "part"):
                self.wrappings += [call] if name in WRAPPERS and script is self.script else []
                self._use(place, call, kind)
        elif name in PASSES:
            self._use(place, call, "inner" if kind == "network" and "wrap" in name else kind)
        elif full in PICKLES and kind in ("network", "inner"):
            self._tell(place, kind, call, "pickled")
        elif keeps_nothing(name, kind) or _known(script, call, name):
            return
        else:
            self._tell(place, kind, call, "call")

    def _appended(self, place: Place, call: cst.Call, kind: Kind) -> None:
        """`params.append(p)`: the list has it now."""
        script, owner = place.script, cst.ensure_type(call.func, cst.Attribute).value
        if kind in ("parameters", "weights") and dotted(owner):
            self._hand_on(place, self.places.place(script, call, dotted(owner)), kind, call)
        elif kind != "weights":
            self._tell(place, kind, call, "stored")

    def _hand_on(self, place: Place, target: Place, kind: Kind, at: cst.CSTNode) -> None:
        if target != place:
            self.moves.append(Move(place, target, place.script, at))
        self._enter(target, kind)

    def _assigned(self, place: Place, node: cst.CSTNode, kind: Kind, index: int | None = None) -> None:
        script = place.script
        targets = [t.target for t in node.targets] if isinstance(node, cst.Assign) else [node.target]  # type: ignore[attr-defined]
        for target in targets:
            if isinstance(target, (cst.Tuple, cst.List)):
                if index is None or index >= len(target.elements):
                    continue
                target = target.elements[index].value
            if text := dotted(target):
                root, dot, _ = text.partition(".")
                if dot and root != "self":
                    owner = script.instances.get(root)
                    if owner is None and kind not in ("parameters", "weights"):
                        self._tell(place, kind, node, "stored")
                    elif owner is not None:
                        inside = Place(script, family(script, owner), "self" + text[len(root) :])
                        self._hand_on(place, inside, kind, node)
                    continue
                self._hand_on(place, self.places.place(script, node, text), kind, node)
            elif kind not in ("parameters", "weights"):
                self._tell(place, kind, node, "stored")

    def _returned(self, place: Place, node: cst.CSTNode, kind: Kind, index: int | None) -> None:
        """What a function returns comes to everywhere that calls it."""
        script = place.script
        function = script.scope(node)
        if function is None or (id(function), index or 0, kind) in self._results:
            return
        self._results.add((id(function), index or 0, kind))
        for one in {id(s): s for s in (script, self.script)}.values():
            for call, _ in one.calls():
                callee = one.callee(call)
                if callee is None or callee.node is not function:
                    continue
                here = Place(one, one.scope(call), f"{callee.name}()")
                self.moves.append(Move(place, here, one, call))
                parent = one.parent(call)
                if index is None:
                    self._use(here, call, kind)
                elif isinstance(parent, (cst.Assign, cst.AnnAssign)):
                    self._assigned(here, parent, kind, index)

    def _element(self, place: Place, node: cst.CSTNode, kind: Kind) -> None:
        """A value in a list, a tuple or a dictionary."""
        script = place.script
        container = script.parent(node)
        outer = script.parent(container)
        if isinstance(outer, cst.Del):
            return
        places = [id(e) for e in container.elements]  # type: ignore[attr-defined]
        if isinstance(container, cst.Tuple) and isinstance(outer, (cst.Assign, cst.AnnAssign)):
            self._assigned(place, outer, kind, places.index(id(node)))
        elif isinstance(container, cst.Tuple) and isinstance(outer, cst.Return):
            self._returned(place, outer, kind, places.index(id(node)))
        elif kind in ("parameters", "weights") or isinstance(node, cst.StarredElement):
            self._use(place, container, kind)
        else:
            called = {name for _, name in script.calls(script.statement(node))}
            if called & PICKLES and kind in ("network", "inner"):
                self._tell(place, kind, container, "pickled")
            elif not {last(name) for name in called} & {"save", "dump", "print"}:
                self._tell(place, kind, container, "stored")

    def _comprehension(self, place: Place, node: cst.CompFor, kind: Kind) -> None:
        """`[p for p in net.parameters()]` has them; `sum(p.numel() for ...)` does not."""
        script = place.script
        whole = script.parent(node)
        kept = getattr(whole, "elt", None) or getattr(whole, "value", None)
        names = script.names_in(node.target)
        if kept is None or kind in ("network", "inner"):
            return
        plain = {
            dotted(n)
            for n in ([kept] if not isinstance(kept, (cst.Tuple, cst.Dict)) else script.all(cst.Name, kept))
        }
        if plain & names:
            self._use(place, whole, kind)

    def _each(self, place: Place, node: cst.For, kind: Kind) -> None:
        """`for p in net.parameters()`: what the loop is given one by one."""
        names = [n.value for n in place.script.all(cst.Name, node.target)]
        for name in names[-1:] if kind in ("parameters", "part") else []:
            self._hand_on(place, self.places.place(place.script, node, name), kind, node)


def _known(script: Script, call: cst.Call, name: str) -> bool:
    """Whether the doctor reads this call elsewhere: it makes an optimizer or a scheduler."""
    return (
        name in OPTIMIZERS
        or makes_optimizer(script, call, "optimizer")
        or makes_scheduler(script, call)
        or script.name(call.func).startswith(("UPA.", "GPA.", "perforatedai.", "frustration."))
        or name in MOVES
    )
