"""What a script saves and loads, and what of it does not fit a network that has grown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.loop import TrainingLoop, leading_to
from frustration.integration.optimizers import original
from frustration.integration.parts import Parts
from frustration.integration.source import Script, last
from frustration.integration.steps import Step, hand

_LOADS = ("load_state_dict", "load_from_checkpoint", "from_pretrained")
_SNAPSHOT = re.compile(r"resume|checkpoint|ckpt|snapshot|torch\.save\(")


def checkpoints(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """At most one remark on loading after training, one on resuming, and one on `save_pretrained`."""
    yield from pretrained(script)
    ends = [(script.scope(n), script.last_line(n)) for n in (loop, *leading_to(script, loop))]
    after = [
        call
        for call, name in script.calls()
        if any(script.scope(call) is scope and script.line(call) > end for scope, end in ends)
        and (_loads(script, call, name, parts) or _loads_inside(script, call, parts))
    ]
    if after:
        reason = (
            "after training a checkpoint is loaded: it fits only a network that has grown as often; use the "
            "one at hand, which is the best"
        )
        yield hand("saving", reason, script.line(after[0]))
        return
    for call, name in script.calls():
        if _before_dendrites(script, call, parts) and "torch.save(" not in script.text:
            continue  # what is loaded was not saved here, and so it has not grown
        resumes = last(name) != "from_pretrained" and _loads(script, call, name, parts)
        if resumes and _SNAPSHOT.search(script.text):
            reason = (
                "resuming: a checkpoint of a grown network fits only a network that has grown as often "
                "(UPA.load_system)"
            )
            yield hand("saving", reason, script.line(call))
            return


def _before_dendrites(script: Script, call: cst.Call, parts: Parts) -> bool:
    """Whether a load is over when the network gets its dendrites."""
    resumes = any(
        isinstance(outer, cst.If) and re.search(r"resum|ckpt|checkpoint|restore", script.code(outer.test))
        for outer in script.around(call)
    )
    if parts.created is None or resumes:
        return False
    if script.scope(call) is script.scope(parts.created):
        return script.line(call) <= script.last_line(parts.created)
    makers = [script.callee(maker) for maker, _ in script.calls(parts.created)]
    return any(maker is not None and maker.node is script.scope(call) for maker in makers)


def pretrained(script: Script) -> Iterator[Step]:
    """`save_pretrained` and `save_model`: what they write is read again without a word, and wrongly."""
    for call, name in script.calls():
        owner = script.code(call.func).rpartition(".")[0].lower()
        if owner in {*script.imports} or script.callee(call):  # misc.save_model(...), or one of its own
            continue
        if last(name) in ("save_pretrained", "save_model") and not re.search(r"token|processor", owner):
            reason = (
                "from_pretrained reads a grown network with new weights and no error: save it with "
                "UPA.save_system, or leave it out"
            )
            yield hand("saving", reason, script.line(call))
            return


def _loads(script: Script, call: cst.Call, name: str, parts: Parts) -> bool:
    """Whether a call loads a network."""
    mine = {parts.model, *parts.aliases}
    model = any(original(script, script.code(argument.value)) in mine for argument in call.args)
    if model and re.search(
        r"(load|resume|restore)_?(checkpoint|ckpt|snapshot|model|weights)", last(name), re.I
    ):
        return True
    owner = script.code(call.func).rpartition(".")[0]
    if original(script, owner) in mine and last(name) in (
        "load",
        "load_weights",
        "load_checkpoint",
        "restore",
    ):
        return True
    if last(name) in _LOADS:
        return not re.search(r"optim|sched|scaler|token|processor|config", name.lower())
    if name != "torch.load":
        return False
    statement = script.statement(call)
    targets = [] if isinstance(statement, (cst.If, cst.For, cst.With)) else script.targets(statement)
    return parts.model in targets or any(
        re.search(r"checkpoint|ckpt|snapshot|state", target) for target in targets
    )


def _loads_inside(script: Script, call: cst.Call, parts: Parts) -> bool:
    """`model_load(path)`, a function of this script that loads."""
    function = script.callee(call)
    return (
        function is not None
        and function.script is script
        and any(_loads(script, inner, name, parts) for inner, name in script.calls(function.node.body))
    )
