"""Where a script imports, and imports that are added there."""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from frustration.integration.draft import Draft
from frustration.integration.source import Script, Statement


def import_place(script: Script) -> Statement:
    """The last import before the first function, class or `if`, or the first statement."""
    found: Statement | None = None
    body = list(script.module.body)
    for statement in body:
        if isinstance(statement, (cst.ClassDef, cst.FunctionDef, cst.If)):
            break
        if isinstance(statement, cst.SimpleStatementLine) and isinstance(
            statement.body[0], (cst.Import, cst.ImportFrom)
        ):
            found = statement
    return found or body[0]


def add_imports(draft: Draft, lines: Sequence[str]) -> None:
    """Imports behind the others of a script."""
    place = import_place(draft.script)
    text = "\n".join(lines)
    first = place.body[0] if isinstance(place, cst.SimpleStatementLine) else None
    if isinstance(first, (cst.Import, cst.ImportFrom, cst.Expr)):  # an Expr is the docstring
        draft.after(place, text)
    else:
        draft.before(place, text)


def line_of_import(script: Script, name: str) -> int:
    """Where a name is imported; 0: nowhere."""
    for node in script.all((cst.Import, cst.ImportFrom)):
        if re.search(rf"\b{re.escape(name)}\b", script.code(node)):
            return script.line(node)
    return 0
