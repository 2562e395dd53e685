"""Tables that fit the terminal: columns are left out, and very wide tables become blocks of lines."""

from __future__ import annotations

import copy
import statistics
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.cells import cell_len
from rich.table import Column, Table

from frustration.report.formatting import DASH, mean

if TYPE_CHECKING:
    from rich.console import Console

NAME_WIDTH = 14
"""How narrow the first column may become before columns leave."""
LEAVING = ("CPU", "MFLOP", "at", "95", "accepted", "dendrites", "parameters", "n", "bounty", "p", "control")
"""Columns by the first words of their heads: which leave first where a terminal is too narrow."""
SIZES = ("dendrites\nmean", "parameters\nmean", "MFLOP\na sample")
"""Columns of `sizes`, for networks that differ in size or can grow."""
WIDE: ContextVar[bool] = ContextVar("wide", default=False)
"""Whether the command line says `--wide`: all columns, however narrow the terminal."""


def plain_table(*headers: str, left: Sequence[int] = (0,)) -> Table:
    """A table with a line under its head; columns are right-aligned but for those numbered in `left`."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 2, 0, 0), show_edge=False)
    for number, header in enumerate(headers):
        table.add_column(
            header,
            justify="left" if number in left else "right",
            overflow="fold",
            no_wrap=number != 0,
            vertical="bottom" if number == 0 else "top",
            header_style="bold",
        )
    return table


def fitted(table: Table, console: Console) -> tuple[Table | str, list[str]]:
    """The table as a terminal of this width has room for it, and the heads of the columns that it lacks.

    Columns leave by `LEAVING`, then the rest moves closer. What is still too wide, or has nothing to leave,
    becomes blocks of lines.
    """
    table = _measured(_merged(table) if console.is_terminal else table)
    if WIDE.get() or _fits(table, console):
        return table, []
    narrow, left_out = table, list[str]()
    for head in LEAVING:
        kept = [column for column in narrow.columns if _flat(column).split()[:1] != [head]]
        if len(kept) < len(narrow.columns):
            left_out += [_flat(one) for one in narrow.columns if one not in kept]
            narrow = _with(narrow, kept)
        if left_out and _fits(narrow, console):
            return narrow, left_out
    narrow = _closer(narrow)
    return (narrow, left_out) if left_out and _fits(narrow, console) else (_blocks(table), [])


def natural_width(table: Table, console: Console) -> int:
    """How wide it is where nothing is folded."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def _measured(table: Table) -> Table:
    """The widths of the columns that are not folded, said: Rich would measure every cell of them twice."""
    first, *rest = table.columns
    return _with(table, [first, *(replace(column, width=_width(column)) for column in rest)])


def _width(column: Column) -> int:
    texts = (str(cell) for cell in (column.header, *column.cells))
    return max((cell_len(line) for text in texts for line in text.split("\n")), default=0)


def _fits(table: Table, console: Console) -> bool:
    names = [str(cell) for cell in table.columns[0].cells]
    foldable = max(0, max(map(len, names), default=0) - NAME_WIDTH)
    return natural_width(table, console) - foldable <= console.width


def _with(table: Table, columns: Sequence[Column]) -> Table:
    """The same rows with these columns."""
    other = copy.copy(table)
    other.columns = [replace(column, _index=at) for at, column in enumerate(columns)]
    return other


def _closer(table: Table) -> Table:
    """The same table with one space less between columns."""
    other = copy.copy(table)
    other.padding = (0, 1, 0, 0)
    return other


def _merged(table: Table) -> Table:
    """An architecture is named in the first of its rows only."""
    first = table.columns[0]
    if first.header != "architecture":
        return table
    names = list(first.cells)
    shown = ["" if at and name == names[at - 1] else name for at, name in enumerate(names)]
    return _with(table, [replace(first, _cells=shown), *table.columns[1:]])


def _flat(column: Column) -> str:
    return str(column.header).replace("\n", " ")


def _blocks(table: Table) -> str:
    names = [str(cell) for cell in table.columns[0].cells]
    heads = [_flat(column) for column in table.columns[1:]]
    columns = [[str(cell) for cell in column.cells] for column in table.columns[1:]]
    width = max(map(len, heads))
    lines: list[str] = []
    for name, *cells in zip(names, *columns, strict=True):
        lines.append(name)
        lines += [f"  {head:<{width}}  {cell}" for head, cell in zip(heads, cells, strict=True) if cell]
    return "\n".join(lines)


def sizes(dendrites: Sequence[int], parameters: Sequence[int], flops: Sequence[int]) -> list[str]:
    """Means over the LKGs of some trials; `dendrites` of those that grew."""
    if not parameters:
        return [DASH] * len(SIZES)
    return [
        mean(dendrites),
        f"{statistics.fmean(parameters):,.0f}",
        f"{statistics.fmean(flops) / 1e6:.3f}",
    ]
