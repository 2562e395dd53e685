"""The network of a script, its optimizer and schedulers: what they are called and where they are made."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import libcst as cst

from frustration.integration.optimizers import (
    LIBRARY_MAKERS,
    PREPARES,
    handed_on,
    makes_scheduler,
    optimizer_among,
    original,
    rebuilt,
    schedulers_among,
    trained,
)
from frustration.integration.source import Loop, Script, Statement, last
from frustration.integration.words import words

DISTRIBUTED = words("DistributedDataParallel DDP NativeDDP")
WRAPPERS = DISTRIBUTED | words("DataParallel FullyShardedDataParallel FSDP compile convert_sync_batchnorm")
MOVES = words("to cuda cpu half float double bfloat16 train eval requires_grad_")
CHANGES = words("load_state_dict apply resize_token_embeddings init_weights tie_weights register_buffer")


@dataclass
class Parts:
    """What a plain loop trains, and by what."""

    optimizer: Statement
    """The statement that makes it; of several in branches, the last."""
    optimizer_name: str
    model: str
    models: list[str]
    """All networks whose parameters the optimizer takes."""
    aliases: list[str] = field(default_factory=list)
    """Other names of the network, as in `bare = model`."""
    layer: str = ""
    """The one part that is trained, as in `model.fc.parameters()`."""
    made: Statement | None = None
    """The statement that makes the network."""
    created: Statement | None = None
    """The statement after which the network is complete, and not yet wrapped."""
    enters: Statement | None = None
    """Where nothing here creates it: the statement before which it is known."""
    inline: cst.Call | None = None
    """A call that makes the network inside the one that wraps it."""
    schedulers: list[Statement] = field(default_factory=list)
    wrappings: list[cst.Call] = field(default_factory=list)
    prepared: Statement | None = None
    """`accelerator.prepare(...)` or `fabric.setup(...)`."""
    others: list[tuple[str, str]] = field(default_factory=list)
    """Other optimizers, each with the network that it trains."""

    def scheduler_names(self, script: Script) -> list[str]:
        """The variables of the schedulers; a function may make them together with the optimizer."""
        names = [name for statement in self.schedulers for name in script.targets(statement)]
        return [name for name in dict.fromkeys(names) if name != self.optimizer_name]


def find_parts(
    script: Script, model: str = "", optimizer: str = "", near: cst.CSTNode | None = None
) -> Parts | None:
    """The parts of a plain loop; None if no optimizer is made. The names are the user's, where given.

    `near`: of several optimizers, one in the function of this node goes first.
    """
    made = [
        (name, value, script.statement(value))
        for names, value in script.assignments()
        if (name := optimizer_among(script, names, value))
    ]
    made = [m for m in made if not handed_on(script, *m)]
    if optimizer:
        made = [m for m in made if m[0] == optimizer]
    if model:
        made = [m for m in made if model in trained(script, m[1], m[2])] or made
    made = [m for m in made if not rebuilt(script, m[2])] or made
    if near is not None:
        made = [m for m in made if script.scope(m[2]) is script.scope(near)] or made
    if not made:
        return None
    name, _, statement = made[0]
    same = [m for m in made if m[0] == name and script.scope(m[2]) is script.scope(statement)]
    statement = _whole(script, [m[2] for m in same])
    models = next((found for m in same if (found := trained(script, m[1], m[2]))), [])
    aliases = [n for n in models if original(script, n) != n]
    models = list(dict.fromkeys(original(script, n) for n in models))
    roots = {_root(n) for n in models}
    if len(models) > 1 and len(roots) == 1:  # groups of its parts
        models = list(roots)
    parts = Parts(statement, name, model or (models[0] if models else ""), models)
    parts.aliases = aliases
    parts.others = sorted(
        {(n, (trained(script, v, s) or [""])[0]) for n, v, s in made if n != name and s is not made[0][2]}
        - {(name, parts.model)}
    )
    _find_schedulers(script, parts)
    _find_creation(script, parts)
    return parts


def _whole(script: Script, statements: list[Statement]) -> Statement:
    """One statement, or the `if` that holds all of them in its branches."""
    first = statements[0]
    for outer in script.around(first):
        if isinstance(outer, (cst.FunctionDef, *Loop)):
            break
        if (
            isinstance(outer, (cst.If, cst.Match, cst.Try))
            and all(script.holds(outer, s) for s in statements)
            and len(statements) > 1
        ):
            return outer
    return first


def _root(name: str) -> str:
    """The network that a part belongs to: `model` of `model.fc`, `self.model` of `self.model.fc`."""
    return ".".join(name.split(".")[: 2 if name.startswith("self.") else 1])


def _find_schedulers(script: Script, parts: Parts) -> None:
    for names, value in script.assignments():
        statement = script.statement(value)
        if statement is parts.optimizer and schedulers_among(script, names, value):
            parts.schedulers.append(statement)
        elif _schedules(script, names, value) and not rebuilt(script, statement):
            mine = parts.optimizer_name in _arguments(script, value)
            chained = any(n in _arguments(script, value) for s in parts.schedulers for n in script.targets(s))
            if mine or chained:
                parts.schedulers.append(statement)
        elif (
            isinstance(value, cst.Call)
            and last(script.name(value.func)) in PREPARES
            and parts.model in names
            and parts.prepared is None
        ):
            parts.prepared = statement


def _schedules(script: Script, names: list[str], value: cst.BaseExpression) -> bool:
    """Whether a scheduler is made, by what makes it or by its name."""
    named = len(names) == 1 and re.search("sched", names[0], re.I) is not None
    return makes_scheduler(script, value) or (named and isinstance(value, cst.Call))


def _arguments(script: Script, value: cst.BaseExpression) -> list[str]:
    return [script.code(a.value) for call in script.all(cst.Call, value) for a in call.args]


def is_wrapping(script: Script, call: cst.Call, model: str) -> bool:
    return last(script.name(call.func)) in WRAPPERS and any(script.code(a.value) == model for a in call.args)


def unmoved(value: cst.BaseExpression) -> cst.BaseExpression:
    """`Net()` of `Net().to(device)`."""
    while (
        isinstance(value, cst.Call)
        and isinstance(value.func, cst.Attribute)
        and value.func.attr.value in MOVES
    ):
        value = value.func.value
    return value


def _find_creation(script: Script, parts: Parts) -> None:
    root = _root(parts.model)
    if root != parts.model:  # model.fc.parameters(): the network is the model
        parts.layer, parts.model = parts.model.removeprefix(root), root
    scope = script.scope(parts.optimizer)
    parts.wrappings = [call for call, _ in script.calls() if is_wrapping(script, call, parts.model)]
    makers = [
        (script.statement(value), unmoved(value))
        for value in values_of(script, parts.model)
        if _creates(script, parts, value)
    ]
    near = [m for m in makers if script.scope(m[0]) is scope] or [
        m for m in makers if script.scope(m[0]) is None or _same_object(script, parts, m[0])
    ]
    early = [m for m in near if script.before(m[0], parts.optimizer)] or near[:1]
    if not early:
        parameters = {p.name.value for p in script.all(cst.Param, scope.params)} if scope else set()
        if parts.model.partition(".")[0] in parameters:
            users = [parts.optimizer, *(c for c in parts.wrappings if script.scope(c) is scope)]
            outer = [s for u in users for s in script.around(u) if script.block(s) is script.body(scope)]
            parts.enters = min(outer, key=script.line)
        return
    statement, value = early[-1]
    parts.made = statement
    if isinstance(value, cst.Call) and last(script.name(value.func)) in WRAPPERS:
        parts.inline = _wrapped(script, value)
        if all(call is not value for call in parts.wrappings):
            parts.wrappings.append(value)
        parts.created = statement
        return
    parts.wrappings = [  # one before the network is made is of another network of this name
        call for call in parts.wrappings if script.before(statement, call) or script.holds(statement, call)
    ]
    parts.made = _climbed(script, parts, statement)
    parts.created = _last_change(script, parts, parts.made)


def _same_object(script: Script, parts: Parts, statement: Statement) -> bool:
    """Whether the network is made in another method of the object that makes the optimizer."""
    owner = script.up(parts.optimizer, cst.ClassDef)
    return parts.model.startswith("self.") and script.up(statement, cst.ClassDef) is owner is not None


def values_of(script: Script, name: str) -> Iterator[cst.BaseExpression]:
    """What a name is given, also in `net, data = Net(), data.to(device)`."""
    for names, value in script.assignments():
        if names == [name]:
            yield value
        elif name in names and isinstance(value, cst.Tuple) and len(value.elements) == len(names):
            yield value.elements[names.index(name)].value
        elif name in names and isinstance(value, cst.Call) and name not in script.names_in(value):
            yield value  # model, criterion = build(args)


def _creates(script: Script, parts: Parts, value: cst.BaseExpression) -> bool:
    """Whether an assigned value makes the network, or changes what it is made of, rather than wraps it."""
    value = unmoved(value)
    if isinstance(value, cst.IfExp):
        return True
    if not isinstance(value, cst.Call):
        return (
            isinstance(value, (cst.Name, cst.Attribute, cst.Subscript)) and script.code(value) != parts.model
        )
    name = last(script.name(value.func))
    if name in WRAPPERS:
        return _wrapped(script, value) is not None
    return name not in PREPARES | LIBRARY_MAKERS | {"unwrap_model"}


def _wrapped(script: Script, wrapper: cst.Call) -> cst.Call | None:
    """The call that makes the network inside of the one that wraps it, as in `DataParallel(Net())`."""
    inner = script.argument(wrapper, "module", 0)
    return inner if isinstance(inner, cst.Call) else None


def _climbed(script: Script, parts: Parts, statement: Statement) -> Statement:
    """The whole `if` or `with` around a statement, as long as nothing in it uses the network yet."""
    users = _users(script, parts)
    found = statement
    for outer in script.around(statement):
        if isinstance(outer, (cst.FunctionDef, cst.ClassDef, *Loop)):
            break
        if any(script.holds(outer, user) for user in users):
            break
        found = outer
    return found


def _users(script: Script, parts: Parts) -> list[cst.CSTNode]:
    """What needs the complete network: the optimizer, wrappers, calls of the function that makes these."""
    function = script.scope(parts.optimizer)
    calls = [c for c, _ in script.calls() if (f := script.callee(c)) is not None and f.node is function]
    prepared = [parts.prepared] if parts.prepared else []
    return [parts.optimizer, *parts.wrappings, *prepared, *calls]


def _last_change(script: Script, parts: Parts, created: Statement) -> Statement:
    """The last statement after the creation that still changes what the network is made of."""
    found, users = created, _users(script, parts)
    siblings = list(script.siblings(created))
    for statement in siblings[siblings.index(created) + 1 :]:
        if isinstance(statement, (cst.FunctionDef, cst.ClassDef)):
            continue
        if any(script.holds(statement, user) for user in users):
            break
        if _changes(script, parts.model, statement):
            found = statement
    return found


def _changes(script: Script, model: str, statement: Statement) -> bool:
    if any(name.startswith(model + ".") for name in script.targets(statement)):
        return True
    for call, name in script.calls(statement):
        owner = script.code(call.func).rpartition(".")[0]
        if owner == model and last(name) in CHANGES:
            return True
        if re.search(r"init|freeze|load|replace|convert|prune", last(name)) and any(
            script.code(a.value) == model for a in call.args
        ):
            return True
    return any(
        script.code(node.iter).startswith(model + ".") and "requires_grad" in script.code(node)
        for node in script.all(cst.For, statement)
    )
