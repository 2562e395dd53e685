"""Edits of a script, collected by step and made all at once. Everything else keeps every character."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import libcst as cst

from frustration.integration.source import Script, Statement

REBUILD = "__rebuild__"
"""A statement of this name is replaced by copies of the script's own statements."""


@dataclass
class Draft:
    """What will be inserted and replaced."""

    script: Script
    inserted_after: dict[int, list[Statement]] = field(default_factory=dict)
    inserted_before: dict[int, list[Statement]] = field(default_factory=dict)
    replaced: dict[int, cst.CSTNode] = field(default_factory=dict)
    appended: dict[int, list[cst.Arg]] = field(default_factory=dict)

    def after(self, place: Statement, text: str, copies: Sequence[Statement] = (), comment: str = "") -> None:
        block = self.script.siblings(place)
        lines = statements(text, copies, comment)
        if place is block[-1] and _leaves(place):
            self.inserted_before.setdefault(id(place), []).extend(lines)
        else:
            self.inserted_after.setdefault(id(place), []).extend(lines)

    def before(
        self, place: Statement, text: str, copies: Sequence[Statement] = (), comment: str = ""
    ) -> None:
        self.inserted_before.setdefault(id(place), []).extend(statements(text, copies, comment))

    def replace(self, node: cst.CSTNode, text: str) -> None:
        """Puts an expression in place of another."""
        self.replaced[id(node)] = cst.parse_expression(text)

    def replace_statement(self, node: Statement, text: str) -> None:
        new = statements(text)[0]
        if isinstance(node, cst.SimpleStatementLine) and isinstance(new, cst.SimpleStatementLine):
            new = new.with_changes(
                leading_lines=node.leading_lines, trailing_whitespace=node.trailing_whitespace
            )
        self.replaced[id(node)] = new

    def append_argument(self, call: cst.Call, text: str) -> None:
        """One keyword argument more, behind the others."""
        argument = cast(cst.Call, cst.parse_expression(f"f({text})")).args[0]
        self.appended.setdefault(id(call), []).append(argument)

    @property
    def empty(self) -> bool:
        return not (self.inserted_after or self.inserted_before or self.replaced or self.appended)

    def write(self) -> str:
        return self.script.module.visit(_Writer(self)).code


class _Writer(cst.CSTTransformer):
    def __init__(self, draft: Draft) -> None:
        super().__init__()
        self.draft = draft

    def on_leave(self, original: cst.CSTNode, updated: Any) -> Any:
        draft = self.draft
        if id(original) in draft.replaced:
            return draft.replaced[id(original)]
        if id(original) in draft.appended:
            updated = updated.with_changes(args=with_arguments(updated.args, draft.appended[id(original)]))
        if isinstance(original, (cst.IndentedBlock, cst.Module)):
            body: list[Any] = []
            for old, new in zip(original.body, updated.body, strict=True):
                body += [*draft.inserted_before.get(id(old), []), new, *draft.inserted_after.get(id(old), [])]
            updated = updated.with_changes(body=body)
        return updated


def with_arguments(old: Sequence[cst.Arg], new: Sequence[cst.Arg]) -> list[cst.Arg]:
    """The arguments of a call and some more, in the style of the last one."""
    if not old:
        return list(new)
    kept = list(old)
    trailing = kept[-1].comma
    between = kept[-2].comma if len(kept) > 1 else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
    separator = between if isinstance(between, cst.Comma) else cst.Comma(cst.SimpleWhitespace(" "))
    end = kept[-1].whitespace_after_arg
    kept[-1] = kept[-1].with_changes(comma=separator, whitespace_after_arg=cst.SimpleWhitespace(""))
    added = [a.with_changes(comma=separator) for a in new]
    added[-1] = added[-1].with_changes(comma=trailing, whitespace_after_arg=end)
    return [*kept, *added]


def statements(text: str, copies: Sequence[Statement] = (), comment: str = "") -> list[Statement]:
    """The statements of a text in the style of the script: blocks take its indentation."""
    module = cst.parse_module(text.strip("\n") + "\n")
    if copies:
        module = module.visit(_Paster(copies))
    body: list[Any] = list(module.body)
    lines: list[cst.EmptyLine] = []
    if comment:
        lines = [cst.EmptyLine(indent=False), cst.EmptyLine(comment=cst.Comment(f"# {comment}"))]
    body[0] = body[0].with_changes(leading_lines=[*lines, *module.header, *body[0].leading_lines])
    return body


class _Paster(cst.CSTTransformer):
    def __init__(self, copies: Sequence[Statement]) -> None:
        super().__init__()
        self.copies = copies

    def leave_SimpleStatementLine(self, original_node: Any, updated_node: Any) -> Any:
        names = [
            s.value.value
            for s in updated_node.body
            if isinstance(s, cst.Expr) and isinstance(s.value, cst.Name)
        ]
        if names != [REBUILD]:
            return updated_node
        return cst.FlattenSentinel([bare(copy) for copy in self.copies])


def bare(statement: Any) -> Any:
    """A copy without the blank lines above it."""
    return statement.deep_clone().with_changes(leading_lines=[])


def renamed(statement: Statement, names: dict[str, str]) -> Statement:
    """A copy of a statement with other names for some variables."""
    if not any(old != new for old, new in names.items()):
        return statement
    return cast(Statement, statement.deep_clone().visit(_Renamer(names)))


class _Renamer(cst.CSTTransformer):
    def __init__(self, names: dict[str, str]) -> None:
        super().__init__()
        self.names = names

    def leave_Attribute(
        self, original_node: cst.Attribute, updated_node: cst.Attribute
    ) -> cst.BaseExpression:
        return updated_node.with_changes(attr=original_node.attr)

    def leave_Arg(self, original_node: cst.Arg, updated_node: cst.Arg) -> cst.Arg:
        return updated_node.with_changes(keyword=original_node.keyword)

    def leave_Name(self, original_node: cst.Name, updated_node: cst.Name) -> cst.BaseExpression:
        new = self.names.get(original_node.value)
        return cst.parse_expression(new) if new and new != original_node.value else updated_node


def _leaves(statement: Statement) -> bool:
    """Whether nothing behind a statement is reached."""
    if not isinstance(statement, cst.SimpleStatementLine):
        return False
    return any(isinstance(s, (cst.Return, cst.Break, cst.Continue, cst.Raise)) for s in statement.body)


def indented(lines: list[str]) -> list[str]:
    """Lines as the body of a block; the script's own indentation comes with the writing."""
    return ["    " + line for line in lines]
