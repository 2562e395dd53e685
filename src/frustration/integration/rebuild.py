"""The statements that make a script's optimizer and schedulers, to be run again after growth."""

from __future__ import annotations

import builtins
import re
from dataclasses import dataclass, field

import libcst as cst

from frustration.integration.draft import bare, renamed
from frustration.integration.loop import TrainingLoop
from frustration.integration.optimizers import fills
from frustration.integration.parts import Parts
from frustration.integration.processes import accelerated
from frustration.integration.source import Loop, Script, Statement

INNER = "network"
_LARGE = 25
"""Lines. A larger `if` around an optimizer does more than choose it."""

GENERIC = (
    "{optimizer} = type({optimizer})(\n"
    "    {network}.parameters(),\n"
    "    **{{\n"
    "        name: value\n"
    "        for name, value in {optimizer}.defaults.items()\n"
    "        if name in inspect.signature(type({optimizer})).parameters\n"
    "    }},\n"
    ")"
)
"""The same kind of optimizer with the same settings, where its own statements cannot be repeated."""


@dataclass
class Rebuild:
    """How the optimizer is made anew, in the function of the training loop."""

    network: str
    """What the network is called there."""
    inner: str
    """What it is called without its wrapper, where it has one."""
    optimizer: str
    copies: list[Statement] = field(default_factory=list)
    generic: str = ""
    """Instead of copies: a statement that repeats the optimizer's kind and settings."""
    unseen: list[str] = field(default_factory=list)
    """The names that kept the statements from being repeated."""
    lost: list[str] = field(default_factory=list)
    """Schedulers that are not made anew."""
    names: dict[str, str] = field(default_factory=dict)
    """What the variables of the optimizer's function are called in the loop's."""
    known: set[str] = field(default_factory=set)
    """The names that the loop can see."""
    every_time: str = ""
    """The function that makes it anew in every epoch by itself; empty: it is made once."""
    shared: list[str] = field(default_factory=list)
    """Names of the module, or of a function around it, that the function of the loop binds anew."""
    outer: str = "global"
    """How that function says so: global or nonlocal."""

    @property
    def lines(self) -> list[str]:
        if self.generic:
            return self.generic.splitlines()
        module = cst.Module([])
        return [line for s in self.copies for line in module.code_for_node(bare(s)).strip("\n").splitlines()]


def find_rebuild(script: Script, parts: Parts, loop: TrainingLoop, reported: bool = False) -> Rebuild | None:
    """How to make the optimizer anew in the loop; None if the network has no name there.

    `reported`: the script has a line of its own that names the grown network.
    """
    names = _names_in_loop(script, parts, loop)
    network = names.get(parts.model, parts.model)
    optimizer = names.get(parts.optimizer_name, parts.optimizer_name)
    here = script.scope(loop)
    known = _visible(script, here)
    if maker := _made_in(script, parts, loop):
        if network.partition(".")[0] not in known:
            return None
        wrapped = bool(parts.wrappings)
        result = Rebuild(network, INNER if wrapped else network, "", every_time=maker)
        result.names, result.known = names, known
        return result
    for name in (network, optimizer):
        if name.partition(".")[0] not in known:
            return None
    originals = making_statements(script, parts)
    wrapped = bool(parts.wrappings) and parts.prepared is None and network == parts.model
    wrapped = not reported and (wrapped or bool(accelerated(script, parts)))
    inner = {parts.model: INNER, network: INNER} if wrapped else {}
    called = INNER if wrapped else network
    copies = [renamed(s, {**names, **inner, **dict.fromkeys(parts.aliases, called)}) for s in originals]
    used = {n for s in originals for n in _free(script, s)} - {*parts.aliases}
    bound = {n.partition(".")[0] for s in originals for n in script.targets(s)}
    unseen = sorted(n for n in used - bound if names.get(n, n).partition(".")[0] not in known)
    other = wrapped or (parts.prepared is not None and not reported)
    result = Rebuild(network, INNER if other else network, optimizer, copies)
    result.names, result.known = names, known
    made = {n for s in originals for n in script.targets(s)}
    schedulers = parts.scheduler_names(script)
    if unseen:
        result.copies = []
        result.unseen = unseen
        result.generic = GENERIC.format(optimizer=optimizer, network=result.inner)
        made = set()
    result.lost = [n for n in schedulers if n not in made]
    there = script.scope(parts.optimizer)
    if here is not None and here is not there and (there is None or script.holds(there, here)):
        result.outer = "global" if there is None else "nonlocal"
        binds = {network, optimizer} | {names.get(n, n) for n in made}
        own = _bound_in(script, here)
        declared = {n for g in script.all((cst.Global, cst.Nonlocal), here.body) for n in script.names_in(g)}
        result.shared = sorted(n for n in binds if "." not in n and n not in own | declared)
    return result


def _made_in(script: Script, parts: Parts, loop: TrainingLoop) -> str:
    """The function called in a loop that makes the optimizer, so that every epoch has a new one."""
    function = script.scope(parts.optimizer)
    if function is None or script.holds(function, loop):
        return ""
    for call, _ in script.calls(loop.body):
        callee = script.callee(call)
        if callee is not None and callee.node is function:
            return callee.name
    return ""


def making_statements(script: Script, parts: Parts) -> list[Statement]:
    """What makes the optimizer and its schedulers from the network on, in the order of the text."""
    scope = script.scope(parts.optimizer)
    found: list[Statement] = []
    for target in (parts.optimizer, *(s for s in parts.schedulers if script.scope(s) is scope)):
        whole = _condition(script, target)
        found += [*_feeding(script, parts, whole), whole]
    unique = {id(s): s for s in found}
    return sorted(unique.values(), key=script.line)


