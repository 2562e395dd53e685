"""An evaluation that is written out in the training loop, and the score that it ends with."""

from __future__ import annotations

import re

import libcst as cst

from frustration.integration.direction import by_name, keeps_best, rank
from frustration.integration.loop import (
    COUNTS,
    Score,
    TrainingLoop,
    bound_in,
    inline_start,
    inside_loop,
    known_better,
    phases,
    placed,
    trains,
)
from frustration.integration.source import Loop, Script, Statement, last


def written_out(script: Script, loop: TrainingLoop) -> Score | None:
    """The last metric that is computed after the evaluation has begun."""
    start = inline_start(script, loop)
    if start is None:
        return None
    found: list[tuple[tuple[int, ...], str, Statement]] = []
    told: dict[str, tuple[bool, str]] = {}
    doubts: dict[str, str] = {}

    def offer(name: str, statement: Statement, strength: int) -> None:
        settled = not inside_loop(script, statement, loop) or phases(script, statement, loop) is not None
        best = name.isidentifier() and rank(name)[1] > 0 and keeps_best(script, name, loop.body)
        found.append(((best, strength, rank(name)[1], settled, script.line(statement)), name, statement))

    for name, statement in bound_in(script, loop.body):
        if not (script.before(start, statement) or script.holds(start, statement)):
            continue
        if (
            re.fullmatch(r"[A-Za-z_]\w*", name)
            and (by_name(name) is not None or keeps_best(script, name, loop.body))
            and not re.match("correct|best|train", name)
        ):
            offer(name, statement, 1 + bool(by_name(name)))
    for names, value in script.assignments(loop.body):  # a name that says nothing, and a value that does
        if len(names) == 1 and by_name(names[0]) is None and script.before(start, value):
            if COUNTS.fullmatch(script.code(value)):
                offer(names[0], script.statement(value), 2)
                told[names[0]] = (True, "it is a share of correct answers")
            elif ".compute(" in script.code(value) and "train" not in names[0]:
                offer(names[0], script.statement(value), 2)
                doubts[names[0]] = "the result of .compute() may hold several metrics: name one"
    for node in script.all(cst.BinaryOperation, loop.body):
        text = script.code(node)
        if script.before(start, node) and COUNTS.fullmatch(text):
            statement = script.statement(node)
            if not script.targets(statement) and not inside_loop(script, node, loop):
                offer(text, statement, 2)
    if not found:
        return None
    _, name, statement = max(found, key=lambda entry: entry[0])
    same = [s for _, n, s in found if n == name]
    name = _of_meter(script, loop, name)
    at = placed(script, loop, max(same, key=script.line))
    better, why = known_better(script, loop, name, None)
    if better is None and COUNTS.fullmatch(name):
        told[name] = (True, "it is a share of correct answers")
    if better is None and name in told:
        better, why = told[name]
    if name not in doubts and (doubt := _of_batches(script, loop, name, same)):
        doubts[name] = doubt
    trained = any(n == name and script.before(s, start) for n, s in bound_in(script, loop.body))
    if trained and isinstance(inner := script.up(script.parent(at), *Loop), Loop) and inner is not loop:
        doubts[name] = "a value of single batches, in training too: evaluate after every epoch"
    return Score(name, at, better, why, doubts=doubts.get(name, ""))


def _of_meter(script: Script, loop: TrainingLoop, name: str) -> str:
    """`psnr.avg` where a meter gathers it, as in `psnr = AverageMeter()`."""
    made = [v for names, v in script.assignments(loop.body) if names == [name] and isinstance(v, cst.Call)]
    if not any(last(script.code(v.func))[:1].isupper() for v in made if isinstance(v, cst.Call)):
        return name
    read = [script.code(n) for n in script.all(cst.Attribute, loop.body) if script.code(n.value) == name]
    averages = [text for text in read if last(text) in ("avg", "average", "mean", "global_avg")]
    return next(iter(averages), name)


def _of_batches(script: Script, loop: TrainingLoop, name: str, same: list[Statement]) -> str:
    """Why a value may be of single batches: nothing adds it up, or training has it too."""
    for call, called in script.calls(loop.body):
        backward = [call.func.value] if isinstance(call.func, cst.Attribute) and not call.args else call.args
        if last(called) == "backward" and any(name in script.names_in(node) for node in backward):
            return "the loss of training has the same name: give the validation a name of its own"
    added = any(script.all(cst.AugAssign, statement) for statement in same)
    over = all(_in_evaluation(script, s, loop) and phases(script, s, loop) is None for s in same)
    return "" if added or not over else "a value of single batches: add it up over the evaluation"


def _in_evaluation(script: Script, statement: Statement, loop: TrainingLoop) -> bool:
    """Whether a statement is in a loop over the batches of an evaluation."""
    inner = script.up(script.parent(statement), *Loop, cst.FunctionDef)
    return isinstance(inner, Loop) and inner is not loop and not trains(script, inner.body)
