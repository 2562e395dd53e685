"""Old integrations brought up to 3.2.9: names, settings, and the questions that stop a run."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

import libcst as cst

from frustration.integration.findings import findings, is_library, snake
from frustration.integration.names import (
    FUNCTIONS_RENAMED,
    MODES_RENAMED,
    PERFORATE,
    PROMPTS,
    SETTINGS,
    SETTINGS_RENAMED,
)
from frustration.integration.source import Script, last
from frustration.integration.steps import Step


@dataclass
class Repair:
    """A script before and after, and what was done."""

    before: str
    after: str
    done: list[str] = field(default_factory=list)
    left: list[Step] = field(default_factory=list)
    """What names alone cannot fix."""


def repair(path: Path) -> Repair:
    return repair_script(Script.read(path))


def repair_script(script: Script) -> Repair:
    """The script with the names of 3.2.9, and with every question answered before perforate_model."""
    renamer = _Renamer(script)
    text = script.module.visit(renamer).code
    done = list(dict.fromkeys(renamer.done))
    renamed = Script(text, script.path)
    answers = _answers(renamed)
    if answers:
        from frustration.integration.draft import Draft

        call = next(c for c, n in renamed.calls() if last(n) == "perforate_model")
        draft = Draft(renamed)
        draft.before(renamed.statement(call), "\n".join(answers))
        text = draft.write()
        done += answers
    final = Script(text, script.path)
    return Repair(script.text, text, done, findings(final))


def _answers(script: Script) -> list[str]:
    """The settings without which the library asks."""
    calls = [c for c, n in script.calls() if last(n) == "perforate_model"]
    if not calls:
        return []
    gpa = next((n for n, full in script.imports.items() if last(full) == "globals_perforatedai"), "GPA")
    missing = [name for name in PROMPTS if f"set_{name}(" not in script.text]
    return [f"{gpa}.pc.set_{name}(True)" for name in missing]


class _Renamer(cst.CSTTransformer):
    """Functions, modules, settings and modes; by their owner, so that nobody else's names are touched."""

    def __init__(self, script: Script) -> None:
        super().__init__()
        self.script = script
        self.done: list[str] = []

    def _name(self, old: str, new: str) -> cst.Name:
        self.done.append(f"{old} -> {new}")
        return cst.Name(new)

    def leave_ImportAlias(
        self, original_node: cst.ImportAlias, updated_node: cst.ImportAlias
    ) -> cst.ImportAlias:
        statement = self.script.parent(original_node)
        if not isinstance(statement, cst.ImportFrom) or statement.module is None:
            return updated_node
        if not self.script.code(statement.module).startswith("perforatedai"):
            return updated_node
        name = original_node.name.value
        if isinstance(name, str) and name in FUNCTIONS_RENAMED:
            return updated_node.with_changes(name=self._name(name, FUNCTIONS_RENAMED[name]))
        return updated_node

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        if not is_library(self.script, original_node.value):
            return updated_node
        name = original_node.attr.value
        if name in FUNCTIONS_RENAMED:
            return updated_node.with_changes(attr=self._name(name, FUNCTIONS_RENAMED[name]))
        if name in MODES_RENAMED:
            return updated_node.with_changes(attr=self._name(name, MODES_RENAMED[name]))
        if hit := re.fullmatch(r"(set|append|get)_(\w+)", name):
            setting = SETTINGS_RENAMED.get(hit[2])
            if setting is not None:
                return updated_node.with_changes(attr=self._name(name, f"{hit[1]}_{setting}"))
        return updated_node

    def leave_SimpleStatementLine(
        self, original_node: cst.SimpleStatementLine, updated_node: cst.SimpleStatementLine
    ) -> cst.SimpleStatementLine:
        """`PBG.nEpochsToSwitch = 5` becomes a call, for nothing reads the attribute."""
        if len(original_node.body) != 1 or not isinstance(original_node.body[0], cst.Assign):
            return updated_node
        assign = original_node.body[0]
        target = self.script.code(assign.targets[0].target)
        owner, _, attribute = target.rpartition(".")
        if len(assign.targets) != 1 or owner not in ("GPA", "PBG", "GPA.pc", "PBG.pc"):
            return updated_node
        setting = SETTINGS_RENAMED.get(attribute, snake(attribute))
        if setting not in SETTINGS:
            return updated_node
        value = cst.Module([]).code_for_node(cst.ensure_type(updated_node.body[0], cst.Assign).value)
        call = f"{owner.partition('.')[0]}.pc.set_{setting}({value})"
        self.done.append(f"{target} = ... -> {call.partition('(')[0]}(...)")
        return updated_node.with_changes(body=[cst.Expr(cst.parse_expression(call))])


def old(script: Script) -> bool:
    """Whether a script has names of before 3.2."""
    return any(last(name) in PERFORATE[1:] for _, name in script.calls())
