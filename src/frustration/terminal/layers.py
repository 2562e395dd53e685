"""The layers of a network as a table."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from frustration.terminal.table import plain_table

if TYPE_CHECKING:
    from rich.table import Table

    from frustration.network import Shape
    from frustration.protocols import AnyShape

LAYER_ROWS = 8


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
