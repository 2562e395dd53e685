"""How results show themselves in a notebook: the sentences and one table, in plain HTML."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from frustration.report.table import Table
from frustration.sinks import printable

MOST_ROWS = 40
"""Of a table in a notebook; the page of the report has all."""


def html(sentences: Sequence[str], table: Table | None, notes: Sequence[str] = ()) -> str:
    parts = [f"<p>{_sentence(one)}</p>" for one in sentences]
    parts += [_table(table)] if table and table.rows else []
    parts += [f"<p><small>{_sentence(one)}</small></p>" for one in notes]
    return f"<div>{''.join(parts)}</div>"


def _sentence(text: str) -> str:
    """Backticks become code, as in Markdown."""
    parts = escape(printable(text)).split("`")
    return "".join(f"<code>{one}</code>" if at % 2 else one for at, one in enumerate(parts))


def _table(table: Table) -> str:
    left = set(table.left)
    head = "".join(f"<th>{escape(printable(one))}</th>" for one in table.headers)
    rows = "".join(
        "<tr>"
        + "".join(
            f'<td style="text-align:{"left" if at in left else "right"}">{escape(printable(cell))}</td>'
            for at, cell in enumerate(row)
        )
        + "</tr>"
        for row in table.rows[:MOST_ROWS]
    )
    more = len(table.rows) - MOST_ROWS
    rest = f"<p><small>and {more:,} more rows</small></p>" if more > 0 else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{rest}"
