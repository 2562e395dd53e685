"""What of an integration is in a script already."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

import libcst as cst

from frustration.integration.names import PERFORATE, REGISTER, SCORE, modern
from frustration.integration.source import Script, Statement, last
from frustration.integration.targets import Own, Wishes, own

_GROWN = re.compile(r"\brestructur\w*|\.grown\b")
_COMPLETE = re.compile(r"complete|\bdone\b|finished", re.I)


@dataclass
class Present:
    """The calls of an integration, whatever it was written by."""

    gpa: str = ""
    """What `globals_perforatedai` is called here."""
    upa: str = ""
    settings: dict[str, cst.Call] = field(default_factory=dict)
    perforated: list[cst.Call] = field(default_factory=list)
    registered: list[cst.Call] = field(default_factory=list)
    scores: list[cst.Call] = field(default_factory=list)
    rebuilds: list[cst.If] = field(default_factory=list)
    """Conditions under which a new optimizer is made after growth."""
    ends: list[cst.If] = field(default_factory=list)
    """Conditions under which the training ends because the library is complete."""


def find_present(script: Script, wishes: Wishes) -> Present:
    present = Present()
    if wishes.target == "frustration":
        _find_own(script, present, own(wishes.intervention))
    else:
        _find_library(script, present)
    for node in script.all(cst.If):
        test = script.code(node.test)
        if _GROWN.search(test) and not test.startswith("not "):
            present.rebuilds.append(node)
        if _COMPLETE.search(test) and _ends(script, node):
            present.ends.append(node)
    if not present.scores:
        present.rebuilds, present.ends = [], []
    return present


def _find_own(script: Script, present: Present, target: Own) -> None:
    for name, full in script.imports.items():
        if full.startswith("frustration.loops"):
            present.gpa = present.upa = name
    variables = set()
    for call, name in script.calls():
        if last(name) in target.calls and (name.startswith("frustration.") or present.gpa):
            present.perforated.append(call)
            variables |= set(script.targets(script.statement(call)))
            present.registered.append(call)
    for call, name in script.calls():
        if last(name) == "add_score" and name.rpartition(".")[0] in variables:
            present.scores.append(call)


def _find_library(script: Script, present: Present) -> None:
    for name, full in script.imports.items():
        module = modern(last(full))
        if "perforatedai" in full and module == "globals_perforatedai":
            present.gpa = name
        elif "perforatedai" in full and module == "utils_perforatedai":
            present.upa = name
    for call, name in script.calls():
        if hit := re.search(r"\.pc\.(?:set|append)_(\w+)$", name):
            present.settings.setdefault(hit[1], call)
        if last(name) in PERFORATE and ("perforated" in script.text or "UPA" in name):
            present.perforated.append(call)
        elif last(name) in SCORE:
            present.scores.append(call)
        elif last(name) in REGISTER and script.callee(call) is None:  # no function of this name here
            present.registered.append(call)


def _ends(script: Script, node: cst.If) -> bool:
    """Whether a condition leaves the loop, or tells a trainer to stop."""
    for statement in script.all(cst.SimpleStatementLine, node.body):
        if any(isinstance(small, (cst.Break, cst.Return)) for small in statement.body):
            return True
    return bool(re.search(r"should_(training_)?stop|sys\.exit|= *(True|False)", script.code(node.body)))


def score_statement(script: Script, call: cst.Call) -> tuple[Statement, list[str]]:
    """The statement that reports a score, and the names that its results are given."""
    statement = script.statement(call)
    return statement, script.targets(statement) if not isinstance(statement, (cst.If, cst.For)) else []
