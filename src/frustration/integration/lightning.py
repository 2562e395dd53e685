"""Scripts that use Lightning: the module is perforated, and a callback in its Trainer reports the scores."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.direction import best_of, by_name
from frustration.integration.framework import Framework, makers_of, set_keywords
from frustration.integration.refusals import crowded
from frustration.integration.schedules import PLANNED
from frustration.integration.settings import LIGHTNING, beside_trainer, settings
from frustration.integration.source import Script, last
from frustration.integration.steps import Report, Step, hand
from frustration.integration.targets import Wishes

PACKAGES = ("lightning", "pytorch_lightning")


def is_lightning(script: Script) -> bool:
    imported = any(full.partition(".")[0] in PACKAGES for full in script.imports.values())
    return imported and bool(re.search(r"LightningModule|LightningCLI|\.fit\(", script.text))


def lightning(script: Script, wishes: Wishes) -> Report:
    report = Report(str(script.path or ""), "Lightning", wishes.described, script.text, script.text)
    work = Framework(script, wishes, report)
    trainers = [c for c, n in script.calls() if last(n) == "Trainer"]
    fits = [c for c, n in script.calls() if last(n) == "fit" and c.args]
    if script.called("LightningCLI") or not trainers or not fits:
        line = script.line(script.called("LightningCLI")[0]) if script.called("LightningCLI") else 0
        report.refused = (
            f"LightningCLI (line {line}) makes the module and the Trainer out of sight: call "
            f"perforate_model at the "
            "end of the module's __init__, and pass the callback in trainer_defaults"
            if line
            else "no Trainer that fits a module is made here: give the file that does"
        )
        return report
    call, name = trainers[0], script.code(fits[0].args[0].value)
    made = [script.statement(v) for v in makers_of(script, name) if isinstance(v, (cst.Call, cst.IfExp))]
    made = [s for s in made if script.before(s, fits[0])]
    if refusal := crowded(script, (*made, script.statement(call), script.statement(fits[0]))):
        report.refused = refusal
        return report
    metric, why = _metric(script, wishes)
    line = script.line(call)
    if not metric:
        work.option("score", line, f"nothing is logged in validation: {why}", "--metric NAME")
    better = wishes.better if wishes.better is not None else by_name(metric)
    if better is None:
        reason = "its name does not say" if metric else "there is no score yet"
        reason = f"whether a higher {metric or 'score'} is better: {reason}"
        work.option("direction", line, reason, "--better higher|lower")
    if not made:
        reason = f"where {name}, the module that is fitted, is made was not found"
        work.option("model", script.line(fits[0]), reason, "make it in a variable before the Trainer fits it")
        return work.finish()
    work.imports("lightning")
    work.network(name, made[-1], made[-1], True, better)
    if better is not None:
        work.direction(line, metric, better, why)
    _callback(work, call, name, metric or "NAME", better)
    _told(work)
    report.steps += settings(work, trainers, LIGHTNING)
    report.steps += beside_trainer(work, name, fits[0], made[-1])
    return work.finish()


def _callback(work: Framework, call: cst.Call, network: str, metric: str, better: bool | None) -> None:
    script = work.script
    line = script.line(call)
    if work.has_callback:
        for step in ("end", "score", "optimizer", "scheduler", "rebuild"):
            work.add(step, line, "by the callback")
        return
    called = f'"{metric}"'
    if not work.grows and (inner := _called(script)):
        called += f', network="{inner}"'
    made = work.callback(called, network, better)
    given = script.argument(call, "callbacks")
    text = script.exact(given) if given is not None else "[]"
    if text.startswith("["):
        inside = text[1:].lstrip()
        joined = f"[{made}]" if inside == "]" else f"[{made}, {inside}"
    else:
        joined = f"[{made}, *({text} or [])]" if " " in text else f"[{made}, *{text}]"
    ends = {"max_epochs": "-1"} if work.grows else {}
    work.draft.replaced[id(call)] = set_keywords(call, {"callbacks": joined, **ends})
    if work.grows:
        work.add("end", line, "growth says when it is complete", ["max_epochs=-1"])
    else:
        work.add("end", line, "the Trainer ends the training; the callback then restores the best network")
    work.add("score", line, f"the callback reports {metric} after every validation", [f"callbacks={joined}"])
    work.add("optimizer", line, "the callback registers it when training begins", [f"callbacks={joined}"])
    work.add("rebuild", line, "the callback asks configure_optimizers again", [f"callbacks={joined}"])
    if re.search(r"[Ss]chedul|LR\(|^$", _optimizers(script)):
        work.add("scheduler", line, "configure_optimizers makes it anew", [f"callbacks={joined}"])


def _called(script: Script) -> str:
    """The one module of the LightningModule that its training_step calls; empty: the module itself."""
    for function in script.all(cst.FunctionDef):
        if function.name.value == "training_step":
            names = [script.code(call.func) for call, _ in script.calls(function.body)]
            inner = {n[5:] for n in names if re.fullmatch(r"self\.(model|net|network|encoder|backbone)", n)}
            return inner.pop() if len(inner) == 1 and "self" not in names else ""
    return ""


def _optimizers(script: Script) -> str:
    """The text of configure_optimizers, here or in a file beside this one; empty: it is elsewhere."""
    for one in (script, *script.neighbours()):
        for function in one.all(cst.FunctionDef):
            if function.name.value == "configure_optimizers":
                return one.code(function)
    return ""


def _metric(script: Script, wishes: Wishes) -> tuple[str, str]:
    """The name under which a validation logs its score."""
    if wishes.metric:
        return wishes.metric, "by --metric"
    logged = []
    inside = [(one, call) for one in (script, *script.neighbours()) for call in one.called("log", "log_dict")]
    for one, call in inside:
        if not call.args:
            continue
        scope = one.scope(call)
        names = re.findall(r"[\"']([\w/.-]+)[\"']", one.code(call.args[0].value))
        validation = scope is not None and "valid" in scope.name.value
        logged += [n for n in names if validation or re.search(r"val|valid|dev", n)]
    for call in script.called("ModelCheckpoint", "EarlyStopping"):
        monitor = script.argument(call, "monitor", 0)
        watched = script.code(monitor).strip("'\"") if monitor is not None else ""
        if watched in logged or (
            not logged and re.fullmatch(r"(val|valid|validation|dev|eval)[/_]\w+", watched)
        ):
            return watched, f"{last(script.name(call.func))} watches it"
    if not logged:
        return "", 'log the score in validation_step: self.log("val_acc", ...)'
    return best_of(logged), "its name says so"


def _told(work: Framework) -> None:
    script, steps = work.script, work.report.steps
    for call in script.called("EarlyStopping"):
        steps.append(
            hand("end", "EarlyStopping may end the training before a dendrite comes", script.line(call))
        )
    for call, name in script.calls():
        path, owner = script.argument(call, "ckpt_path"), script.code(call.func).rpartition(".")[0]
        best = path is not None and "best" in script.code(path)
        if path is None and re.search(r"[tT]rainer$", owner):
            best = script.argument(call, "model", 0) is None  # then Lightning takes the best checkpoint
        if last(name) == "load_from_checkpoint" or (last(name) in ("test", "validate", "predict") and best):
            reason = "a checkpoint of a grown network fits no fresh module: use the module at hand"
            steps.append(hand("saving", reason, script.line(call)))
    fits = [call for call, name in script.calls() if last(name) == "fit" and call.args]
    if len(fits) > 1:
        reason = f"the Trainer fits {len(fits)} times here: only the first module gets its dendrites"
        steps.append(hand("model", reason, script.line(fits[1])))
    if PLANNED.search(_optimizers(script)):
        reason = "the schedule is planned for a number of steps, and max_epochs=-1 has none: choose it"
        steps.append(hand("scheduler", reason, script.line(fits[0]) if fits else 0))
    for call, name in script.calls():
        if last(name) == "Trainer" and re.search(r"max_steps\s*=|max_time\s*=", script.code(call)):
            steps.append(hand("end", "max_steps or max_time still ends the training", script.line(call)))
        several = last(name) in ("DDPStrategy", "FSDPStrategy", "DeepSpeedStrategy") or (
            last(name) == "Trainer"
            and re.search(
                r"(devices|gpus)\s*=\s*\[?([2-9]|-1)|strategy\s*=\s*[\"'](ddp|fsdp|deepspeed)",
                script.code(call),
            )
        )
        if several:
            reason = (
                "several processes: DDP has to find unused parameters (strategy="
                "'ddp_find_unused_parameters_true'), and each needs a save_name of its own, without RANK in "
                "the environment; sharded parameters are not supported"
            )
            steps.append(hand("parallel", reason, script.line(call)))
    steps += _modules(script)


def _modules(script: Script) -> Iterator[Step]:
    """What a LightningModule decides itself: its own steps of the optimizer, several optimizers."""
    for names, value in script.assignments():
        if "self.automatic_optimization" in names and script.code(value) == "False":
            reason = "the module steps its optimizer itself: see that it asks self.optimizers() every time"
            yield hand("rebuild", reason, script.line(value))
    text = _optimizers(script)
    if len(re.findall(r"\b(?:optim\.)?(?:Adam\w*|SGD|RMSprop)\(", text)) > 1 and re.search(
        r"return\s*[\[(]?\s*\w+\s*,\s*\w*opt", text
    ):
        yield hand("optimizer", "configure_optimizers makes several optimizers: the library knows one")
