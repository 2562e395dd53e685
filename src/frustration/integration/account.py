"""The account of a script: what the doctor did not understand in it is told, line by line.

The steps explain what they know. This module starts from the other side: whatever happens to the network, to
its parameters, its optimizer and its schedulers has to be explained, and what is left is told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration.flow import Flow, Kind, Move, Place, Unexplained
from frustration.integration.layers import classes_of, unread
from frustration.integration.loop import Score, TrainingLoop, evaluations, trains
from frustration.integration.parts import Parts
from frustration.integration.rebuild import Rebuild, find_rebuild, making_statements
from frustration.integration.source import Loop, Script, last
from frustration.integration.steps import Step

if TYPE_CHECKING:
    from frustration.integration.plain import Plain

LONGEST = 60
"""Characters of a script's line that are shown."""

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


def unexplained(script: Script, at: cst.CSTNode, name: str, look: str, here: Script | None = None) -> Step:
    """One line of what was not understood."""
    text = " ".join(script.code(at).split())
    text = text if len(text) <= LONGEST else text[: LONGEST - 3] + "..."
    line = script.line(at)
    if here is not None and here is not script:
        place = script.path.name if script.path else "another file"
        return Step(name, "undecided", f"{place}, line {line}: `{text}`: look {look}", 0, "look")
    return Step(name, "undecided", f"`{text}`: look {look}", line, "look")


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
            found += _left_behind(flow, script, parts, loop, rebuild)
        confirmed = bool(plain.wishes.metric or plain.present.scores)
        for step in _other_network(flow, script, parts, loop, plain.score):
            asked = replace(step, action="option", option="--metric NAME, if it is right")
            found.append(step if confirmed else asked)
        found += _ends(script, loop, {s.line for s in plain.report.steps if s.name == "end"})
        found += _other_training(script, parts, loop)
        found += _made_again(script, parts, loop)
        found += _planned(script, parts)
        found += _other_best(script, loop, plain.score)
    told = {
        step.line for step in plain.report.steps if step.action in ("hand", "option", "look") and step.line
    }
    unique = {(s.line, s.reason): s for s in found if s.line not in told or not s.line}
    by_line: dict[tuple[int, str], Step] = {}
    for step in unique.values():
        by_line.setdefault((step.line, step.reason if not step.line else step.name), step)
    return list(by_line.values())


def _first(flow: Flow, script: Script, parts: Parts) -> Iterator[tuple[Place, Kind]]:
    for name in {parts.model, *parts.aliases}:
        if name:
            yield flow.place(script, parts.optimizer, name), "network"
    yield flow.place(script, parts.optimizer, parts.optimizer_name), "optimizer"
    for statement in parts.schedulers:
        for name in parts.scheduler_names(script):
            if name in script.targets(statement):
                yield flow.place(script, statement, name), "scheduler"


def uses(flow: Flow, script: Script, complete: cst.CSTNode | None, library: bool) -> Iterator[Step]:
    """The uses that the flow does not explain, but for those that make the network, up to `complete`."""
    for use in flow.unexplained:
        if _making(use, script, complete) or (not library and use.what == "stored"):
            continue
        look = _LOOK.get(use.what) or _CALLED[use.kind]
        name = last(use.place.script.name(use.at.func)) if isinstance(use.at, cst.Call) else ""
        step = {"copy": "rebuild", "stored": "rebuild"}.get(use.what, _STEP_OF[use.kind])
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


