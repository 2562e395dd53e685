"""Foreign text on its way out: one function for each place where it could do harm.

Names, keys, paths, error messages and log lines come from files, archives and services. A terminal obeys
escape sequences in them, a spreadsheet computes cells that begin with "=", LaTeX and Markdown take their
own signs for commands. HTML has its own module, `report/html/templates.py`.
"""

from __future__ import annotations

import contextlib
import csv
import io
import json
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

# ---------------------------------------------------------------- terminals

_CONTROLS: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]|\r(?!\n)"
)
"""All but tab and the ends of lines: also those that turn the direction of writing."""


LONGEST: Final = 600
"""Characters of a sentence that anybody reads."""


def printable(text: str) -> str:
    """For a terminal: control characters are spelt out, as `\\x1b` is."""
    return _CONTROLS.sub(lambda found: repr(found[0])[1:-1], text)


def one_line(text: object, longest: int = LONGEST) -> str:
    """The text on one line, for a sentence; the middle of a very long one is cut out."""
    line = printable(" ".join(str(text).split()))
    half = longest // 2
    return line if len(line) <= longest else f"{line[:half]}…{line[-half:]}"


def shown(value: object) -> str:
    """A value that cannot be used, as a sentence names it."""
    try:
        return one_line(repr(value), LONGEST // 4)
    except (ValueError, RecursionError):  # Python prints no number of more than 4,300 digits
        return f"a value of type {type(value).__name__} that is too large to print"


class _Printable:
    """A stream that spells control characters out."""

    def __init__(self, stream: TextIO) -> None:
        self.rich_proxied_file = stream
        """Where Rich writes its own control characters to."""

    def write(self, text: str) -> int:
        self.rich_proxied_file.write(printable(text))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.rich_proxied_file, name)


@contextlib.contextmanager
def fenced_terminal() -> Iterator[None]:
    """Whatever is printed while the block runs goes through `printable`."""
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast(TextIO, _Printable(unfenced(stream))) for stream in before)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before


def unfenced(stream: TextIO) -> TextIO:
    """For control characters of our own, as of a line that is written over and over again."""
    return cast(TextIO, getattr(stream, "rich_proxied_file", stream))


def console(width: int | None = None, **options: Any) -> Console:
    """Rich on stdout, for all tables and views: its styles are its own, its text may be anybody's."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class FencedConsole(Console):
        def render(
            self, renderable: RenderableType, options: ConsoleOptions | None = None
        ) -> Iterator[Segment]:
            for segment in super().render(renderable, options):  # inner ones come by again and again
                text = segment.text if segment.control else printable(segment.text)
                yield segment if text == segment.text else Segment(text, segment.style)

    plain: dict[str, Any] = {"highlight": False, "markup": False, "emoji": False}
    return FencedConsole(file=sys.stdout, width=width, **plain | options)


# ---------------------------------------------------------------- programs


def print_json_line(**fields: Any) -> None:
    """One object a line, at once."""
    print(json.dumps(fields, allow_nan=False), flush=True)


# ---------------------------------------------------------------- files

_FORMULA: Final = ("=", "+", "-", "@", "\t")


def csv_text(rows: Iterable[Iterable[object]]) -> str:
    """CSV. Text that a spreadsheet would compute is led by an apostrophe; numbers are not text."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_csv_cell(cell) for cell in row] for row in rows)
    return text.getvalue()


def _csv_cell(cell: object) -> object:
    if not isinstance(cell, str):
        return cell
    text = printable(cell)
    if not text.startswith(_FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text


_LATEX: Final = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    "–": "--",
    "∞": r"$\infty$",
    "±": r"$\pm$",
    "*": r"{*}",  # after a line break these two would be its arguments
    "[": r"{[}",
    '"': "''",
}


def latex(text: str) -> str:
    """Text that LaTeX sets as it is; what pdflatex cannot set becomes a question mark."""
    plain = re.sub(r"[\x00-\x1f\x7f-\xa0]", "?", re.sub(r"[\t\n]", " ", text))
    escaped = "".join(_LATEX.get(letter, letter) for letter in plain)
    escaped = re.sub(r"(?<![\w}])-(?=[\d$])", "$-$", escaped)  # a minus, not a hyphen
    return escaped.encode("latin-1", "replace").decode("latin-1")


_MARKDOWN: Final = {"|": r"\|", "*": r"\*", "<": "&lt;", "](": r"]\(", "![": r"\!["}
_MARKDOWN_SIGNS: Final = re.compile("|".join(["`[^`|]*`", *map(re.escape, _MARKDOWN)]))


def markdown(text: str) -> str:
    """A cell or a sentence: no columns, emphasis, tags, links or images but code in backticks."""
    line = printable(" ".join(text.split()))
    return _MARKDOWN_SIGNS.sub(lambda found: _MARKDOWN.get(found[0], found[0]), line)
