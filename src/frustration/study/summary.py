"""The summary of a record for lists and tables: all but the curve. One line of a store's index."""

from __future__ import annotations

from typing import Any, Final

from frustration.record_reading import SCORE, RecordHead
from frustration.typed import LIST, TEXT, Table, real, whole

SUMMARY: Final[Table] = {
    "id": TEXT,
    "architecture": TEXT,
    "mode": TEXT,
    "trial": whole(),
    "seed": whole(),
    "dataset": TEXT,
    "train_fraction": real(0, 1),
    "learning_rate": real(0),
    "meta_loops": whole(1),
    "bounty": SCORE.or_null(),
    "bounty_loop": whole(1).or_null(),
    "test_accuracy": SCORE.or_null(),
    "accepted": whole(),
    "diverged": whole(),
    "inert": LIST,
    "loops": whole(),
    "dendrites": whole().or_null(),
    "parameters": whole(),
    "flops": whole(),
    "seconds": real(0),
    "backend": TEXT.or_null(),
}


def summary(found: RecordHead) -> dict[str, Any]:
    """The line of a record."""
    spec, fields = found.spec, found.fields
    growth = fields.get("growth")
    return {
        "id": fields["id"],
        "architecture": str(spec.architecture),
        "mode": spec.label,
        "trial": spec.trial,
        "seed": spec.seed,
        "dataset": spec.dataset,
        "train_fraction": spec.train_fraction,
        "learning_rate": spec.learning_rate,
        "meta_loops": spec.meta_loops,
        "bounty": fields["bounty"],
        "bounty_loop": fields["bounty_loop"],
        "test_accuracy": fields["test_accuracy"],
        "accepted": sum(found.columns.accepted),
        "diverged": sum(found.columns.diverged),
        "inert": list(fields["inert"]),
        "loops": fields["loop"],
        "dendrites": growth["added"] if growth else None,
        "parameters": fields["parameters"],
        "flops": fields["flops"],
        "seconds": fields["seconds"],
        "backend": fields["numerics"].get("backend"),
    }