def _left_behind(
    flow: Flow, script: Script, parts: Parts, loop: TrainingLoop, rebuild: Rebuild
) -> Iterator[Step]:
    """Other holders of what is made anew after growth, and used from then on."""
    made = {rebuild.optimizer, *parts.scheduler_names(script)}
    if rebuild.copies:
        made |= {n for s in making_statements(script, parts) for n in script.targets(s)}
    made = {rebuild.names.get(n, n) for n in made}
    fresh = {flow.place(script, loop.body.body[0], n) for n in {*made, rebuild.network} if n}
    running = set(_running(script, loop))
    calls = list(_leading_to(script, loop))

    def later(one: Script, at: cst.CSTNode) -> bool:
        """Whether a node runs in the loop or after it."""
        scope = one.scope(at)
        if scope is not None and id(scope) in running:
            return True
        if one is not script:
            return False
        if script.holds(loop.body, at):
            return True
        ends = [(script.scope(c), script.last_line(c)) for c in (loop, *calls)]
        return any(scope is there and script.line(at) > line for there, line in ends)

    first = set(fresh)
    changed = True
    while changed:
        before = len(fresh)
        for move in flow.moves:
            timed = move.source in first or move.target.name.endswith("()")
            if move.source in fresh and (not timed or later(move.script, move.at)):
                fresh.add(move.target)
        changed = len(fresh) > before
    making = [
        parts.optimizer,
        *parts.schedulers,
        *parts.wrappings,
        *([parts.prepared] if parts.prepared else []),
    ]
    kinds = {"optimizer", "scheduler", "parameters", "part"} | ({"network"} if parts.wrappings else set())
    for move in flow.moves:
        target = move.target
        if target in fresh or flow.kinds.get(target) not in kinds or target.name.endswith("()"):
            continue
        if isinstance(move.at, cst.For) or _among(making, script, move):
            continue
        used = [n for n in flow.reads.get(target, ()) if _used_later(target, n, later)]
        if used and not _declared(script, target, rebuild):
            where = target.script.line(used[0])
            new = _NEW[flow.kinds[target]]
            look = (
                f"whether `{target.name}` (used in line {where}) has to be given the new {new} after growth"
            )
            step = "rebuild" if flow.kinds[target] != "scheduler" else "scheduler"
            yield unexplained(move.script, move.at, step, look, script)


_NEW = {
    "optimizer": "optimizer",
    "scheduler": "scheduler",
    "parameters": "parameters",
    "part": "layers",
    "network": "wrapper of the network",
}


def _among(statements: list[cst.CSTNode], script: Script, move: Move) -> bool:
    return move.script is script and any(script.holds(statement, move.at) for statement in statements)


def _declared(script: Script, target: Place, rebuild: Rebuild) -> bool:
    """Whether the edit binds it anew, as a name of the module."""
    return target.script is script and target.name in rebuild.shared


def _used_later(target: Place, node: cst.CSTNode, later: Callable[[Script, cst.CSTNode], bool]) -> bool:
    script = target.script
    function = script.scope(node)
    if target.name.startswith("self.") and function is not None and function.name.value != "__init__":
        return True
    return later(script, node)


def _running(script: Script, loop: TrainingLoop) -> Iterator[int]:
    """The functions that a loop calls, also in files beside the script."""
    seen: set[int] = set()
    inside: list[tuple[Script, cst.CSTNode]] = [(script, loop.body)]
    while inside:
        one, node = inside.pop()
        for call, _ in one.calls(node):
            callee = one.callee(call)
            if callee is not None and id(callee.node) not in seen:
                seen.add(id(callee.node))
                inside.append((callee.script, callee.node.body))
                yield id(callee.node)


def _leading_to(script: Script, loop: TrainingLoop) -> Iterator[cst.Call]:
    """The calls that lead to the function of a loop."""
    functions = [script.scope(loop)]
    for function in functions:
        if function is None:
            continue
        for call, _ in script.calls():
            callee = script.callee(call)
            if callee is not None and callee.node is function:
                yield call
                if script.scope(call) not in functions:
                    functions.append(script.scope(call))


def _other_network(
    flow: Flow, script: Script, parts: Parts, loop: TrainingLoop, score: Score | None
) -> Iterator[Step]:
    """An evaluation in which the network that grows is not to be seen."""
    if not parts.model:
        return
    known = {id(node) for nodes in flow.reads.values() for node in nodes}
    for call, function in evaluations(script, loop)[:1] if score is not None else ():
        inside: list[tuple[Script, cst.CSTNode]] = [(script, call)]
        inside += [(function.script, function.node)] if function is not None else []
        if not any(id(n) in known for s, node in inside for n in s.all((cst.Name, cst.Attribute), node)):
            look = f"whether this evaluates {parts.model}: it is not handed to it"
            yield unexplained(script, call, "score", look)
        elif re.search(r"(?<![a-z])train_?(loader|data|set|dl|iter)", script.code(call)):
            yield unexplained(script, call, "score", "whether this scores the training data")


