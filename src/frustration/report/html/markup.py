"""HTML from text that may hold anything: names of studies, modes and files were written by somebody else."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from frustration.report.formatting import DASH
from frustration.report.table import Table

_CODE: Final = re.compile(r"`([^`]*)`")
_UNSAFE: Final = str.maketrans({letter: f"\\u{ord(letter):04x}" for letter in "<>&\u2028\u2029"})

At = Mapping[str, Mapping[str, int]]
"""What filters know a row by: the attribute (`s`, `a`, `m`) -> the text of a cell -> its index."""


def text(value: object) -> str:
    """Escaped, for element content and quoted attributes alike."""
    return html.escape(str(value), quote=True)


def marked(sentence: str) -> str:
    """A sentence whose names stand in backticks."""
    return _CODE.sub(r"<code>\1</code>", text(sentence))


def data(value: Any) -> str:
    """JSON that can stand in a script element: nothing in it ends the element or begins a comment."""
    said = json.dumps(value, separators=(",", ":"), allow_nan=False, ensure_ascii=False)
    return said.translate(_UNSAFE)


def table(made: Table, at: At, *, heading: int = 3) -> str:
    """A sortable table that scrolls within itself where it is too large for the page."""
    name = f"table-{made.name}"
    heads = "".join(
        f'<th scope="col" aria-sort="none"{"" if index in made.left else " class=n"}>'
        f'<button type="button">{text(header)}</button></th>'
        for index, header in enumerate(made.headers)
    )
    body = "".join(_row(row, made, at) for row in made.rows)
    return (
        f'<div class="table"><h{heading} id="{name}-title">{text(made.title)}</h{heading}>'
        f'<p class="note" id="{name}-note">{marked(made.note)}</p>'
        f'<div class="scroll" role="region" tabindex="0" aria-labelledby="{name}-title">'
        f'<table id="{name}" class="sortable" aria-describedby="{name}-note">'
        f'<caption class="away">{text(made.title)}</caption>'
        f"<thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></div></div>"
    )


def _row(row: Sequence[str], made: Table, at: At) -> str:
    marks = ""
    for name, known in at.items():
        index = next((known[cell] for cell in row if cell in known), None)
        marks += "" if index is None else f" data-{name}={index}"
    cells = [f'<th scope="row">{text(row[0] or DASH)}</th>']
    for index, cell in enumerate(row[1:], start=1):
        tone = f' class="{cell}"' if cell in ("better", "worse") else "" if index in made.left else " class=n"
        cells.append(f"<td{tone}>{text(cell)}</td>")
    return f"<tr{marks}>{''.join(cells)}</tr>"


def section(name: str, title: str, *content: str) -> str:
    """A part of the page that the menu leads to; nothing where there is no content."""
    inner = "".join(content)
    if not inner:
        return ""
    head = f'<h2 id="{name}-title">{text(title)}</h2>'
    return f'<section id="{name}" aria-labelledby="{name}-title">{head}{inner}</section>'


def sentences(lines: Sequence[str]) -> str:
    return f"<ul>{''.join(f'<li>{marked(line)}</li>' for line in lines)}</ul>" if lines else ""
