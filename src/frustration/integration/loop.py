"""The training loop of a script, its evaluation, and the score that comes from it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from frustration.integration.direction import by_calls, by_name, by_use
from frustration.integration.parts import Parts
from frustration.integration.source import Function, Loop, Script, Statement, last

TrainingLoop = cst.For | cst.While
_EVALUATION = re.compile(r"eval(uate|uation)?|valid(ate|ation)?|test|val", re.I)
COUNTS = re.compile(
    r"(?:[\d.]+\s*\*\s*)?\(?(?:\w+_)?(?:correct|corrects|hits|accurate)\b(?:\.\w+\(\))*\)?\s*/\s*[\w.()\[\]]+(?:\([^()]*\))?"
    r"(?:\s*\*\s*[\d.]+)?"
)


@dataclass
class Score:
    """What decides about growth, and how it is known."""

    expression: str
    at: Statement
    """The statement after which it is known."""
    better: bool | None
    """True: higher is better; None: not known."""
    why: str
    call: cst.Call | None = None
    """An evaluation whose result nothing keeps yet."""
    adds: tuple[Function, str] | None = None
    """A function that only prints the score, and the expression that it has to return."""
    doubts: str = ""
    """Why this is not certain; empty where it is."""


def trains(script: Script, node: cst.CSTNode, seen: set[int] | None = None) -> bool:
    """Whether running a node trains: in it, or in a function of this script or one beside it."""
    seen = set() if seen is None else seen
    for call, name in script.calls(node):
        if last(name) == "backward" or (
            last(name) == "step" and re.search(r"optim|\bopt\b|scaler", name.lower())
        ):
            return True
        function = script.callee(call)
        if function is None:
            arguments = [script.code(argument.value) for argument in call.args]
            handed = any("optim" in text for text in arguments)
            if handed and (
                "loss" in arguments or re.search(r"train|fit$|(^|_)(epoch|step)(_|$)", last(name))
            ):
                return True  # loss_scaler(loss, optimizer), engine.train(net, optimizer)
            continue
        if id(function.node) in seen:
            continue
        seen.add(id(function.node))
        if trains(function.script, function.node.body, seen):
            return True
    return False


def evaluates(function: Function) -> bool:
    """Whether a function measures without training."""
    code = function.code
    quiet = ".eval()" in code or "no_grad" in code or "inference_mode" in code
    return (quiet or named(function)) and not trains(function.script, function.node.body)


def named(function: Function) -> bool:
    """Whether its name says that a function evaluates."""
    name = function.name.lower()
    return bool(_EVALUATION.match(name)) or "evaluat" in name


def find_loop(script: Script, parts: Parts) -> TrainingLoop | None:
    """The outermost loop that trains and evaluates, and does not make the optimizer anew."""
    every: list[TrainingLoop] = [*script.all(cst.For), *script.all(cst.While)]
    loops = [
        loop
        for loop in sorted(every, key=script.line)
        if not script.holds(loop, parts.optimizer) and trains(script, loop.body)
    ]
    outer = [x for x in loops if not any(y is not x and script.holds(y, x) for y in loops)]
    measured = [x for x in outer if evaluations(script, x) or inline_start(script, x) is not None]
    near = [x for x in measured if script.scope(x) is script.scope(parts.optimizer)]
    first = [x for x in outer if not any(_runs(script, y, x) for y in outer)]
    return next(iter(near or measured or first or outer), None)


def runs(script: Script, parts: Parts, loop: TrainingLoop) -> TrainingLoop | None:
    """A loop that calls the function of another one, and has the optimizer from outside of both."""
    here = script.scope(loop)
    if here is None or script.holds(here, parts.optimizer):
        return None
    every: list[TrainingLoop] = [*script.all(cst.For), *script.all(cst.While)]
    for outer in every:
        if outer is loop or script.holds(outer, parts.optimizer) or not _runs(script, outer, loop):
            continue
        there = script.scope(parts.optimizer)
        made_inside = there is not None and not script.holds(there, outer)
        if not made_inside and script.before(parts.optimizer, outer):
            return outer
    return None


def _runs(script: Script, outer: TrainingLoop, inner: TrainingLoop) -> bool:
    """Whether a loop calls the function that another one is in."""
    function, seen = script.scope(inner), set[int]()
    inside: list[cst.CSTNode] = [outer.body]
    if function is None or script.holds(function, outer):
        return False
    while inside:
        for call, _ in script.calls(inside.pop()):
            callee = script.callee(call)
            if callee is not None and callee.node is function:
                return True
            if callee is not None and callee.script is script and id(callee.node) not in seen:
                seen.add(id(callee.node))
                inside.append(callee.node.body)
    return False


def evaluations(script: Script, loop: TrainingLoop) -> list[tuple[cst.Call, Function | None]]:
    """The calls in a loop that evaluate, validation first; with the function where it can be read."""
    found: list[tuple[cst.Call, Function | None]] = []
    repeated = [script.callee(call) for call, _ in script.calls(loop.body)]
    for call, name in script.calls(loop.body):
        function = script.callee(call)
        both = function is not None and sum(f is not None and f.node is function.node for f in repeated) > 1
        if function is not None:
            for_both = both and _asks_evaluation(script, call) and trains(function.script, function.node.body)
            if evaluates(function) or for_both:
                found.append((call, function))
        elif re.search(r"evaluat|validat|^test$", last(name)) and script.targets(script.statement(call)):
            found.append((call, None))
    return sorted(found, key=lambda pair: -_part(script, *pair))


def _asks_evaluation(script: Script, call: cst.Call) -> bool:
    """`run_epoch(model, val_loader, train=False)`: one function for both."""
    text = ", ".join(script.code(a) for a in call.args)
    part = r"\b(val|valid|validation|dev|eval|test)(?![a-z])"
    return bool(re.search(part + r"|train(ing)?\s*=\s*False|['\"]val", text))


def _part(script: Script, call: cst.Call, function: Function | None) -> float:
    """Which part of the data a call evaluates: validation 3, unknown 2, test 1, training 0.

    0.5: nothing says that it evaluates, as of `draw_samples()`.
    """
    text = " ".join([*script.targets(script.statement(call)), script.code(call)]).lower()
    if re.search(
        r"(?<![a-z])(val|valid|validation|dev|eval)(?![a-z])|val_|valid_", text.replace(".eval()", "")
    ):
        return 3
    if re.search(r"train_?(loader|data|set|dl|x|eval)|train_(acc|loss)", text) and "test" not in text:
        return 0
    if "test" in text:
        return 1
    draws = re.search("sampl|generat|recon|plot|draw|show", last(script.code(call.func)).lower())
    return 0.5 if draws and (function is None or not named(function)) else 2


def inline_start(script: Script, loop: TrainingLoop) -> cst.CSTNode | None:
    """Where an evaluation begins that is written out in the loop."""
    for call, name in script.calls(loop.body):
        if last(name) == "eval" and "." in name and not call.args:
            return call
    for block in script.all(cst.With, loop.body):
        head = " ".join(script.code(item) for item in block.items)
        if ("no_grad" in head or "inference_mode" in head) and not trains(script, block.body):
            return block
    return None


def known_better(
    script: Script, loop: TrainingLoop, expression: str, function: Function | None
) -> tuple[bool | None, str]:
    if used := by_use(script, expression, loop.body):
        return used
    if function is not None and any(text.startswith("-") for text in returned(function)):
        return None, f"{function.name} returns it with its sign turned"
    name = expression
    if key := re.search(r"\[\s*['\"]([\w/@.-]+)['\"]\s*\]$", expression):
        name = key[1]
        if by_name(name) is None:  # losses["val"]: the dictionary says it
            name = expression
    if (way := by_name(name)) is not None:
        return way, "its name says so"
    if function is not None:
        ways = {by_name(text) for text in returned(function)} - {None}
        if len(ways) == 1:
            return ways.pop(), f"{function.name} returns {' or '.join(returned(function))}"
        if found := by_calls(function.script, function.node):
            return found
    return None, "neither its name nor a comparison says whether higher is better"


def returned(function: Function) -> list[str]:
    """What the returns of a function itself give; not those of functions in it."""
    script = function.script
    return [
        script.code(node.value)
        for node in script.all(cst.Return, function.node.body)
        if node.value is not None and script.scope(node) is function.node
    ]


def bound_in(script: Script, within: cst.CSTNode) -> list[tuple[str, Statement]]:
    """The names that are assigned or added to, with the statement."""
    found = [(name, script.statement(value)) for names, value in script.assignments(within) for name in names]
    found += [(script.code(n.target), script.statement(n)) for n in script.all(cst.AugAssign, within)]
    return found


def inside_loop(script: Script, node: cst.CSTNode, outer: cst.CSTNode) -> bool:
    """Whether a loop stands between a node and one around it."""
    found = script.up(script.parent(node), cst.For, cst.While, cst.FunctionDef)
    return isinstance(found, Loop) and found is not outer and script.holds(outer, found)


def phases(script: Script, statement: Statement, loop: TrainingLoop) -> Statement | None:
    """`for phase in ["train", "val"]` around a statement: after it, values are of the last phase."""
    for outer in script.around(statement):
        if outer is loop:
            return None
        if isinstance(outer, cst.For) and isinstance(outer.iter, (cst.List, cst.Tuple)):
            words = [script.code(e.value) for e in outer.iter.elements]
            if words and re.search(r"val|test|eval|dev", words[-1]):
                return outer
    return None


def placed(script: Script, loop: TrainingLoop, statement: Statement) -> Statement:
    """Outside of the batches, phases and `with` blocks that a score is computed in."""
    found = statement
    for outer in script.around(statement):
        if outer is loop or isinstance(outer, cst.FunctionDef):
            break
        if isinstance(outer, (cst.With, cst.Try)) and not trains(script, outer):
            found = outer
        if isinstance(outer, cst.For) and not trains(script, outer.body):
            found = outer
    return phases(script, statement, loop) or found


def before_training(script: Script, loop: TrainingLoop, at: Statement) -> bool:
    """Whether the loop evaluates before it has trained for the first time."""
    first = next(
        (
            call
            for call, name in script.calls(loop.body)
            if last(name) == "backward"
            or ((f := script.callee(call)) is not None and trains(f.script, f.node.body))
        ),
        None,
    )
    return first is not None and script.before(at, first) and not script.holds(at, first)


def running_in(script: Script, loop: TrainingLoop) -> Iterator[int]:
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


def leading_to(script: Script, loop: TrainingLoop) -> Iterator[cst.Call]:
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
