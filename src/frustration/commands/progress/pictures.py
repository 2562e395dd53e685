"""Parts of pictures: tables of loops and of modes, small curves, and a bar."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from frustration.commands.tables import plain_table
from frustration.report.formatting import DASH, number

if TYPE_CHECKING:
    from frustration.commands.progress.tally import ModeTally
    from frustration.record import LoopEntry
    from frustration.runners.events import LoopDone

SPARKS = "▁▂▃▄▅▆▇█"
SPARK_WIDTH = 13


def recent_loops(loops: Sequence[LoopDone], width: int) -> Table:
    """One row per loop, the newest last; the rightmost columns go where there is no room for them."""
    headers = ["loop", "validation %", "bounty % @ loop", "verdict", "damage", "recovery", "loss"]
    widths = [4, 12, 15, 10, 6, 8, 6]
    growing = any(done.entry.dendrites is not None for done in loops)
    if growing:
        headers[4:6], widths[4:6] = ["dendrites", "parameters"], [9, 10]
    columns = _fitting(widths, width)
    table = plain_table(*headers[:columns], left=(3,))
    for done in loops:
        entry = done.entry
        bounty = DASH if done.bounty is None else f"{done.bounty:.2f} @ {done.bounty_loop}"
        cells = [
            str(entry.loop),
            number(entry.accuracy),
            bounty,
            verdict(entry),
            *(_size(entry) if growing else (number(entry.harm), number(entry.recovery))),
            number(entry.loss, digits=4),
        ]
        style = "green" if entry.accepted else "red" if entry.diverged else "dim"
        table.add_row(*cells[:columns], style=style)
    return table


def modes_table(modes: Sequence[ModeTally], width: int, rows: int, validation: bool = True) -> Table:
    """One row per mode: means over its trials, and the mean bounty loop by loop on one scale for all.

    `validation`: whether the accuracy of the latest loops is shown too.
    """
    name = min(24, max(4, *(len(mode.label) for mode in modes)))
    headers = ["mode", "trials", "loop", "validation %", "bounty %", "accepted", "bounty so far"]
    widths = [name, 7, 7, 12, 8, 8, SPARK_WIDTH]
    growing = any(mode.sizes for mode in modes)
    if growing:
        headers[5:5], widths[5:5] = ["dendrites", "parameters"], [9, 15]
    if not validation:
        del headers[3], widths[3]
    columns = _fitting(widths, width)
    table = plain_table(*headers[:columns], left=(0, len(headers) - 1))
    curves = [mode.curve for mode in modes]
    low = min(itertools.chain.from_iterable(curves), default=0.0)
    high = max(itertools.chain.from_iterable(curves), default=0.0)
    for mode, curve in list(zip(modes, curves, strict=True))[: rows if len(modes) <= rows else rows - 1]:
        cells = [
            mode.label,
            f"{len(mode.over)}/{len(mode.at)}",
            _loops(mode),
            *([number(mode.accuracy)] if validation else []),
            number(mode.bounty),
            *([mode.dendrites or DASH, mode.parameters or DASH] if growing else []),
            f"{100 * mode.accepted / mode.judged:.0f} %" if mode.judged else DASH,
            sparkline(curve, low, high, SPARK_WIDTH),
        ]
        table.add_row(*cells[:columns], style="green" if mode.finished else "")
    if len(modes) > rows:
        table.add_row(f"and {len(modes) - rows + 1} more", *[""] * (columns - 1))
    return table


def sparkline(values: Sequence[float], low: float, high: float, width: int) -> str:
    """The values as small bars; of more than fit, the last of each equal part."""
    if len(values) > width:
        values = [values[(part + 1) * len(values) // width - 1] for part in range(width)]
    scale = (len(SPARKS) - 1) / (high - low) if high > low else 0.0
    return "".join(SPARKS[round((value - low) * scale)] for value in values)


def bar(share: float, words: str, width: int) -> Text:
    """`━━━━━━─────  words`: `share` of it, 0 to 1, is heavy, so that colour is not needed."""
    room = max(4, min(40, width - len(words) - 3))
    full = int(share * room)
    return Text.assemble(("━" * full, "green"), ("─" * (room - full), "dim"), f"  {words}", no_wrap=True)


def verdict(entry: LoopEntry) -> str:
    """What became of a candidate, in a word or two."""
    if entry.diverged:
        return "discarded: loss not finite"
    if entry.adopted is not None:
        return f"discarded; back to loop {entry.adopted}"
    return "accepted" if entry.accepted else "discarded"


def _fitting(widths: Sequence[int], width: int) -> int:
    """How many columns fit, counted from the left, with two blanks between them."""
    ends = itertools.accumulate(column + 2 for column in widths)
    return max(1, sum(end - 2 <= width for end in ends))


def _loops(mode: ModeTally) -> str:
    low, high = mode.span
    return f"{low}/{mode.target}" if low == high else f"{low}-{high}/{mode.target}"


def _size(entry: LoopEntry) -> tuple[str, str]:
    parameters = DASH if entry.parameters is None else f"{entry.parameters:,}"
    return str(DASH if entry.dendrites is None else entry.dendrites), parameters
