"""Parts of live views: tables of loops and of modes, small curves, and a bar."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.table import Table
from rich.text import Text

from frustration.report.formatting import DASH, number, score
from frustration.terminal.table import plain_table

if TYPE_CHECKING:
    from frustration.metric import Metric
    from frustration.record import LoopEntry
    from frustration.runners.board import Board
    from frustration.runners.events import LoopDone
    from frustration.runners.tally import ModeTally

SPARKS = "▁▂▃▄▅▆▇█"
SO_FAR, SPARK_WIDTH = "bounty so far", 13


def recent_loops(loops: Sequence[LoopDone], width: int, metric: Metric) -> Table:
    """One row per loop, the newest last; the rightmost columns go where there is no room for them."""
    headers = ["loop", metric.column("validation"), f"{metric.column('bounty')} @ loop", "verdict"]
    headers += ["damage", "recovery", "loss"]
    widths = [4, 12, 15, 10, 6, 8, 6]
    growing = any(done.entry.dendrites is not None for done in loops)
    if growing:
        headers[4:6], widths[4:6] = ["dendrites", "parameters"], [9, 10]
    columns = _fitting(widths, width)
    table = plain_table(*headers[:columns], left=(3,))
    for done in loops:
        entry = done.entry
        bounty = DASH if done.bounty is None else f"{score(done.bounty, metric)} @ {done.bounty_loop}"
        cells = [
            str(entry.loop),
            score(entry.accuracy, metric),
            bounty,
            verdict(entry),
            *(_size(entry) if growing else _damage(entry, metric)),
            number(entry.loss, digits=4),
        ]
        style = "green" if entry.accepted else "red" if entry.diverged else "dim"
        table.add_row(*cells[:columns], style=style)
    return table


def _damage(entry: LoopEntry, metric: Metric) -> tuple[str, str]:
    """What the intervention took, and what the epoch won back."""
    lost, won = (None if value is None else metric.sign * value for value in (entry.harm, entry.recovery))
    return score(lost, metric), score(won, metric)


def modes_table(board: Board, width: int, rows: int, one_network: bool = True) -> Table:
    """One row per mode: means over its trials, and the mean bounty loop by loop on one scale for all.

    `one_network`: whether all trials begin with the same network, so that its size and the accuracy of the
    latest loops mean something. The rightmost columns are left out where there is no room for them.
    """
    modes, settings, metric = list(board.modes.values()), board.settings.names, board.metric
    validation, bounty = metric.column("validation"), metric.column("bounty")
    name = min(24, max(4, *(len(mode.label) for mode in modes)))
    columns = [("mode", name), ("trials", 7), ("loop", 7), (bounty, 8), (SO_FAR, SPARK_WIDTH)]
    if one_network:
        columns.insert(3, (validation, 12))
        if any(mode.sizes for mode in modes):
            columns += [("dendrites", 9), ("parameters", 15)]
    columns.append(("accepted", 8))
    heads = [head for head, _ in columns[: _fitting([size for _, size in columns], width)]]
    table = plain_table(*heads, left=(0, *(place for place, head in enumerate(heads) if head == SO_FAR)))
    curves = [mode.curve(settings) for mode in modes]
    low = min(itertools.chain.from_iterable(curves), default=0.0)
    high = max(itertools.chain.from_iterable(curves), default=0.0)
    for mode, curve in list(zip(modes, curves, strict=True))[: rows if len(modes) <= rows else rows - 1]:
        cells = {
            "mode": mode.label,
            "trials": f"{len(mode.over)}/{len(mode.at)}",
            "loop": _loops(mode),
            validation: score(mode.accuracy, metric),
            bounty: score(curve[-1] if curve else None, metric),
            SO_FAR: sparkline(curve, low, high, SPARK_WIDTH),
            "dendrites": mode.dendrites or DASH,
            "parameters": mode.parameters or DASH,
            "accepted": f"{100 * mode.accepted / mode.judged:.0f} %" if mode.judged else DASH,
        }
        table.add_row(*(cells[head] for head in heads), style="green" if mode.finished else "")
    if len(modes) > rows:
        table.add_row(f"and {len(modes) - rows + 1} more", *[""] * (len(heads) - 1))
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