def _feeding(script: Script, parts: Parts, whole: Statement) -> list[Statement]:
    """The statements after the network is made that hand its parameters on to the optimizer's statement."""
    siblings = list(script.siblings(whole))
    earlier = [
        s
        for s in siblings[: siblings.index(whole)]
        if s is not parts.created and not (parts.created and script.before(s, parts.created))
        if not isinstance(s, (cst.FunctionDef, cst.ClassDef, cst.With, cst.Try))
    ]
    own = {parts.model, parts.optimizer_name, *parts.aliases}
    taken = {parts.model, *parts.aliases}
    """What is, or comes from, the network."""
    carries = []
    for statement in earlier:
        filled = fills(script, statement)
        if filled and not own & {*filled} and any(_mentions(script, statement, n) for n in taken):
            carries.append(statement)
            taken |= {*filled}
    chain: list[Statement] = [whole]
    added: set[str] = set()
    """Lists that the chain adds to: they begin anew as well."""
    for statement in reversed(earlier):
        filled = fills(script, statement)
        if any(_mentions(script, s, n) for s in chain for n in filled) and (
            statement in carries or {n for n, adds in filled.items() if not adds} & added
        ):
            chain.append(statement)
            added |= {n for n, adds in filled.items() if adds}
    return chain[:0:-1]


def _mentions(script: Script, statement: Statement, name: str) -> bool:
    return bool(re.search(rf"(?<![\w.]){re.escape(name)}\b", script.code(statement)))


def _condition(script: Script, statement: Statement) -> Statement:
    """The `if` around a statement, where it does nothing but choose."""
    found = statement
    for outer in script.around(statement)[1:]:
        if not isinstance(outer, cst.If) or script.all(Loop, outer):
            break
        if {*script.targets(statement)} & script.names_in(outer.test):  # if optimizer is None
            break
        if script.last_line(outer) - script.line(outer) > _LARGE or "__main__" in script.code(outer.test):
            break
        found = outer
    return found


def _names_in_loop(script: Script, parts: Parts, loop: TrainingLoop) -> dict[str, str]:
    """What the variables of the optimizer's function are called in the function of the loop."""
    here, there = script.scope(loop), script.scope(parts.optimizer)
    if here is None or here is there:
        return {}
    if there is not None and script.up(here, cst.ClassDef) is script.up(there, cst.ClassDef) is not None:
        return {  # self.config = config
            script.code(value): names[0]
            for names, value in script.assignments(there.body)
            if len(names) == 1 and names[0].startswith("self.") and isinstance(value, cst.Name)
        }
    parameters = [p.name.value for p in here.params.params]
    for call, _ in script.calls():
        function = script.callee(call)
        if function is None or function.node is not here or script.scope(call) not in (there, None):
            continue
        names = parameters[1:] if parameters[:1] == ["self"] else parameters
        mapped = {}
        for place, argument in enumerate(call.args):
            name = argument.keyword.value if argument.keyword else names[place] if place < len(names) else ""
            if name and not argument.star:
                mapped[script.code(argument.value)] = name
        return mapped
    return {}


def _free(script: Script, statement: Statement) -> set[str]:
    """The variables that a statement reads: no attributes, keywords or names that it binds inside."""
    inner = {n for part in script.all(cst.CompFor, statement) for n in script.names_in(part.target)}
    inner |= {n for part in script.all(cst.For, statement) for n in script.names_in(part.target)}
    inner |= {part.name.value for part in script.all(cst.Param, statement)}
    found = set()
    for name in script.all(cst.Name, statement):
        parent = script.parent(name)
        if isinstance(parent, cst.Attribute) and parent.attr is name:
            continue
        if isinstance(parent, cst.Arg) and parent.keyword is name:
            continue
        found.add(name.value)
    return found - inner - set(dir(builtins))


def _bound_in(script: Script, function: cst.FunctionDef) -> set[str]:
    """The names that a function binds: parameters, assignments, loops and imports in it."""
    found = {p.name.value for p in script.all(cst.Param, function.params)}
    found |= {n for n in script.targets(function.body) if n.isidentifier()}
    for loop in script.all(cst.For, function.body):
        found |= script.names_in(loop.target)
    for item in script.all(cst.AsName, function.body):
        found |= script.names_in(item)
    for alias in script.all(cst.ImportAlias, function.body):
        found |= script.names_in(alias)
    return found


def _visible(script: Script, function: cst.FunctionDef | None, seen: set[Script] | None = None) -> set[str]:
    """The names that can be read in a function."""
    seen = {script} if seen is None else seen
    found = set(script.imports) | set(script.functions) | set(script.classes) | set(dir(builtins))
    for star in script.stars():  # files may import each other
        if star not in seen:
            seen.add(star)
            found |= _visible(star, None, seen)
    found |= {
        name.partition(".")[0]
        for names, value in script.assignments()
        for name in names
        if script.scope(value) is None and not isinstance(script.up(value, cst.ClassDef), cst.ClassDef)
    }
    for node in script.all((cst.For, cst.With)):
        if script.scope(node) is None:
            found |= {n.value for n in script.all(cst.Name, getattr(node, "target", node))}
    while function is not None:
        found |= _bound_in(script, function)
        function = script.scope(function)
    return found
