"""Tables of the commands: the layers of an architecture, and the end of a comparison."""

from __future__ import annotations

import copy
import itertools
import statistics
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from typing import TYPE_CHECKING

from rich import box
from rich.table import Column, Table

from frustration.controls import Contender, baseline_of, control_of
from frustration.report.formatting import DASH, mean, spread, with_interval

if TYPE_CHECKING:
    from rich.console import Console

    from frustration.metric import Metric
    from frustration.network import Shape
    from frustration.protocols import AnyShape
    from frustration.record import TrialRecord

LAYER_ROWS = 8
NAME_WIDTH = 14
"""How narrow the first column may become before columns leave."""
LEAVING = ("CPU", "MFLOP", "at", "95", "accepted", "dendrites", "parameters", "n", "bounty", "p", "control")
"""Columns by the first words of their heads: which leave first where a terminal is too narrow."""
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

    Columns leave by `LEAVING`. What is still too wide, or has nothing to leave, becomes blocks of lines.
    """
    if console.is_terminal:
        table = _merged(table)
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
    return _blocks(table), []


def natural_width(table: Table, console: Console) -> int:
    """How wide it is where nothing is folded."""
    return console.measure(table, options=console.options.update(max_width=10_000)).maximum


def _fits(table: Table, console: Console) -> bool:
    names = [str(cell) for cell in table.columns[0].cells]
    foldable = max(0, max(map(len, names), default=0) - NAME_WIDTH)
    return natural_width(table, console) - foldable <= console.width


def _with(table: Table, columns: Sequence[Column]) -> Table:
    """The same rows with these columns."""
    other = copy.copy(table)
    other.columns = [replace(column, _index=at) for at, column in enumerate(columns)]
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


def network_table(shape: AnyShape) -> Table:
    """One row per layer; of a long list the first and the last."""
    from frustration.network import Shape

    if isinstance(shape, Shape):
        return architecture_table(shape)
    table = plain_table("layer", "units", "parameters")
    rows = shape.layer_sizes()
    left = len(rows) - LAYER_ROWS
    shown = [
        *rows[: LAYER_ROWS - 3],
        ("...", 0, sum(row[2] for row in rows[LAYER_ROWS - 3 : -2])),
        *rows[-2:],
    ]
    for name, units, parameters in shown if left > 0 else rows:
        table.add_row(name, f"{units:,}" if units else "", f"{parameters:,}")
    return table


def architecture_table(shape: Shape) -> Table:
    """One row per layer; runs of equal layers share a row, and so does what is left of a long list."""
    table = plain_table("layer", "units", "parameters")
    rows = _layer_rows(shape.architecture.shapes(shape.features, shape.classes))
    if len(rows) > LAYER_ROWS:
        head, middle, tail = rows[: LAYER_ROWS - 3], rows[LAYER_ROWS - 3 : -2], rows[-2:]
        hidden = f"hidden {middle[0][1]} to {middle[-1][2]}"
        between = (hidden, middle[0][1], middle[-1][2], "...", sum(row[4] for row in middle))
        rows = [*head, between, *tail]
    for name, _, _, units, parameters in rows:
        table.add_row(name, units, f"{parameters:,}")
    return table


_LayerRow = tuple[str, int, int, str, int]
"""Name, first and last layer of the row counted from 1, units, parameters."""


def _layer_rows(shapes: Sequence[tuple[int, int]]) -> list[_LayerRow]:
    rows: list[_LayerRow] = []
    numbered = enumerate(shapes[:-1], start=1)
    for (outputs, inputs), run in itertools.groupby(numbered, key=lambda layer: layer[1]):
        numbers = [number for number, _ in run]
        first, last = numbers[0], numbers[-1]
        name = f"hidden {first}" if first == last else f"hidden {first} to {last}"
        units = f"{outputs:,}" if first == last else f"{len(numbers):,} x {outputs:,}"
        rows.append((name, first, last, units, len(numbers) * outputs * (inputs + 1)))
    outputs, inputs = shapes[-1]
    rows.append(("output", len(shapes), len(shapes), f"{outputs:,}", outputs * (inputs + 1)))
    return rows


def comparison_table(records: Sequence[TrialRecord]) -> Table:
    """One row per mode, in the order asked for."""
    modes = by_mode(records)
    controls = controls_of(records)
    compared = list(dict.fromkeys(control for control in controls.values() if control))
    several = len(compared) > 1
    notes = {
        label: _note(of_mode, modes[control] if (control := controls[label]) else [])
        for label, of_mode in modes.items()
    }
    metric = records[0].spec.metric
    headers = ["mode", "n", f"{metric.column('bounty')}\nmean ± std", "at\nloop"]
    headers += [f"{metric.column('LKG test')}\nmean ± std"]
    sized = len({record.parameters for record in records}) > 1 or any(record.growth for record in records)
    headers += ["dendrites\nmean", "parameters\nmean", "MFLOP\na sample"] if sized else []
    if compared:
        headers.append(
            f"{metric.column('paired test')}\nvs {'its control' if several else _named(compared[0], modes)}"
        )
    headers += ["control"] if several else []
    headers += ["accepted\n% of loops"]
    headers += ["note"] if any(notes.values()) else []
    table = plain_table(*headers, left=(0, len(headers) - 1) if any(notes.values()) else (0,))
    for label, of_mode in modes.items():
        row = [
            label,
            _count(of_mode),
            spread([record.bounty for record in of_mode], metric),
            mean([record.bounty_loop for record in of_mode]),
            spread([record.test_accuracy for record in of_mode], metric),
        ]
        if sized:
            row += [mean([growth["added"] for r in of_mode if (growth := r.growth)]), *_sizes(of_mode)]
        if compared:
            control = controls[label]
            pairs = paired_differences(of_mode, modes[control]) if control else []
            row.append(_with_interval(pairs, metric) if control else "" if several else "control")
            row += [_named(control, modes)] if several else []
        entries = [entry for record in of_mode for entry in record.curve]
        row.append(mean([100.0 * entry.accepted for entry in entries], 0))
        table.add_row(*row, *([notes[label]] if any(notes.values()) else []))
    return table


def _named(control: str | None, modes: Mapping[str, Sequence[TrialRecord]]) -> str:
    """A control by its label, and whether it is a mixed one."""
    if control is None:
        return ""
    return f"{control}, mixed" if any(record.mixed for record in modes[control]) else control


def by_mode(records: Sequence[TrialRecord]) -> dict[str, list[TrialRecord]]:
    modes: dict[str, list[TrialRecord]] = {}
    for record in records:
        modes.setdefault(record.spec.label, []).append(record)
    return modes


def controls_of(records: Sequence[TrialRecord]) -> dict[str, str | None]:
    """The mode that each is compared with; None for what others come down to."""
    arms = [Contender.of(of_mode[0].spec) for of_mode in by_mode(records).values()]
    baseline = baseline_of(arms)
    controls = {arm.label: control_of(arm, arms, baseline) for arm in arms}
    return {label: control.label if control else None for label, control in controls.items()}


def paired_differences(mode: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> list[float]:
    """Test score of a mode minus that of the control, by trial number, where both are known."""
    of_control = {record.spec.trial: record.test_accuracy for record in control}
    return [
        record.test_accuracy - other
        for record in mode
        if record.test_accuracy is not None and (other := of_control.get(record.spec.trial)) is not None
    ]


def _with_interval(differences: Sequence[float], metric: Metric) -> str:
    """`+0.07 (-0.01 to +0.15)`: the mean of paired differences, with the 95 % interval that reports give."""
    import numpy as np

    from frustration.statistics.paired import sign_flip_interval

    if not differences:
        return DASH
    if not any(differences):
        return "identical"
    estimate = sign_flip_interval(np.round(differences, 9), generator=np.random.default_rng(0))
    return with_interval(estimate, metric=metric)


def _count(records: Sequence[TrialRecord]) -> str:
    """How many trials there are, or, of an interrupted comparison, how many of them have begun."""
    begun = sum(record.loop > 0 for record in records)
    return f"{len(records)}" if begun == len(records) else f"{begun}/{len(records)}"


def _sizes(records: Sequence[TrialRecord]) -> tuple[str, str]:
    parameters = statistics.fmean(record.parameters for record in records)
    return f"{parameters:,.0f}", f"{statistics.fmean(record.flops for record in records) / 1e6:.3f}"


def inert_in(record: TrialRecord) -> tuple[str, ...]:
    """Its inert treatments; none of a trial that has no loop to tell by, or was cut off before loop 2."""
    return record.inert if record.curve and (record.finished or record.loop > 1) else ()


def same_as_control(records: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> list[TrialRecord]:
    """The trials that went as the control's of that number did, to the bit, from loop 2 on at least."""
    course_of = {other.spec.trial: _course(other) for other in control}
    return [
        record
        for record in records
        if len(record.curve) > 1 and course_of.get(record.spec.trial) == _course(record)
    ]


def _course(record: TrialRecord) -> list[object]:
    return [record.test_accuracy, *((entry.loop, entry.loss, entry.accuracy) for entry in record.curve)]


def _note(records: Sequence[TrialRecord], control: Sequence[TrialRecord]) -> str:
    notes = []
    if any(record.mixed for record in records):
        notes.append("mixed")
    same = {record.spec.id for record in same_as_control(records, control)}
    inert = sum(bool(inert_in(record)) or record.spec.id in same for record in records)
    if inert:
        notes.append("inert" if inert == len(records) else f"inert {inert} of {len(records)}")
    if any(entry.diverged for record in records for entry in record.curve):
        notes.append("diverged")
    return ", ".join(notes)
