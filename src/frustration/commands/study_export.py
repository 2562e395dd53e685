"""study export: all trials of a study, or all their curves, as CSV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from frustration.commands import study_flags as flags
from frustration.commands.study_tables import complain

if TYPE_CHECKING:
    from frustration.study.store import Store

AXES = ("architecture", "mode", "trial", "dataset", "train_fraction", "learning_rate", "seed")
CURVE = ("loop", "loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "adopted", "diverged")


def run_export(arguments: list[str]) -> int:
    options = flags.export_parser().read(arguments)
    from frustration.files import write_atomically
    from frustration.sinks import csv_text

    store = flags.open_store(options)
    rows = _curve_rows(store) if options.curves else _trial_rows(store)
    text = csv_text(rows)
    if options.output is None:
        print(text, end="")
    else:
        write_atomically(options.output, text.encode())
    return 0


def _trial_rows(store: Store) -> Iterator[Sequence[Any]]:
    lines = store.summaries(complain)
    for number, line in enumerate(lines):
        if number == 0:
            yield list(line)
        yield ["+".join(value) if isinstance(value, list) else value for value in line.values()]


def _curve_rows(store: Store) -> Iterator[Sequence[Any]]:
    yield ["id", *AXES, *CURVE]
    for record in store.records(complain):
        spec = record.spec
        axes = (spec.dataset, spec.train_fraction, spec.learning_rate, spec.seed)
        who = [spec.id, str(spec.architecture), spec.label, spec.trial, *axes]
        for entry in record.curve:
            yield [*who, *(getattr(entry, name) for name in CURVE)]
