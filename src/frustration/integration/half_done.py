"""A training loop that reports its score already, and what is missing or wrong about it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration import library
from frustration.integration.draft import indented
from frustration.integration.loop import Score
from frustration.integration.present import score_statement
from frustration.integration.processes import several
from frustration.integration.rebuild import Rebuild
from frustration.integration.source import Script, Statement, last
from frustration.integration.steps import Step, hand
from frustration.integration.wrapped import made_again

if TYPE_CHECKING:
    from frustration.integration.loop_edits import LoopEdits


def complete(edits: LoopEdits, score: Score, rebuild: Rebuild | None) -> None:
    """What of the block is missing where the score is reported already."""
    script, present = edits.script, edits.plain.present
    call = present.scores[0]
    statement, targets = score_statement(script, call)
    line = script.line(call)
    if not targets:
        _unused_result(edits, statement, call, rebuild)
        return
    if len(targets) != 3:
        reason = f"three values come back, not {len(targets)}: network, restructured, training_complete"
        edits.plain.add(Step("score", "wrong", reason, line, "hand"))
    elif _swapped(script, call, edits.plain.parts.model):
        reason = "the score comes first, then the network"
        first, second = (script.code(a.value) for a in call.args[:2])
        edits.draft.replace(call.args[0].value, second)
        edits.draft.replace(call.args[1].value, first)
        edits.plain.add(
            Step("score", "wrong", reason, line, "edit", (f"add_validation_score({second}, {first})",))
        )
    else:
        edits.plain.add(Step("score", "done", f"{score.expression} is reported", line))
    grown = targets[1] if len(targets) == 3 else "restructured"
    if present.rebuilds:
        _check_rebuild(edits, present.rebuilds[0])
    elif rebuild is not None and rebuild.every_time:
        edits.rebuilt(rebuild, line)
    elif rebuild is not None:
        body = _body(edits, rebuild)
        text = "\n".join([f"if {grown}:  # it has grown: another optimizer", *indented(body)])
        edits.draft.after(statement, text, rebuild.copies)
        edits.rebuilt(rebuild, line + 1)
        _wrappers(edits, line)


def _check_rebuild(edits: LoopEdits, node: cst.If) -> None:
    script = edits.script
    line = script.line(node)
    calls = [last(name) for _, name in script.calls(node)]
    if {"set_optimizer_instance", "setup_optimizer"} & set(calls):
        edits.plain.add(Step("rebuild", "done", "a new optimizer after growth", line))
        if edits.plain.parts.schedulers:
            edits.plain.add(Step("scheduler", "done", "made with the optimizer, or the library's own", line))
        return
    name = edits.plain.parts.optimizer_name
    makes = name in script.targets(node)
    if makes:
        text = library.register(edits.plain.present, name)
        edits.draft.after(list(node.body.body)[-1], text)  # type: ignore[arg-type]
        reason = "the new optimizer is not registered: the next score ends in an AttributeError"
        edits.plain.add(Step("rebuild", "wrong", reason, line, "edit", (text,)))
    else:
        edits.plain.add(Step("rebuild", "wrong", "no new optimizer is made after growth", line, "hand"))


def _unused_result(edits: LoopEdits, statement: Statement, call: cst.Call, rebuild: Rebuild | None) -> None:
    script = edits.script
    reason = "what comes back is thrown away: neither growth nor the end is noticed"
    line = script.line(call)
    if rebuild is None or rebuild.every_time or not isinstance(statement, cst.SimpleStatementLine):
        edits.plain.add(Step("score", "wrong", reason, line, "hand"))
        return
    first = f"{rebuild.network}, restructured, training_complete = {script.exact(call)}"
    edits.draft.replace_statement(statement, first)
    body = _body(edits, rebuild)
    lines = ["if training_complete:", "    break", "if restructured:  # it has grown", *indented(body)]
    edits.draft.after(statement, "\n".join(lines), rebuild.copies)
    edits.plain.present.ends = edits.plain.present.ends or [cst.If(cst.Name("x"), cst.IndentedBlock([]))]
    edits.plain.add(Step("score", "wrong", reason, line, "edit", (first,)))
    edits.rebuilt(rebuild, line + 1)
    _wrappers(edits, line)


def _body(edits: LoopEdits, rebuild: Rebuild) -> list[str]:
    """The new optimizer, and the tracker told of it."""
    again = made_again(edits.script, edits.plain.parts, rebuild)
    return [*again, library.register(edits.plain.present, rebuild.optimizer)]


def _wrappers(edits: LoopEdits, line: int) -> None:
    if several(edits.script, edits.plain.parts):
        reason = "report the network without its wrapper, and wrap it again after growth"
        edits.plain.add(hand("parallel", reason, line))


def _swapped(script: Script, call: cst.Call, model: str) -> bool:
    if len(call.args) < 2:
        return False
    first, second = (script.code(a.value) for a in call.args[:2])
    named = re.compile(r"\b(model|net|network)\b")
    return (first == model or bool(named.search(first))) and not (
        second == model or bool(named.search(second))
    )
