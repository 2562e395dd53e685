"""What is wrong with an integration of perforatedai: old names, ignored settings, lost results."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from frustration.integration.names import (
    EXTRA_SCORE,
    FUNCTIONS_RENAMED,
    LICENSED_ONLY,
    MODES_RENAMED,
    NO_MODES,
    NOT_SETTINGS,
    PERFORATE,
    SCORE,
    SETTINGS,
    SETTINGS_RENAMED,
    nearest_setting,
)
from frustration.integration.source import Script, last
from frustration.integration.steps import Step

REPAIRS = "`frustration perforate repair` renames it"
_LIBRARY = re.compile(r"^(GPA|UPA|PBG|PBU|PBM|PA)\b|perforatedai")
_KEPT = frozenset({"pc", "pai_tracker", "param_name_by_id"})


def findings(script: Script) -> list[Step]:
    """The findings, as steps that are wrong; nothing where the script does not know the library."""
    if not re.search(r"perforatedai|PAITOKEN|perforated", script.text):
        return []
    found = [
        *_names(script),
        *_settings(script),
        *_calls(script),
        *_order(script),
        *_swallowed(script),
        *_token(script),
    ]
    unique = {(step.name, step.line, step.reason): step for step in found}
    return list(unique.values())


def wrong(name: str, line: int, reason: str) -> Step:
    return Step(name, "wrong", reason, line, "hand")


def is_library(script: Script, node: cst.CSTNode) -> bool:
    """Whether an expression is the library, or something of it."""
    return bool(_LIBRARY.search(script.code(node)) or _LIBRARY.search(script.name(node)))


def _names(script: Script) -> Iterator[Step]:
    for statement in script.all(cst.ImportFrom):
        if statement.module is None or not script.code(statement.module).startswith("perforatedai"):
            continue
        for alias in statement.names if not isinstance(statement.names, cst.ImportStar) else ():
            name = script.code(alias.name)
            if name in FUNCTIONS_RENAMED:
                reason = f"{name} is a name of version 1: it is {FUNCTIONS_RENAMED[name]}; {REPAIRS}"
                yield wrong("imports", script.line(statement), reason)
    for node in script.all(cst.Attribute):
        name = node.attr.value
        if not is_library(script, node.value):
            continue
        if name in FUNCTIONS_RENAMED:
            step = (
                "score" if name in (*SCORE, *EXTRA_SCORE) else "optimizer" if "ptimizer" in name else "model"
            )
            reason = f"{name} does not exist in 3.2.9: it is {FUNCTIONS_RENAMED[name]}; {REPAIRS}"
            yield wrong(step, script.line(node), reason)
        elif name in NO_MODES or name in MODES_RENAMED:
            known = MODES_RENAMED.get(name, "DOING_HISTORY or DOING_FIXED_SWITCH")
            yield wrong("configuration", script.line(node), f"there is no switch mode {name}: {known}")
    for names, value in script.assignments():
        for name in names:
            owner, _, attribute = name.rpartition(".")
            if owner in ("GPA", "PBG", "GPA.pc", "PBG.pc") and attribute not in _KEPT:
                setting = SETTINGS_RENAMED.get(attribute, snake(attribute))
                hint = (
                    f"GPA.pc.set_{setting}(...)"
                    if setting in SETTINGS
                    else "no setting of 3.2.9 is called so"
                )
                reason = f"{name} = ... sets an attribute that nothing reads: {hint}"
                yield wrong("configuration", script.line(value), reason)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z])([A-Z])", lambda hit: "_" + hit[1].lower(), name)


def _settings(script: Script) -> Iterator[Step]:
    perforated = [c for c, n in script.calls() if last(n) in PERFORATE]
    for call, name in script.calls():
        if not (hit := re.search(r"\.pc\.(?:set|append)_(\w+)$", name)):
            continue
        setting, line = hit[1], script.line(call)
        if setting in LICENSED_ONLY:
            yield wrong("configuration", line, f"{setting} exists only with perforatedbp: it is ignored here")
        elif setting in SETTINGS_RENAMED:
            reason = f"{setting} is ignored by 3.2.9: it is {SETTINGS_RENAMED[setting]}; {REPAIRS}"
            yield wrong("configuration", line, reason)
        elif setting in NOT_SETTINGS:
            yield wrong("configuration", line, f"{setting} is no setting: {NOT_SETTINGS[setting]}")
        elif setting not in SETTINGS:
            near = nearest_setting(setting)
            hint = f"; did you mean set_{near}?" if near else ""
            yield wrong("configuration", line, f"{setting} is no setting, and the call is ignored{hint}")
        if setting.startswith("module_ids"):
            for text in script.all(cst.SimpleString, call):
                path = str(text.evaluated_value)
                if not path.startswith("."):
                    reason = f'the path "{path}" matches nothing: ".{path}", and whole paths only'
                    yield wrong("configuration", script.line(text), reason)
        one = perforated[0] if len(perforated) == 1 and setting == "switch_mode" else None
        if one and script.before(one, call) and script.scope(one) is script.scope(call):
            reason = "the switch mode is read by perforate_model: set later, it has no effect"
            yield wrong("configuration", line, reason)
    for call in perforated:
        folder = script.argument(call, "save_name", 1)
        if isinstance(folder, cst.SimpleString) and "/" in str(folder.evaluated_value):
            yield wrong("model", script.line(call), "a save_name with / ends the process")


def _calls(script: Script) -> Iterator[Step]:
    for call, name in script.calls():
        for argument in call.args:
            if argument.keyword is not None and argument.keyword.value == "using_perforatedai":
                reason = (
                    "the Trainer of stock transformers has no using_perforatedai: a callback does the same"
                )
                yield wrong("score", script.line(call), reason)
        if re.fullmatch(r"(lr_)?scheduler\.step", name) and _owned_scheduler(script):
            reason = "the library steps a scheduler of setup_optimizer itself: this is a second step"
            yield wrong("scheduler", script.line(call), reason)


def _owned_scheduler(script: Script) -> bool:
    given = any(
        call.args and script.code(call.args[0].value) != "None"
        for call in script.called("set_scheduler", "setScheduler")
    )
    return given and any(len(c.args) > 2 for c in script.called("setup_optimizer", "setupOptimizer"))


def _order(script: Script) -> Iterator[Step]:
    for score in script.called(*SCORE):
        for extra in script.called(*EXTRA_SCORE):
            same = script.block(script.statement(extra)) is script.block(script.statement(score))
            if same and script.before(score, extra):
                reason = (
                    "an extra score behind the validation score belongs to the next epoch: report it before"
                )
                yield wrong("score", script.line(extra), reason)


def _swallowed(script: Script) -> Iterator[Step]:
    for node in script.all(cst.Try):
        if not re.search(r"perforatedai|GPA\.|UPA\.|pai_tracker", script.code(node.body)):
            continue
        for handler in node.handlers:
            kind = script.code(handler.type) if handler.type is not None else "Exception"
            words = set(re.findall(r"\w+", kind))
            if not words & {
                "Exception",
                "ImportError",
                "BaseException",
                "ModuleNotFoundError",
                "AttributeError",
            }:
                continue
            body = script.code(handler.body)
            if not re.search(r"\braise\b|exit", body):
                reason = "a failure of the library is caught here, and the run continues without dendrites"
                yield wrong("model", script.line(handler), reason)


def _token(script: Script) -> Iterator[Step]:
    for text in script.all(cst.SimpleString):
        statement = script.code(script.statement(text))
        value = str(text.evaluated_value)
        if "PAITOKEN" in statement and re.fullmatch(r"[\w+/=.-]{16,}", value):
            reason = "a licence token is written here: take it from the environment, and have it replaced"
            yield wrong("configuration", script.line(text), reason)
