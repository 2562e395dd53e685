"""Several processes: a folder for each, the same score in all, and a wrapper that knows of unused copies."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.draft import Draft
from frustration.integration.imports import add_imports
from frustration.integration.loop import Score, TrainingLoop
from frustration.integration.parts import DISTRIBUTED, WRAPPERS, Parts
from frustration.integration.source import Script, Statement, last
from frustration.integration.steps import Step, hand

UNUSED = "find_unused_parameters=True"
_GATHERS = re.compile(r"\b(gather\w*|all_reduce|reduce|all_gather\w*|broadcast\w*)\(")
_FIRST = re.compile(
    r"is_(local_)?main_process|is_master|master_process|is_main|rank\w*(\(\))?\s*==\s*0|is_rank_?0"
)


def accelerated(script: Script, parts: Parts) -> str:
    """The variable of the Accelerator that prepares the network; empty: none does."""
    if parts.prepared is None or not any(full.startswith("accelerate") for full in script.imports.values()):
        return ""
    owner, _, method = script.code(script.all(cst.Call, parts.prepared)[0].func).rpartition(".")
    return owner if method == "prepare" else ""


def several(script: Script, parts: Parts) -> bool:
    """Whether several processes may run the script; with accelerate its launcher decides."""
    distributed = any(last(script.name(call.func)) in DISTRIBUTED for call in parts.wrappings)
    return distributed or bool(accelerated(script, parts))


def ddp(script: Script, draft: Draft, call: cst.Call) -> Step:
    """DDP, or the settings that accelerate makes it with."""
    line = script.line(call)
    given = script.argument(call, "find_unused_parameters")
    if given is not None and script.code(given) == "False":
        draft.replace(given, "True")
        reason = "the library's unused copies have no gradient, and DDP would wait for it"
        return Step("parallel", "wrong", reason, line, "edit", (UNUSED,))
    if given is None:
        draft.append_argument(call, UNUSED)
        reason = "the library's unused copies have no gradient: without this DDP waits for it"
        return Step("parallel", "missing", reason, line, "edit", (UNUSED,))
    return Step("parallel", "done", "DDP knows that some parameters are unused", line)


def accelerate(script: Script, draft: Draft) -> Iterator[Step]:
    """The Accelerator wraps the network in DDP as soon as `accelerate launch` starts several processes."""
    handlers = script.called("DistributedDataParallelKwargs")
    makers = script.called("Accelerator")
    if handlers:
        yield ddp(script, draft, handlers[0])
        return
    made = makers[0] if len(makers) == 1 else None
    known = made is not None and not any(argument.star for argument in made.args)
    if made is None or not known or script.argument(made, "kwargs_handlers") is not None:
        reason = (
            f"several processes: give the Accelerator DistributedDataParallelKwargs({UNUSED}) among its "
            "kwargs_handlers; the library's unused copies have no gradient"
        )
        yield hand("parallel", reason, script.line(made) if made is not None else 0)
        return
    argument = f"kwargs_handlers=[DistributedDataParallelKwargs({UNUSED})]"
    draft.append_argument(made, argument)
    if "DistributedDataParallelKwargs" not in script.imports:
        add_imports(draft, ["from accelerate import DistributedDataParallelKwargs"])
    reason = "with several processes this wraps the network in DDP, which waits for unused copies otherwise"
    yield Step("parallel", "missing", reason, script.line(made), "edit", (argument,))


def ranks_taken_too_early(script: Script, place: Statement) -> Iterator[Step]:
    """Where each process has its folder by its rank: a rank that is not known yet, or is asked for again."""
    for call, name in script.calls():
        same = script.scope(call) is script.scope(place)
        if last(name) in ("init_process_group", "Accelerator") and same and script.before(place, call):
            reason = "here the processes get their ranks, and each needs its own before it has dendrites"
            yield hand("parallel", reason, script.line(call))
    end = script.last_line(place)
    for node in script.all(cst.SimpleString):
        if node.value.strip("\"'") == "RANK" and script.line(node) > end:
            reason = "RANK may be gone here: the library's lines took it from the environment"
            yield hand("parallel", reason, script.line(node))


def processes(script: Script, parts: Parts, loop: TrainingLoop, score: Score | None) -> Iterator[Step]:
    """What an edit cannot settle between several processes."""
    same = "several processes: every rank has to report the same score, so that all grow together"
    for call, name in script.calls():
        if last(name) == "init_process_group":
            yield hand("parallel", same, script.line(call))
        elif last(name) in ("FullyShardedDataParallel", "FSDP", "fully_shard"):
            reason = (
                "sharded parameters: whether dendrites can be added to them is not known; try "
                "DistributedDataParallel"
            )
            yield hand("parallel", reason, script.line(call))
    wrapped = [call for call in parts.wrappings if last(script.name(call.func)) in DISTRIBUTED]
    if wrapped and not script.called("init_process_group"):  # they are started in another file
        yield hand("parallel", same, script.line(wrapped[0]))
    for call, _ in script.calls(parts.created) if parts.created is not None else ():
        maker = script.callee(call)
        if maker is not None and any(last(n) in WRAPPERS for _, n in maker.script.calls(maker.node.body)):
            reason = f"{maker.name} wraps the network, and it has to get its dendrites before: do it in there"
            yield hand("parallel", reason, script.line(call))
    if accelerated(script, parts) and not _GATHERS.search(script.text):
        yield hand("parallel", f"{same} (gather_for_metrics)", script.line(score.at if score else loop))
    if score is not None and several(script, parts):
        for outer in script.around(score.at):
            if outer is loop:
                break
            if isinstance(outer, cst.If) and _FIRST.search(script.code(outer.test)):
                reason = (
                    f"`if {script.code(outer.test)}`: only one process has this score, and all have to "
                    "report it: evaluate in every process"
                )
                yield hand("score", reason, script.line(outer))
    if hit := re.search(r"fsdp_plugin|FullyShardedDataParallelPlugin|fsdp_config", script.text):
        reason = "FSDP shards the parameters: whether dendrites can be added to them is not known"
        yield hand("parallel", reason, script.text[: hit.start()].count("\n") + 1)
    if re.search(r"deepspeed\.initialize\(", script.text):
        reason = "DeepSpeed owns the optimizer: its engine has to be initialized anew after growth"
        yield hand("parallel", reason)
    for call, name in script.calls():
        devices = script.argument(call, "devices", 2)
        if last(name) == "Fabric" and (devices is None or script.code(devices) != "1"):
            reason = (
                "with several devices: strategy='ddp_find_unused_parameters_true', for each process a "
                "save_name of its own without RANK in the environment, and fabric.setup again after growth"
            )
            yield hand("parallel", reason, script.line(call))