def _ends(script: Script, loop: TrainingLoop, told: set[int]) -> Iterator[Step]:
    """Every other way out of the loop."""
    for node in script.all((cst.Break, cst.Return), loop.body):
        if script.scope(node) is not script.scope(loop):
            continue
        if isinstance(node, cst.Break) and script.up(script.parent(node), *Loop) is not loop:
            continue
        around = [s for s in script.around(node) if s is not loop and script.holds(loop, s)]
        tests = [script.code(s.test) for s in around if isinstance(s, cst.If)]
        if any(re.search(r"complete|restructur|\.grown|isnan|isfinite|isinf", t, re.I) for t in tests):
            continue
        if {script.line(s) for s in around} & told:
            continue
        yield unexplained(
            script, node, "end", f"whether it ends the training before growth is complete{_under(tests)}"
        )
    for call, name in script.calls(loop.body):
        if name in ("sys.exit", "exit", "quit", "os._exit"):
            yield unexplained(script, call, "end", "whether it ends the training before growth is complete")


def _under(tests: list[str]) -> str:
    return f" (under `{tests[0]}`)" if tests else ""


def _other_training(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """Loops that train and are not the one that is edited, nor in it, nor around it."""
    running = set(_running(script, loop))
    around = {id(script.scope(c)) for c in _leading_to(script, loop)}
    outer: list[TrainingLoop] = []
    every: list[TrainingLoop] = [*script.all(cst.For), *script.all(cst.While)]
    for other in sorted(every, key=script.line):
        scope = script.scope(other)
        if script.holds(other, loop) or script.holds(loop, other) or (scope and id(scope) in running):
            continue
        if any(script.holds(o, other) for o in outer) or not trains(script, other.body):
            continue
        if id(scope) in around and any(script.holds(other, c) for c in _leading_to(script, loop)):
            continue
        outer.append(other)
        head = other.iter if isinstance(other, cst.For) else other.test
        yield unexplained(
            script, head, "score", "whether this loop trains the same network: its scores are not reported"
        )


def _made_again(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """A loop that makes the optimizer, and is not around the one that is edited."""
    for outer in script.around(parts.optimizer):
        if isinstance(outer, Loop) and not script.holds(outer, loop) and not script.holds(loop, outer):
            look = "whether the optimizer is made again during training: the tracker has to know each"
            yield unexplained(script, parts.optimizer, "rebuild", look)
            return


def _planned(script: Script, parts: Parts) -> Iterator[Step]:
    """An optimizer with a schedule of its own, as in `BertAdam(groups, warmup=0.1, t_total=steps)`."""
    for argument in script.all(cst.Arg, parts.optimizer):
        if argument.keyword is not None and re.search(r"total|warmup|steps", argument.keyword.value):
            look = "whether this plans a fixed length: each growth starts it anew"
            yield unexplained(script, argument, "scheduler", look)


def _other_best(script: Script, loop: TrainingLoop, score: Score | None) -> Iterator[Step]:
    """A best value that the script keeps, of something else than the score."""
    if score is None:
        return
    root = re.split(r"[\[.(]", score.expression)[0]
    same = {n for names, v in script.assignments(loop.body) if root in script.names_in(v) for n in names}
    for node in script.all(cst.Comparison, loop.body):
        sides = [script.code(node.left), script.code(node.comparisons[0].comparator)]
        best = [s for s in sides if re.search(r"best", s, re.I)]
        if len(best) != 1 or not isinstance(
            node.comparisons[0].operator,
            (cst.LessThan, cst.GreaterThan, cst.LessThanEqual, cst.GreaterThanEqual),
        ):
            continue
        other = sides[1 - sides.index(best[0])]
        names = set(re.findall(r"[A-Za-z_]\w*", other))
        if {root, *same} & names or score.expression in other or re.fullmatch(r"[-\d.e]+|epoch\w*", other):
            continue
        yield unexplained(
            script,
            node,
            "score",
            f"whether {other} should decide about growth, instead of {score.expression}",
        )
