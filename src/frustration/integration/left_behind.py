"""What was taken before growth and is used after it: parameters, parts, optimizers, schedulers, wrappers."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from frustration.integration.flow import Flow, Move
from frustration.integration.looks import unexplained
from frustration.integration.loop import TrainingLoop, leading_to, running_in
from frustration.integration.parts import Parts
from frustration.integration.places import Place
from frustration.integration.rebuild import Rebuild, making_statements
from frustration.integration.source import Script
from frustration.integration.steps import Step

_NEW = {
    "optimizer": "optimizer",
    "scheduler": "scheduler",
    "parameters": "parameters",
    "part": "layers",
    "network": "wrapper of the network",
}


def left_behind(
    flow: Flow, script: Script, parts: Parts, loop: TrainingLoop, rebuild: Rebuild
) -> Iterator[Step]:
    """Other holders of what is made anew after growth, and used from then on."""
    made = {rebuild.optimizer, *parts.scheduler_names(script)}
    if rebuild.copies:
        made |= {n for s in making_statements(script, parts) for n in script.targets(s)}
    made = {rebuild.names.get(n, n) for n in made}
    fresh = {flow.places.place(script, loop.body.body[0], n) for n in {*made, rebuild.network} if n}
    running = set(running_in(script, loop))
    calls = list(leading_to(script, loop))

    def later(one: Script, at: cst.CSTNode) -> bool:
        """Whether a node runs in the loop or after it."""
        scope = one.scope(at)
        if scope is not None and id(scope) in running:
            return True
        if one is not script:
            return False
        if script.holds(loop.body, at) or script.up(at, cst.Lambda) is not None:
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
