"""The account of a training loop: other networks that it evaluates, other ends, other loops, other scores."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.direction import by_name
from frustration.integration.flow import Flow
from frustration.integration.looks import unexplained
from frustration.integration.loop import Score, TrainingLoop, evaluations, leading_to, running_in, trains
from frustration.integration.parts import Parts
from frustration.integration.source import Loop, Script
from frustration.integration.steps import Step


def other_network(
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


def ends(script: Script, loop: TrainingLoop, told: set[int]) -> Iterator[Step]:
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


def other_training(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """Loops that train and are not the one that is edited, nor in it, nor around it."""
    running = set(running_in(script, loop))
    calls = list(leading_to(script, loop))
    outer: list[TrainingLoop] = []
    every: list[TrainingLoop] = [*script.all(cst.For), *script.all(cst.While)]
    for other in sorted(every, key=script.line):
        scope = script.scope(other)
        if script.holds(other, loop) or script.holds(loop, other) or (scope and id(scope) in running):
            continue
        if any(script.holds(o, other) for o in outer) or not trains(script, other.body):
            continue
        if any(script.scope(c) is scope and script.holds(other, c) for c in calls):
            continue
        outer.append(other)
        head = other.iter if isinstance(other, cst.For) else other.test
        yield unexplained(
            script, head, "score", "whether this loop trains the same network: its scores are not reported"
        )


def made_again(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """A loop that makes the optimizer, and is not around the one that is edited."""
    for outer in script.around(parts.optimizer):
        if isinstance(outer, Loop) and not script.holds(outer, loop) and not script.holds(loop, outer):
            look = "whether the optimizer is made again during training: the tracker has to know each"
            yield unexplained(script, parts.optimizer, "rebuild", look)
            return


def planned(script: Script, parts: Parts) -> Iterator[Step]:
    """An optimizer with a schedule of its own, as in `BertAdam(groups, warmup=0.1, t_total=steps)`."""
    for argument in script.all(cst.Arg, parts.optimizer):
        if argument.keyword is not None and re.search(r"total|warmup|steps", argument.keyword.value):
            look = "whether this plans a fixed length: each growth starts it anew"
            yield unexplained(script, argument, "scheduler", look)


def other_best(script: Script, loop: TrainingLoop, score: Score | None) -> Iterator[Step]:
    """What the script keeps as the best, or measures in the same place, and is not the score."""
    if score is None:
        return
    beside = list(_beside(script, score))
    yield from beside
    if not beside:
        yield from _kept_both_ways(script, loop, score)
        yield from _compared(script, loop, score)


def _instead(script: Script, at: cst.CSTNode, other: str, higher: bool, score: Score) -> Iterator[Step]:
    """Another value, of which a higher one or a lower one is better."""
    look = f"whether {other} should decide about growth, instead of {score.expression}"
    yield unexplained(script, at, "score", look)
    if score.better is not higher:
        way = "higher" if higher else "lower"
        yield unexplained(script, at, "direction", f"{look}: a {way} {other} is better")


def _beside(script: Script, score: Score) -> Iterator[Step]:
    """An accuracy or the like that the evaluation gives beside the loss that was taken."""
    beside = script.targets(score.at) if isinstance(score.at, cst.SimpleStatementLine) else []
    if score.expression in beside and by_name(score.expression) is False and "loss" in score.expression:
        found = [name for name in beside if by_name(name) and not re.search("train", name)]
        for name in found[:1]:
            yield from _instead(script, score.at, name, True, score)


def _kept_both_ways(script: Script, loop: TrainingLoop, score: Score) -> Iterator[Step]:
    """`min(score, best)` where the direction is up, and the other way round."""
    for call, way in script.calls(loop.body):
        given = [script.code(argument.value) for argument in call.args]
        keeps = way in ("min", "max") and len(given) == 2 and score.expression in given
        if keeps and score.better is not (way == "max"):
            look = f"when the {way} of {score.expression} is kept: the direction is another then"
            yield unexplained(script, call, "direction", look)


def _compared(script: Script, loop: TrainingLoop, score: Score) -> Iterator[Step]:
    """A best value of something else than the score."""
    root = re.split(r"[\[.(]", score.expression)[0]
    same = {n for names, v in script.assignments(loop.body) if root in script.names_in(v) for n in names}
    for named in script.all(cst.NamedExpr, loop.body):
        same |= {script.code(named.target)} if script.holds(score.at, named) else set()
    for node in script.all(cst.Comparison, loop.body):
        operator = node.comparisons[0].operator
        sides = [script.code(node.left), script.code(node.comparisons[0].comparator)]
        best = [s for s in sides if re.search(r"best", s, re.I)]
        greater = isinstance(operator, (cst.GreaterThan, cst.GreaterThanEqual))
        if len(best) != 1 or not (greater or isinstance(operator, (cst.LessThan, cst.LessThanEqual))):
            continue
        other = sides[1 - sides.index(best[0])]
        names = set(re.findall(r"[A-Za-z_]\w*", other))
        if {root, *same} & names or score.expression in other or re.fullmatch(r"[-\d.e]+|epoch\w*", other):
            continue
        yield from _instead(script, node, other, greater == (sides[0] == other), score)
