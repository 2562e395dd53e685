"""The end of a training loop: the library says when it is complete, and a counted loop would end before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import libcst as cst

from frustration.integration.imports import add_imports
from frustration.integration.loop import TrainingLoop, inside_loop
from frustration.integration.present import score_statement
from frustration.integration.source import Script, last
from frustration.integration.steps import Step

if TYPE_CHECKING:
    from frustration.integration.plain import Plain

ENDLESS = 1000
"""Epochs. A loop of so many is left as it is."""


FAR = "1_000_000_000"
"""Instead of the number of epochs in a progress bar that counts them."""


def edit_end(plain: Plain, loop: TrainingLoop) -> None:
    """Lets a loop run until the library is complete."""
    script = plain.script
    line = script.line(loop)
    _stop_on_completion(plain)
    if isinstance(loop, cst.While):
        _endless_while(plain, loop)
        return
    counted = next((c for c, n in script.calls(loop.iter) if last(n) in ("range", "trange")), None)
    if counted is None and isinstance(loop.iter, cst.Name):
        counted = _counted_before(script, loop, loop.iter.value)
    if counted is None:
        if "count(" in script.code(loop.iter):
            plain.add(Step("end", "done", "the loop has no end of its own", line))
        else:
            reason = "this loop ends by itself: let it run until training is complete"
            plain.add(Step("end", "undecided", reason, line, "hand"))
        return
    bounds = [script.code(a.value) for a in counted.args if a.keyword is None]
    stop = bounds[1] if len(bounds) > 1 else bounds[0] if bounds else ""
    digits = stop.replace("_", "")
    if digits.isdigit() and int(digits) >= ENDLESS:
        plain.add(Step("end", "done", f"{stop} epochs are more than it takes", line))
        return
    start = bounds[0] if len(bounds) > 1 and bounds[0] != "0" else ""
    text = f"itertools.count({start})"
    if last(script.name(counted.func)) == "trange":
        rest = [script.code(a) for a in counted.args if a.keyword is not None]
        begin = [start] if start else []
        text = f"{script.code(counted.func)}({', '.join([*begin, FAR, *rest])})"
    reason = f"{script.code(counted)} would end the training; growth says when it is complete"

    def write() -> None:
        plain.draft.replace(counted, text)
        if "itertools." in text and "itertools" not in script.imports:
            add_imports(plain.draft, ["import itertools"])

    plain.edit("end", line, reason, [text], write)


def _counted_before(script: Script, loop: cst.For, name: str) -> cst.Call | None:
    """`epochs = tqdm(range(n))` before the loop."""
    found = [
        value
        for names, value in script.assignments()
        if names == [name] and script.before(value, loop) and script.scope(value) is script.scope(loop)
    ]
    calls = script.calls(found[-1]) if found else ()
    return next((c for c, n in calls if last(n) in ("range", "trange")), None)


def _endless_while(plain: Plain, loop: cst.While) -> None:
    line, test = plain.script.line(loop), plain.script.code(loop.test)
    if test in ("True", "1"):
        plain.add(Step("end", "done", "the loop has no end of its own", line))
    elif isinstance(loop.test, cst.Comparison) and isinstance(
        loop.test.comparisons[0].operator, (cst.LessThan, cst.LessThanEqual)
    ):
        reason = f"`while {test}` would end the training; growth says when it is complete"
        plain.edit("end", line, reason, ["while True:"], lambda: plain.draft.replace(loop.test, "True"))
    else:
        reason = f"`while {test}`: let it run until training is complete"
        plain.add(Step("end", "undecided", reason, line, "hand"))


def _stop_on_completion(plain: Plain) -> None:
    """Where the library reports completion and nothing listens."""
    present = plain.present
    if not present.scores or present.ends:
        return
    call = present.scores[0]
    statement, targets = score_statement(plain.script, call)
    if len(targets) != 3:
        return
    if not inside_loop(plain.script, statement, plain.script.body(plain.script.scope(statement))):
        reason = (
            f"{targets[2]} has to end the loop: return it from this function, and break where it is called"
        )
        plain.add(Step("end", "undecided", reason, plain.script.line(call), "hand"))
    else:
        lines = [f"if {targets[2]}:", "    break"]
        plain.edit(
            "end",
            plain.script.line(call) + 1,
            f"{targets[2]} ends the training",
            lines,
            lambda: plain.draft.after(statement, "\n".join(lines)),
        )
