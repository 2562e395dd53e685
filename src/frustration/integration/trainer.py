"""Scripts with transformers' Trainer: the network is perforated before it, a callback reports its scores."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.checkpoints import pretrained
from frustration.integration.direction import by_name
from frustration.integration.framework import Framework, makers_of, set_keywords
from frustration.integration.looks import unexplained
from frustration.integration.settings import TRANSFORMERS, beside_trainer, settings
from frustration.integration.source import Script, last
from frustration.integration.steps import Report, Step, hand
from frustration.integration.targets import Wishes

EPOCHS = "10_000"


def is_trainer(script: Script) -> bool:
    return any(full.partition(".")[0] == "transformers" for full in script.imports.values()) and bool(
        _trainers(script)
    )


def _trainers(script: Script) -> list[cst.Call]:
    """The calls that make a Trainer, or one of a class derived from it."""
    found = []
    for call, name in script.calls():
        known = last(name)
        if (known.endswith("Trainer") and "." in name and name.startswith(("transformers", "trl"))) or (
            known in script.classes
            and any(last(script.name(base.value)).endswith("Trainer") for base in script.classes[known].bases)
        ):
            found.append(call)
    return found


def trainer(script: Script, wishes: Wishes) -> Report:
    report = Report(
        str(script.path or ""), "transformers Trainer", wishes.described, script.text, script.text
    )
    work = Framework(script, wishes, report)
    call = _trainers(script)[0]
    statement = script.statement(call)
    line = script.line(statement)
    targets = script.targets(statement)
    network = script.argument(call, "model", 0)
    if network is None or not targets:
        reason = "the Trainer gets no network (model_init?), or is kept in no variable"
        work.option("model", line, reason, "make the network before the Trainer: Trainer(model=model)")
        return work.finish()
    name = script.code(network)
    metric, better, why = _metric(script, wishes)
    if wishes.better is not None:
        better, why = wishes.better, "by --better"
    made = [script.statement(v) for v in makers_of(script, name)]
    early = [s for s in made if script.before(s, statement)]
    if not re.fullmatch(r"[\w.]+", name):
        work.option("model", line, f"{name} has no name", "make the network before the Trainer")
        return work.finish()
    work.imports("transformers")
    work.network(name, early[-1] if early else None, statement, False, better)
    work.direction(line, metric, better, why)
    _callback(work, targets[0], metric, better, statement)
    _arguments(work, call, statement)
    _told(work, call)
    making = [c for c, n in script.calls() if last(n).endswith("TrainingArguments") and "Parser" not in n]
    report.steps += settings(work, making, TRANSFORMERS)
    report.steps += beside_trainer(work, name, statement, statement)
    report.steps += _launched(work, making, statement)
    return work.finish()


def _callback(
    work: Framework, variable: str, metric: str, better: bool, statement: cst.BaseStatement
) -> None:
    line = work.script.line(statement) + 1
    if work.has_callback:
        for step in ("optimizer", "scheduler", "score", "rebuild"):
            work.add(step, line, "by the callback")
        return
    made = work.callback(f'{variable}, "{metric}"', f"{variable}.model", better)
    text = f"{variable}.add_callback({made})"
    work.draft.after(statement, text)
    work.add("score", line, f"the callback reports {metric} after every evaluation", [text])
    work.add("optimizer", line, "the callback registers it when training begins", [text])
    work.add("rebuild", line, "by the callback: no fork of transformers is needed", [text])
    work.add("scheduler", line, "the callback makes it anew with the optimizer", [text])


def _arguments(work: Framework, call: cst.Call, statement: cst.BaseStatement) -> None:
    """The trainer's settings: a score after every epoch, no end of its own, no other shape loaded."""
    script = work.script
    given = script.argument(call, "args", 1)
    making = next(
        (
            c
            for c, n in script.calls()
            if last(n).endswith("TrainingArguments") and "Parser" not in n and c.args
        ),
        None,
    )
    wanted = {"eval_strategy": '"epoch"'}
    if work.grows:
        wanted |= {"num_train_epochs": EPOCHS, "save_strategy": '"no"', "load_best_model_at_end": "False"}
    if making is not None:
        _keywords(work, making, wanted)
        return
    if given is None or not re.fullmatch(r"[\w.]+", script.code(given)):
        reason = (
            "the training arguments need eval_strategy='epoch', load_best_model_at_end=False and many epochs"
        )
        work.report.steps.append(hand("end", reason, script.line(statement)))
        return
    name = script.code(given)
    why = {
        "eval_strategy": "a score after every epoch",
        "num_train_epochs": "the library says when it is complete",
        "save_strategy": "the library keeps the best network",
        "load_best_model_at_end": "it may be of another shape",
    }
    lines = [f"{name}.{key} = {value}  # {why[key]}" for key, value in wanted.items()]
    line = script.line(statement)
    if all(text.partition("  #")[0] in script.text for text in lines):
        work.add("end", line, "the arguments evaluate after every epoch")
        if work.grows:
            work.add("saving", line, "no checkpoint of another shape is loaded")
        return
    work.draft.before(statement, "\n".join(lines))
    work.add("end", line, "evaluation after every epoch, and no end of its own", lines[:2])
    if work.grows:
        work.add("saving", line, "no checkpoint of another shape is loaded", lines[2:])


