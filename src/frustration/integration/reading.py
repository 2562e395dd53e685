"""Reading a file of Python as a syntax tree, and finding the files that it imports. Nothing is run."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, PositionProvider

from frustration.errors import InputError

DEEPEST = 1000
"""Operators and brackets inside each other. libcst's parser recurses in native code: far beyond this the
process would end without a word."""
_WORDS = frozenset({"and", "or", "not", "in", "is", "if", "else", "lambda", "await"})


def parse(source: bytes | str, path: Path | None) -> MetadataWrapper:
    """The tree of a source, or one sentence on why there is none."""
    place = str(path or "the script")
    try:
        text = source if isinstance(source, str) else _decoded(source)
        if line := _too_deep(text):
            raise InputError(
                f"{place}, line {line}: an expression with more than {DEEPEST} operators inside each other "
                "is not read: take it apart"
            )
        if line := _too_long_chain(text):
            raise InputError(
                f"{place}, line {line}: more than {DEEPEST} elif in one chain are not read: use a dictionary"
            )
        return MetadataWrapper(cst.parse_module(source))
    except (cst.ParserSyntaxError, UnicodeDecodeError, SyntaxError, RecursionError) as error:
        raise InputError(_unreadable(error, place)) from None


def positions(wrapper: MetadataWrapper, path: Path | None) -> Mapping[cst.CSTNode, CodeRange]:
    """Where each node is in the text."""
    try:
        return cast("Mapping[cst.CSTNode, CodeRange]", wrapper.resolve(PositionProvider))
    except RecursionError as error:
        raise InputError(_unreadable(error, str(path or "the script"))) from None


def _decoded(source: bytes) -> str:
    encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
    return source.decode(encoding)


def _too_deep(text: str) -> int:
    """The line of the first expression that is nested too deeply; 0: there is none."""
    depths, openers, before = [0], [""], 0
    for token in _tokens(text):
        if token.type == tokenize.NEWLINE or token.string == ";":
            depths, openers = [0], [""]
        elif token.string in ("(", "[", "{"):
            depths.append(1)
            openers.append(token.string)
        elif token.string in (")", "]", "}"):
            closed = depths.pop() if len(depths) > 1 and openers.pop() else 0
            depths[-1] += 1 if closed else 0
        elif openers[-1] and (token.string == "," or (token.string == ":" and openers[-1] != "(")):
            depths[-1] = 1
        elif token.type == tokenize.OP or token.string in _WORDS or token.type == before == tokenize.STRING:
            depths[-1] += 1
        before = before if token.type in (tokenize.NL, tokenize.COMMENT) else token.type
        if sum(depths) > DEEPEST:
            return token.start[0]
    return 0


def _too_long_chain(text: str) -> int:
    """The line at which chains of `elif` become too long; 0: nowhere. In the tree each is inside the last."""
    chains, begins = [0], True
    for token in _tokens(text):
        if token.type == tokenize.INDENT:
            chains.append(0)
        elif token.type == tokenize.DEDENT:
            chains.pop()
        elif token.type in (tokenize.NEWLINE, tokenize.NL, tokenize.COMMENT):
            begins = begins or token.type == tokenize.NEWLINE
        elif begins:
            begins = False
            chains[-1] = chains[-1] + 1 if token.string == "elif" else 0
        if sum(chains) > DEEPEST:
            return token.start[0]
    return 0


def _tokens(text: str) -> Iterator[tokenize.TokenInfo]:
    """The tokens of a text as far as this Python understands them; the parser says what is wrong then."""
    try:
        yield from tokenize.generate_tokens(io.StringIO(text).readline)
    except (tokenize.TokenError, SyntaxError):
        return


def _unreadable(error: Exception, place: str) -> str:
    if isinstance(error, cst.ParserSyntaxError):
        inner = re.search(r"error at (\d+):\d+: (.*)", error.message, re.S)  # its own line is one too far
        line, said = (inner[1], inner[2]) if inner else (str(error.raw_line), error.message)
        return f"{place}, line {line}: this is not Python of 3.8 to 3.14: {said}"
    if isinstance(error, UnicodeDecodeError):
        return (
            f"{place}: byte {error.start} is not {error.encoding}; is an encoding declared in the first line?"
        )
    if isinstance(error, RecursionError):
        return f"{place}: an expression or a chain of elif in it is nested too deeply"
    return f"{place}: {error}"


def roots(path: Path, text: str) -> list[Path]:
    """Where a script's imports are looked up: its own folder, those it adds to `sys.path`, `../lib`."""
    own = path.parent
    added = re.findall(r"""sys\.path\.(?:append|insert)\((?:\s*0\s*,)?\s*["']([^"']+)["']\s*\)""", text)
    return [own, *(own / folder for folder in added), own.parent / "lib", own.parent / "src"]


def imported_file(path: Path, folders: list[Path], module: str) -> Path | None:
    """The file of a module, with leading dots as in `from ..models import net`; None: it is elsewhere."""
    relative = Path(*module.strip(".").split("."))
    dots = len(module) - len(module.lstrip("."))
    if dots:
        folders = [path.parents[min(dots, len(path.parents)) - 1]]
    elif relative.parts[0] in path.resolve().parent.parts:  # run from the folder above its package
        parts = path.resolve().parent.parts
        folders = [*folders, Path(*parts[: parts.index(relative.parts[0])])]
    for folder in folders:
        for candidate in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
            if candidate.is_file() and candidate.resolve() != path.resolve():
                return candidate
    return None
