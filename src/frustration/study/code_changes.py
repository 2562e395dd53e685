"""Finished trials whose problem has changed its code since: records stay, and a warning names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from frustration.record import TrialRecord
from frustration.references import ProblemReference
from frustration.spec import TrialSpec
from frustration.study.store import Store


def code_changed(record: TrialRecord) -> bool:
    """Whether its problem has other code than the one that trained it, comments and docstrings left out."""
    if record.spec.problem is None or "code" not in record.numerics:
        return False
    from frustration.engine.module.population import code_digest

    return bool(record.numerics["code"] != code_digest(record.spec.problem))


def code_changes(store: Store, specs: Iterable[TrialSpec]) -> Iterator[str]:
    """A sentence for each problem of which finished trials were trained by other code."""
    finished = store.ids()[0]
    counts: dict[ProblemReference, int] = {}
    for spec in specs:
        if spec.problem and spec.id in finished and code_changed(store.record(spec.id)):
            counts[spec.problem] = counts.get(spec.problem, 0) + 1
    for problem, count in counts.items():
        trials = "trial of {} was" if count == 1 else "trials of {} were"
        yield (
            f"{count:,} finished {trials.format(problem)} trained by other code than it has now, and "
            f"what is recorded is kept; frustration study verify trains some again and compares, and a "
            f"raised version trains all anew"
        )
