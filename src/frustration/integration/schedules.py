"""Learning rates that do not survive growth: schedules of a fixed length, of a project's own, set by hand."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.axes import class_of
from frustration.integration.loop import TrainingLoop, running_in
from frustration.integration.parts import Parts
from frustration.integration.source import Function, Script, last
from frustration.integration.steps import Step, hand

PLANNED = re.compile(
    r"Cosine|OneCycle|LinearLR|PolynomialLR|total_steps|num_training_steps|T_max|Poly\w*LR|total_\w+|max_it\w*|\.cosine|_linear_|stepping_batches"
)


def schedulers(script: Script, parts: Parts) -> Iterator[Step]:
    for statement in parts.schedulers:
        makers = [(call, script.callee(call)) for call, _ in script.calls(statement)]
        texts = [script.code(statement), *(f.code for _, f in makers if f is not None)]
        owned = next((c for c, _ in makers if class_of(script, script.code(c.func)) is not None), None)
        if any(PLANNED.search(text) for text in texts):
            reason = (
                "this schedule is planned for a fixed length, and each growth starts it anew: choose the "
                "length of one round"
            )
            yield hand("scheduler", reason, script.line(statement))
        elif owned is not None:
            name = script.code(owned.func)
            reason = f"{name} is a schedule of this project: see that it begins anew after growth"
            yield hand("scheduler", reason, script.line(statement))
    names = parts.scheduler_names(script)
    for call, _ in script.calls():
        name = script.code(call.func).removesuffix(".step")
        counted = [a for a in call.args if re.match(r"epoch\b", script.code(a.value))]
        if name in names and counted:
            reason = (
                "this counts epochs from the first one, also after growth, when the schedule is a new one"
            )
            yield hand("scheduler", reason, script.line(call))
            return


def rates(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """A learning rate that the script sets itself, here or in a function that the loop calls."""
    call = next(iter(script.all(cst.Call, parts.optimizer)), None)
    rate = script.argument(call, "lr") if call is not None else None
    set_here = [script.line(node) for node in _sets_rate(script, None)]
    if rate is not None and re.search(r"\bepoch\b", script.code(rate)):
        set_here.append(script.line(rate))
    inside = set(running_in(script, loop))
    for call, name in script.calls():
        scope = script.scope(call)
        if not script.holds(loop.body, call) and (scope is None or id(scope) not in inside):
            continue
        function = script.callee(call)
        elsewhere = function is not None and function.script is not script
        if _adjusts(script, call, name) or (function is not None and elsewhere and _rates_within(function)):
            set_here.append(script.line(call))
    if set_here:
        reason = (
            "the learning rate is set by hand here, as if the network had not grown: let it begin anew "
            "after growth"
        )
        yield hand("scheduler", reason, set_here[0])


def _sets_rate(script: Script, within: cst.CSTNode | None) -> list[cst.CSTNode]:
    """`group["lr"] = ...`"""
    return [
        node
        for node in script.all((cst.AssignTarget, cst.AugAssign), within)
        if re.search(r"(group|param)\S*\[['\"]lr['\"]\]$", script.code(node.target))  # type: ignore[attr-defined]
    ]


_ADJUSTS = re.compile(
    r"(adjust|update|set|change|decay|warm\w*|poly|step|cosine|exp)_?\w*(lr|learning_?rate)|"
    r"^lr_?(adjust|update|decay|poly|step|policy)|sched\w*(\.step)?$",
    re.I,
)


def _adjusts(script: Script, call: cst.Call, name: str) -> bool:
    """`adjust_lr(optimizer, epoch)`, `scheduler(optimizer, i, epoch, best)`: nothing is made by them."""
    given = any(re.search(r"optim|(^|_)opt$", script.code(argument.value)) for argument in call.args)
    made = isinstance(script.parent(call), (cst.Assign, cst.Return))
    return given and not made and _ADJUSTS.search(last(name.removesuffix(".step"))) is not None


def _rates_within(function: Function) -> bool:
    """Whether a function of another file sets the learning rate of an optimizer that it is given."""
    script, body = function.script, function.node.body
    return bool(_sets_rate(script, body)) or any(_adjusts(script, c, name) for c, name in script.calls(body))
