"""A study as rows for CSV: one per trial or loop, and best scores in the columns of perforatedai."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from frustration.sinks import csv_text

if TYPE_CHECKING:
    from frustration.record import TrialRecord
    from frustration.study.store import Store

Complain = Callable[[str], None]
"""Gets a sentence about each record that cannot be read."""
BEST = ("Param Counts", "Max Valid Scores", "Test Scores")
"""The columns of perforatedai's best_test_scores.csv: a row for every size of the network."""
AXES = ("architecture", "mode", "trial", "dataset", "train_fraction", "learning_rate", "seed")
CURVE = ("loop", "loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "adopted", "diverged")


def trial_rows(store: Store, complain: Complain) -> Iterator[Sequence[Any]]:
    lines = store.summaries(complain)
    for number, line in enumerate(lines):
        if number == 0:
            yield list(line)
        yield ["+".join(value) if isinstance(value, list) else value for value in line.values()]


def curve_rows(store: Store, complain: Complain) -> Iterator[Sequence[Any]]:
    yield ["id", *AXES, *CURVE]
    for record in store.records(complain):
        spec = record.spec
        axes = (spec.dataset, spec.train_fraction, spec.learning_rate, spec.seed)
        who = [spec.id, str(spec.architecture), spec.label, spec.trial, *axes]
        for entry in record.curve:
            yield [*who, *(getattr(entry, name) for name in CURVE)]


def best_scores(store: Store, folder: Path, complain: Complain) -> Iterator[tuple[Path, str]]:
    """(file, content) for every trial, each in a folder of its own, as perforatedai leaves them."""
    for record in store.records(complain):
        run = record.spec.folder
        yield folder / run / f"{run.name}_best_test_scores.csv", csv_text([BEST, *_best_rows(record)])


def _best_rows(record: TrialRecord) -> Iterator[Sequence[Any]]:
    """Parameters, best validation score, and that network's test score, which is known of the LKG alone.

    Accuracies are shares here, as the library has them.
    """
    metric, best = record.spec.metric, dict[int, tuple[int, float]]()
    for entry in record.curve:
        size, score = entry.parameters or record.parameters, entry.accuracy
        if score is None or entry.diverged:
            continue
        if size not in best or metric.beats(score, best[size][1]):
            best[size] = entry.loop, score
    for size, (loop, score) in sorted(best.items()):
        test = record.test_accuracy if loop == record.bounty_loop else None
        yield size, metric.for_schedule(score), None if test is None else metric.for_schedule(test)
