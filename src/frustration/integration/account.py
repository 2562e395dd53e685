"""The account of a script: what the doctor did not understand in it is told, line by line.

The steps explain what they know. This module starts from the other side: whatever happens to the network, to
its parameters, its optimizer and its schedulers has to be explained, and what is left is told.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration.flow import Flow, Kind, Unexplained
from frustration.integration.layers import classes_of, unread
from frustration.integration.left_behind import left_behind
from frustration.integration.looks import unexplained
from frustration.integration.loop_account import (
    ends,
    made_again,
    other_best,
    other_network,
    other_training,
    planned,
)
from frustration.integration.optimizers import SCHEDULER_MAKERS, makes_scheduler, rebuilt
from frustration.integration.parts import Parts
from frustration.integration.places import Place
from frustration.integration.rebuild import find_rebuild
from frustration.integration.source import Script, last
from frustration.integration.steps import Step

if TYPE_CHECKING:
    from frustration.integration.plain import Plain


_STEP_OF: dict[Kind, str] = {
    "network": "model",
    "inner": "model",
    "part": "configuration",
    "parameters": "rebuild",
    "weights": "saving",
    "optimizer": "optimizer",
    "scheduler": "scheduler",
}
_LOOK = {
    "changed": "whether this changes layers that have dendrites; all changes belong before them",
    "copy": "whether this copy is used after growth: it stays as large as it is here",
    "stored": "whether what is kept here is used after growth",
    "hook": "whether this hook is still called: layers with dendrites are other objects",
    "pickled": "whether this is loaded again: it is the whole network with its dendrites, not its weights",
    "other": "what this does with the {kind}",
}
_CALLED = {
    "network": "whether {name} changes its layers, trains it, or keeps a copy",
    "inner": "whether {name} changes its layers, trains it, or keeps a copy",
    "part": "whether {name} changes or replaces this part of the network",
    "parameters": "whether {name} keeps these parameters: after growth there are others",
    "optimizer": "whether {name} keeps the optimizer: after growth there is another",
    "scheduler": "whether {name} keeps the scheduler: after growth there is another",
}
_REBUILT = re.compile(r"weight_norm|spectral_norm|parametrization|prune\.|quantiz|prepare_qat")


def account(plain: Plain) -> list[Step]:
    """What no step of a plain loop explains, in the order of the text."""
    script, parts, loop = plain.script, plain.parts, plain.loop
    library = plain.wishes.target == "perforatedai"
    rebuild = None
    if loop is not None:
        rebuild = find_rebuild(script, parts, loop, bool(plain.present.scores))
    flow = Flow(script)
    flow.follow(*_first(flow, script, parts))
    found = [
        *uses(flow, script, parts.created or parts.enters, library),
        *_layers(script),
        *_unread(script, parts),
    ]
    known = {id(call) for call in parts.wrappings}
    for call in (c for c in flow.wrappings if library and id(c) not in known):
        look = "whether it wraps the network after it has its dendrites, and again after growth"
        found.append(unexplained(script, call, "parallel", look))
    if loop is not None:
        if library and rebuild is not None:
            found += left_behind(flow, script, parts, loop, rebuild)
            found += [] if rebuild.every_time else _schedulers(script, parts)
        confirmed = bool(plain.wishes.metric or plain.present.scores)
        for step in other_network(flow, script, parts, loop, plain.score):
            asked = replace(step, action="option", option="--metric NAME, if it is right")
            found.append(step if confirmed else asked)
        found += ends(script, loop, {s.line for s in plain.report.steps if s.name == "end"})
        found += other_training(script, parts, loop)
        found += made_again(script, parts, loop)
        found += planned(script, parts)
        found += other_best(script, loop, plain.score)
    told = {
        (step.file, step.line)
        for step in plain.report.steps
        if step.action in ("hand", "option", "look") and step.line
    }
    by_line: dict[tuple[str, int, str], Step] = {}
    for step in found:
        if (step.file, step.line) not in told:
            by_line.setdefault((step.file, step.line, step.name), step)
    return list(by_line.values())


def _first(flow: Flow, script: Script, parts: Parts) -> Iterator[tuple[Place, Kind]]:
    for name in {parts.model, *parts.aliases}:
        if name:
            yield flow.places.place(script, parts.optimizer, name), "network"
    yield flow.places.place(script, parts.optimizer, parts.optimizer_name), "optimizer"
    for statement in parts.schedulers:
        for name in parts.scheduler_names(script):
            if name in script.targets(statement):
                yield flow.places.place(script, statement, name), "scheduler"


def uses(flow: Flow, script: Script, complete: cst.CSTNode | None, library: bool) -> Iterator[Step]:
    """The uses that the flow does not explain, but for those that make the network, up to `complete`."""
    for use in flow.unexplained:
        if _making(use, script, complete) or (not library and use.what == "stored"):
            continue
        look = _LOOK.get(use.what) or _CALLED[use.kind]
        name = last(use.place.script.name(use.at.func)) if isinstance(use.at, cst.Call) else ""
        step = {"copy": "rebuild", "stored": "rebuild", "pickled": "saving"}.get(use.what, _STEP_OF[use.kind])
        if use.kind == "optimizer" and re.search(r"sched|lr|rate|warm", name):
            step, look = "scheduler", "whether {name} sets the learning rate as if nothing had grown"
        if use.what == "other":
            look = look.format(kind=use.kind)
        yield unexplained(use.place.script, use.at, step, look.format(name=name), script)


def _making(use: Unexplained, script: Script, complete: cst.CSTNode | None) -> bool:
    """Whether the network is still being made, before it has dendrites."""
    if use.kind not in ("network", "inner", "part", "weights") or use.what == "copy":
        return False
    if complete is None or use.place.script is not script:
        return _in_constructor(use)
    if script.scope(use.at) is script.scope(complete):
        return script.line(use.at) <= script.last_line(complete)
    makers = {id(f.node) for c, _ in script.calls(complete) if (f := script.callee(c)) is not None}
    return id(script.scope(use.at)) in makers or _in_constructor(use)


def _in_constructor(use: Unexplained) -> bool:
    scope = use.place.script.scope(use.at)
    return scope is not None and scope.name.value == "__init__" and use.what == "changed"


def _schedulers(script: Script, parts: Parts) -> Iterator[Step]:
    """Schedulers that no repeated statement makes: in a list, by a function, under another name."""
    making = [parts.optimizer, *parts.schedulers]
    called: set[int] = set()
    nodes: list[cst.CSTNode] = [*making]
    while nodes:
        for call, _ in script.calls(nodes.pop()):
            function = script.callee(call)
            if function is not None and function.script is script and id(function.node) not in called:
                called.add(id(function.node))
                nodes.append(function.node.body)
    for call, name in script.calls():
        if not makes_scheduler(script, call) or re.search(r"GPA|UPA|pai_tracker", name):
            continue
        if not (SCHEDULER_MAKERS.fullmatch(last(name)) or last(name)[:1].isupper()):  # scheduler.step()
            continue
        if any(script.holds(s, call) for s in making) or id(script.scope(call)) in called:
            continue
        if not rebuilt(script, script.statement(call)):
            yield unexplained(script, call, "scheduler", "whether this schedule is made anew after growth")


def _layers(script: Script) -> Iterator[Step]:
    """Layers that something else than the network's own code changes: pruning, quantization, weight norms."""
    for call, name in script.calls():
        if _REBUILT.search(name):
            look = "whether this layer gets no dendrites, or is changed before it has them"
            yield unexplained(script, call, "configuration", look)


def _unread(script: Script, parts: Parts) -> Iterator[Step]:
    """Modules of the network that come from outside of its class, and were not read."""
    root = parts.made or parts.created
    seen: set[int] = set()
    for one, owner in classes_of(script, root) if root is not None else ():
        for name, value in unread(one, owner) if id(owner) not in seen else ():
            look = f"whether the neurons of {name} are on the axis that is set (dry-run measures it)"
            yield unexplained(one, one.statement(value), "configuration", look, script)
        seen.add(id(owner))
