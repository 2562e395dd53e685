"""The score that a training loop's evaluation gives: in a result, in a print, or in the loop itself."""

from __future__ import annotations

import re

import libcst as cst

from frustration.errors import InputError
from frustration.integration.direction import best_of, by_name, by_use, keeps_best, rank
from frustration.integration.inline import written_out
from frustration.integration.loop import (
    COUNTS,
    Score,
    TrainingLoop,
    bound_in,
    evaluations,
    inside_loop,
    known_better,
    named,
    placed,
    returned,
)
from frustration.integration.source import Function, Script

parts_of_progress = ("pred", "output", "logit", "target", "label", "time")


def find_score(script: Script, loop: TrainingLoop, metric: str = "") -> Score | None:
    """What the loop's evaluation gives; `metric` is the user's choice."""
    if metric:
        return _chosen(script, loop, metric)
    for call, function in evaluations(script, loop):
        if script.scope(call) is not script.scope(loop.body):  # a function that the loop defines
            continue
        found = _of_call(script, loop, call, function)
        if found is not None:
            return found
    return written_out(script, loop)


def _of_call(script: Script, loop: TrainingLoop, call: cst.Call, function: Function | None) -> Score | None:
    statement = script.statement(call)
    targets = (
        [] if isinstance(statement, (cst.For, cst.While, cst.If, cst.With)) else script.targets(statement)
    )
    at = placed(script, loop, statement)
    if targets:
        names = [t for t in targets if t != "_" and not t.startswith(parts_of_progress)]
        keyed = [n for n in names if keeps_best(script, n, loop.body)] or [
            n for n in names if by_name(n) is not None
        ]
        keyed = keyed or names
        if not keyed:
            return None
        expression, doubts = _opened(script, loop, best_of(keyed), len(targets), function)
        better, why = known_better(script, loop, expression, function)
        if (
            better is None
            and not doubts
            and function is not None
            and not named(function)
            and by_name(function.name) is None
        ):
            doubts = f"whether {function.name} measures the network is not known"
        return Score(expression, at, better, why, doubts=doubts)
    if function is None:
        return None
    given = returned(function)
    if given:
        expression = "score"
        if len(set(given)) == 1 and "," in given[0] and not given[0].startswith(("{", "dict(", "(")):
            parts = [p.strip() for p in given[0].split(",")]
            expression = f"score[{parts.index(best_of(parts))}]" if best_of(parts) in parts else expression
            better = by_name(best_of(parts))
            why = f"{function.name} returns {given[0]}"
        else:
            better, why = known_better(script, loop, expression, function)
        return Score(expression, at, better, why, call=call)
    metric = printed_metric(function)
    if metric is None or function.script is not script:
        return None
    text, better = metric
    return Score("score", at, better, f"{function.name} prints {text}", call=call, adds=(function, text))


def _opened(
    script: Script, loop: TrainingLoop, name: str, targets: int, function: Function | None
) -> tuple[str, str]:
    """The number in a result that is a dictionary or a tuple: (expression, why it is not certain)."""
    entries = [
        script.code(node)
        for node in script.all(cst.Subscript, loop.body)
        if script.code(node.value) == name and "train" not in script.code(node.slice[0])
    ]
    if named := list(dict.fromkeys(text for text in entries if re.search(r"['\"]", text))):
        kept = [text for text in named if (use := by_use(script, text, loop.body)) and "compares" in use[1]]
        return best_of(kept or named), ""
    if kept := [text for text in dict.fromkeys(entries) if keeps_best(script, text, loop.body)]:
        return kept[0], ""  # if recalls[0] > best
    if targets > 1 or function is None:
        return name, ""
    for node in script.all(cst.Subscript, loop.body):
        if script.code(node.value) == name and isinstance(node.slice[0].slice, cst.Index):
            return name, f"line {script.line(node)} reads {script.code(node)} of it; name one"
    given = returned(function)
    if len(set(given)) != 1:
        several = any(re.match(r"[{(]|dict\(", text) or "," in text for text in given)
        return name, f"{function.name} returns several things" if several else ""
    text = given[0]
    made = [value for names, value in function.script.assignments(function.node.body) if text in names]
    if any(isinstance(value, (cst.Dict, cst.List, cst.Tuple)) for value in made[-1:]):
        return name, f"{function.name} returns several things in {text}; name one"
    if text.startswith("{"):
        keys = re.findall(r"['\"]([\w/@.-]+)['\"]\s*:", text)
        return (
            (f'{name}["{best_of(keys)}"]', "") if keys else (name, "a dictionary; which entry is not known")
        )
    if "," in text and re.fullmatch(r"\(?\s*[\w.]+(\s*,\s*[\w.]+)+\s*\)?", text):
        parts = [part.strip() for part in text.strip("()").split(",")]
        return f"{name}[{parts.index(best_of(parts))}]", ""
    if ".compute(" in text:
        return name, "the result of .compute() may hold several metrics"
    return name, ""


def printed_metric(function: Function) -> tuple[str, bool] | None:
    """The metric that an evaluating function computes and does not return."""
    script = function.script
    found: list[tuple[tuple[int, int], str, bool]] = []
    for node in script.all(cst.BinaryOperation, function.node.body):
        text = script.code(node)
        if COUNTS.fullmatch(text) and not inside_loop(script, node, function.node):
            found.append(((3, 0), text, True))
    for name, statement in bound_in(script, function.node.body):
        way = by_name(name)
        counted = name in ("correct", "corrects") or rank(name)[1] < 0
        if name.isidentifier() and way is not None and not counted:
            settled = not inside_loop(script, statement, function.node)
            found.append(((1 + way, settled), name, way))
    if not found:
        return None
    _, text, way = max(found, key=lambda entry: entry[0])
    return text, way


def _chosen(script: Script, loop: TrainingLoop, metric: str) -> Score:
    """The score that the user names: a variable of the loop, or an expression that begins with one."""
    root = re.split(r"[.\[(]", metric)[0]
    bound = [(name, s) for name, s in bound_in(script, loop.body) if name == root]
    if not bound:
        known = sorted({n for n, _ in bound_in(script, loop.body) if n.isidentifier()})
        raise InputError(
            f"--metric {metric}: nothing in the loop of line {script.line(loop)} assigns {root}; it assigns "
            + (", ".join(known) or "no variable at all")
        )
    at = placed(script, loop, bound[-1][1])
    better, why = known_better(script, loop, metric, None)
    return Score(metric, at, better, why)
