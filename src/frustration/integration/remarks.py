"""What an edit cannot settle in a script: told, with the line, and left to a person."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.loop import TrainingLoop, evaluates, evaluations
from frustration.integration.parts import Parts
from frustration.integration.source import Script, last
from frustration.integration.steps import Step

_PLANNED = re.compile(
    r"Cosine|OneCycle|LinearLR|PolynomialLR|total_steps|num_training_steps|T_max|\.cosine|_linear_"
)


def hand(name: str, reason: str, line: int = 0) -> Step:
    return Step(name, "undecided", reason, line, "hand")


def remarks(script: Script, parts: Parts, loop: TrainingLoop) -> Iterator[Step]:
    """Everything around the training loop that does not survive growth, or ends it too early."""
    yield from _schedulers(script, parts)
    yield from _processes(script)
    yield from _other_optimizers(script, parts)
    yield from _early_ends(script, loop)
    yield from _copies(script)
    yield from _loading(script, loop)
    yield from _test_set(script, loop)
    yield from _precision(script, parts)


def _schedulers(script: Script, parts: Parts) -> Iterator[Step]:
    for statement in parts.schedulers:
        if _PLANNED.search(script.code(statement)):
            yield hand(
                "scheduler",
                "this schedule is planned for a fixed length, and each growth starts it anew: choose the "
                "length "
                "of one round",
                script.line(statement),
            )


def _processes(script: Script) -> Iterator[Step]:
    for call, name in script.calls():
        if last(name) == "init_process_group":
            yield hand(
                "parallel",
                "several processes: every rank has to report the same score, and all have to run in one "
                "folder",
                script.line(call),
            )
        elif last(name) in ("FullyShardedDataParallel", "FSDP", "fully_shard"):
            yield hand(
                "parallel",
                "sharded parameters: whether dendrites can be added to them is not known; try "
                "DistributedDataParallel",
                script.line(call),
            )
    if re.search(r"deepspeed\.initialize\(", script.text):
        yield hand(
            "parallel", "DeepSpeed owns the optimizer: its engine has to be initialized anew after growth"
        )


def _other_optimizers(script: Script, parts: Parts) -> Iterator[Step]:
    for name, network in parts.others:
        yield hand(
            "optimizer",
            f"a second optimizer, {name}{f', trains {network}' if network else ''}: give it to the tracker "
            f"in "
            "set_optimizer_instance(..., additional_optimizers=[...]), and let dendrites grow in one "
            "network only",
        )


def _early_ends(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    for node in script.all(cst.If, loop.body):
        leaves = [
            s
            for s in script.all(cst.SimpleStatementLine, node.body)
            if any(isinstance(small, (cst.Break, cst.Return)) for small in s.body)
            and script.scope(s) is script.scope(loop)
        ]
        test = script.code(node.test)
        if not leaves or re.search(r"complete|restructur", test):
            continue
        if re.search(r"patience|stop|wait|no_improve|bad_epochs|counter", test, re.I):
            yield hand(
                "end",
                "early stopping may come before a dendrite does: give it more patience than "
                "n_epochs_to_switch, or "
                "take it out",
                script.line(node),
            )
        elif re.search(r"max|limit|total|steps|iters|budget|done", test, re.I):
            yield hand(
                "end",
                f"`if {test}` still ends the training, or makes every later epoch short: let it be large",
                script.line(node),
            )


def _copies(script: Script) -> Iterator[Step]:
    for call, name in script.calls():
        if re.search(r"AveragedModel$|\bEMA$|ModelEma\w*$|ExponentialMovingAverage$", name):
            yield hand("rebuild", "this moving average has to be made anew after growth", script.line(call))
            return


def _loading(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    end = script.last_line(loop)
    resumes = False
    for call, name in script.calls():
        if last(name) not in ("load_state_dict", "load_from_checkpoint", "from_pretrained", "load"):
            continue
        if last(name) == "load" and name != "torch.load":
            continue
        optimizer = "optim" in name or "sched" in name or "scaler" in name
        if script.line(call) > end and script.scope(call) is script.scope(loop) and not optimizer:
            yield hand(
                "saving",
                "after training a checkpoint is loaded: it fits only a network that has grown as often; use "
                "the one "
                "at hand, which is the best",
                script.line(call),
            )
            return
        if (
            last(name) == "load_state_dict"
            and re.search(r"resume|checkpoint|ckpt", script.text)
            and not resumes
        ):
            resumes = True
            yield hand(
                "saving",
                "resuming: a checkpoint of a grown network fits only a network that has grown as often "
                "(UPA.load_system)",
                script.line(call),
            )


def _test_set(script: Script, loop: TrainingLoop) -> Iterator[Step]:
    text = script.code(loop) + "".join(
        f.code for _, f in evaluations(script, loop) if f is not None and f.script is script
    )
    text += "".join(f.code for f in script.functions.values() if evaluates(f) and f.name in text)
    tests = re.search(r"\b(test_?loader|test_?data\w*|test_?dl|x_test|X_test|test_set)\b", text)
    other = re.search(
        r"\b(val|valid|validation|dev|eval)(_?(loader|data\w*|set|dl|x|iter))?\b", text.replace(".eval()", "")
    )
    if tests and not other:
        yield hand(
            "score",
            "the test set decides about growth here: split a validation set from the training data",
            script.line(loop),
        )


def _precision(script: Script, parts: Parts) -> Iterator[Step]:
    for call, name in script.calls():
        if name in (f"{parts.model}.double", f"{parts.model}.half", f"{parts.model}.bfloat16"):
            kind = {"double": "float64", "half": "float16", "bfloat16": "bfloat16"}[last(name)]
            yield hand(
                "configuration",
                f"the network is of {kind}: GPA.pc.set_d_type(torch.{kind})",
                script.line(call),
            )
