"""Scripts that are not edited at all, and the sentence that says why."""

from __future__ import annotations

import re
from collections.abc import Iterable

import libcst as cst

from frustration.integration.optimizers import OPTIMIZERS
from frustration.integration.parts import Parts, find_parts
from frustration.integration.source import Script, last

_ADVERSARIAL = re.compile(r"(^|_|net|model|opt\w*|optimizer)_?[dg]$|disc|gener|critic|actor|advers", re.I)


ENGINES = ("ignite", "fastai", "skorch", "composer", "catalyst", "mmengine", "ultralytics", "keras")
"""Packages that run the training loop of a script."""


def engine(script: Script) -> str:
    """A loop that somebody else's package runs; empty where there is none."""
    for full in script.imports.values():
        if (package := full.partition(".")[0]) in ENGINES:
            return (
                f"the training loop is in {package}, and not in this script: report the score in one of its "
                "handlers after every evaluation, to Growth of frustration.loops (docs/loops.md)"
            )
    return ""


def without_optimizer(script: Script) -> str:
    """Nothing is trained here."""
    if refusal := engine(script):
        return refusal
    for call, name in script.calls():
        made = last(name) in OPTIMIZERS or name.startswith("torch.optim.")
        if made and isinstance(script.parent(call), cst.Arg) and "lr_scheduler" not in name:
            return (
                f"line {script.line(call)} makes the optimizer inside of a call: give it a name in a line "
                "before, so that it can be made anew"
            )
    beside = [s for s in script.neighbours() if find_parts(s) is not None]
    if beside:
        where = ", ".join(str(s.path) for s in beside)
        return f"no optimizer is made in this script; {where} makes one: give that file"
    return "no optimizer is made in this script: give the file that trains"


def crowded(script: Script, statements: Iterable[cst.CSTNode | None], *blocks: cst.CSTNode | None) -> str:
    """A line that an edit cannot take apart; empty where every statement has a line of its own."""
    for node in statements:
        if isinstance(node, cst.SimpleStatementLine) and len(node.body) > 1:
            return f"line {script.line(node)} holds several statements: give each a line of its own"
    for node in blocks:
        if isinstance(getattr(node, "body", None), cst.SimpleStatementSuite) and node is not None:
            return f"line {script.line(node)} holds a block and its statements: give each a line of its own"
    return ""


def adversarial(script: Script, parts: Parts) -> str:
    """Networks that are trained against each other; empty where none are."""
    rivals = [(name, network) for name, network in parts.others if network and network != parts.model]
    names = [parts.model, parts.optimizer_name, *(n for pair in rivals for n in pair)]
    if not rivals or sum(bool(_ADVERSARIAL.search(n)) for n in names) < 2:
        return ""
    pairs = [(parts.optimizer_name, parts.model), *rivals]
    return (
        "networks are trained against each other here ("
        + ", ".join(f"{network} by {name}" for name, network in sorted(pairs))
        + "): no validation score says which of them should grow, so nothing is edited; "
        "--model-variable chooses "
        "one, and --metric its score"
    )
