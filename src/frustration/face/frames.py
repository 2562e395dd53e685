"""Records as rows for further analysis: one per trial, or one per loop of each trial."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from frustration.errors import InputError
from frustration.record import TrialRecord

if TYPE_CHECKING:
    import pandas

LOOP = ("loss", "before", "damaged", "accuracy", "accepted", "new_bounty", "diverged", "dendrites")
"""What a row says of a loop; docs/file-formats.md explains each."""


def trial_rows(records: Iterable[TrialRecord]) -> Iterator[dict[str, Any]]:
    """One for each trial, finished or not."""
    for record in records:
        yield {
            **_who(record),
            "loops": record.loop,
            "finished": record.finished,
            "bounty": record.bounty,
            "bounty_loop": record.bounty_loop,
            "test_accuracy": record.test_accuracy,
            "accepted": sum(entry.accepted for entry in record.curve),
            "inert": ", ".join(record.inert),
            "dendrites": None if record.growth is None else record.growth["added"],
            "parameters": record.parameters,
            "flops": record.flops,
            "seconds": record.seconds,
        }


def loop_rows(records: Iterable[TrialRecord]) -> Iterator[dict[str, Any]]:
    """One for each loop of each trial."""
    for record in records:
        who = _who(record)
        for entry in record.curve:
            yield {**who, "loop": entry.loop, **{name: getattr(entry, name) for name in LOOP}}


def _who(record: TrialRecord) -> dict[str, Any]:
    spec = record.spec
    return {
        "id": spec.id,
        "architecture": str(spec.problem or spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "dataset": spec.dataset,
        "train_fraction": spec.train_fraction,
        "learning_rate": spec.learning_rate,
        "batch_size": spec.batch_size,
        "seed": spec.seed,
    }


def frame(rows: Iterable[Mapping[str, Any]]) -> pandas.DataFrame:
    """The rows as a pandas DataFrame."""
    try:
        import pandas
    except ImportError:
        raise InputError(
            "a data frame needs pandas: pip install 'frustration-engine[tables]'; .rows() does without"
        ) from None
    return pandas.DataFrame(list(rows))