def _keywords(work: Framework, making: cst.Call, wanted: dict[str, str]) -> None:
    """Changes the arguments where they are written."""
    script = work.script
    for old in ("eval_strategy", "evaluation_strategy"):
        value = script.argument(making, old)
        if value is not None and script.code(value).strip("'\"") in ("epoch", "steps"):
            wanted = {k: v for k, v in wanted.items() if k != "eval_strategy"}
    if script.argument(making, "load_best_model_at_end") is None:
        wanted = {k: v for k, v in wanted.items() if k != "load_best_model_at_end"}
    current = {key: script.argument(making, key) for key in wanted}
    todo = {k: v for k, v in wanted.items() if (c := current[k]) is None or script.code(c) != v}
    line = script.line(making)
    if todo:
        work.draft.replaced[id(making)] = set_keywords(making, todo)
    for step, keys in (
        ("end", ("eval_strategy", "num_train_epochs")),
        ("saving", ("save_strategy", "load_best_model_at_end")),
    ):
        if not work.grows and step == "saving":
            continue
        lines = [f"{key}={todo[key]}" for key in keys if key in todo]
        why = {
            "end": "evaluation after every epoch, and no end of its own",
            "saving": "no checkpoint of another shape is loaded; the library keeps the best",
        }
        work.add(step, line, why[step], lines)


def _launched(work: Framework, making: list[cst.Call], statement: cst.BaseStatement) -> Iterator[Step]:
    """How the script is started decides about processes, and the schedule about the length."""
    script = work.script
    look = (
        "whether one process with one GPU runs this: with several (torchrun, or a Trainer that sees several "
        "GPUs) each process needs a save_name of its own"
    )
    yield unexplained(script, script.all(cst.Call, statement)[0], "parallel", look)
    planned = all(script.argument(call, "lr_scheduler_type") is None for call in making)
    if work.grows and planned:
        look = 'whether lr_scheduler_type="constant" is better: the default falls over all epochs allowed'
        yield unexplained(script, making[0] if making else statement, "scheduler", look)


def _metric(script: Script, wishes: Wishes) -> tuple[str, bool, str]:
    """The score of an evaluation, whether higher is better, and how that is known."""
    if wishes.metric:
        name = wishes.metric if wishes.metric.startswith("eval_") else f"eval_{wishes.metric}"
        return name, by_name(name) is not False, "by --metric"
    text = script.text
    if hit := re.search(r"metric_for_best_model\s*=\s*[\"']([\w/]+)[\"']", text):
        name = hit[1] if hit[1].startswith("eval_") else f"eval_{hit[1]}"
        if greater := re.search(r"greater_is_better\s*=\s*(True|False)", text):
            return name, greater[1] == "True", "greater_is_better says so"
        return name, "loss" not in name, "metric_for_best_model names it"
    function = script.functions.get("compute_metrics")
    if function is not None and "compute_metrics=" in text:
        for key in re.findall(r"[\"'](\w+)[\"']\s*:", function.code):
            if (way := by_name(key)) is not None:
                return f"eval_{key}", way, "compute_metrics returns it"
        for call, name in script.calls(function.node):
            metric = (
                _loaded(script, script.code(call.func).rpartition(".")[0]) if last(name) == "compute" else ""
            )
            if (way := by_name(metric)) is not None:
                return f"eval_{metric}", way, f"compute_metrics computes {metric}"
    return "eval_loss", False, "it is what every evaluation gives"


def _loaded(script: Script, name: str) -> str:
    """`accuracy` of `evaluate.load("accuracy")`, also where its name stands in a variable; empty: another."""
    for value in makers_of(script, name):
        if (
            isinstance(value, cst.Call)
            and last(script.name(value.func)) in ("load", "load_metric")
            and value.args
        ):
            given = value.args[0].value
            if isinstance(given, cst.Name):
                given = next(iter(makers_of(script, given.value)), given)
            if isinstance(given, cst.SimpleString):
                return str(given.evaluated_value)
    return ""


def _told(work: Framework, call: cst.Call) -> None:
    script, steps = work.script, work.report.steps
    steps += pretrained(script)
    given = script.argument(call, "optimizers")
    if given is not None and not script.code(given).replace(" ", "").startswith("(None"):
        reason = (
            "optimizers= is an optimizer of this script, made before the network has its dendrites: make it "
            "in create_optimizer of a Trainer of your own, which is called again after growth"
        )
        steps.append(hand("optimizer", reason, script.line(given)))
    if script.called("EarlyStoppingCallback"):
        line = script.line(script.called("EarlyStoppingCallback")[0])
        steps.append(hand("end", "EarlyStoppingCallback may end the training before a dendrite comes", line))
    if "eval_dataset" not in re.sub(r"eval_dataset\W{0,3}[=:]\s*None\b", "", script.text):
        steps.append(
            hand("score", "the Trainer has no eval_dataset, so there is no score", script.line(call))
        )
    for later, name in script.calls():
        if last(name) in ("save_model", "save_pretrained", "push_to_hub") and script.before(call, later):
            reason = "from_pretrained does not know dendrites: it would load new weights without a word"
            steps.append(hand("saving", reason, script.line(later)))
            break
    if re.search(r"resume_from_checkpoint|get_last_checkpoint", script.text):
        steps.append(
            hand("saving", "a checkpoint of a grown network fits only a network that has grown as often")
        )
    if re.search(r"max_steps\s*=\s*[1-9]", script.text):
        steps.append(hand("end", "max_steps ends the training whatever num_train_epochs says"))
