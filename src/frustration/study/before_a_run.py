"""Warnings before a study trains, one sentence each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from frustration.engine.backends import fallback, stacked_or_plain
from frustration.engine.growth.outlook import outlooks
from frustration.errors import last_line
from frustration.study import manifest
from frustration.study.code_changes import code_changes
from frustration.study.run import Prepared
from frustration.study.store import Store


def before_a_run(prepared: Prepared, store: Store, backend: str | None) -> Iterator[str]:
    """Of damaged files, problems that raise, a missing native engine (unless a `backend` was asked for),
    problems that are not stacked, too few loops for growth, and records made by other code."""
    damaged = store.listed()[1]
    yield from map(str, damaged.values())
    if said := manifest.damage(store.root):
        yield said
    yield from store.lost_checkpoints()
    yield from raising(prepared)
    if instead := fallback(backend, (prepared.backend, prepared.device)):
        yield instead
    yield from plain_loops(prepared)
    yield from outlooks(prepared.specs)
    yield from code_changes(store, (spec for spec in prepared.specs if spec.id not in damaged))


def raising(prepared: Prepared) -> Iterator[str]:
    """What stops trials before they can be trained, and how many."""
    causes = Counter(last_line(text) for text in prepared.raising.values())
    for cause, count in causes.items():
        yield f"{cause}, so {count:,} {'trial fails' if count == 1 else 'trials fail'}"


def plain_loops(prepared: Prepared) -> Iterator[str]:
    """Why problems of a stacked study are trained by the plain loop."""
    lost = {spec.problem for spec in prepared.lost}
    for problem in prepared.study.problems if prepared.study.stacked else ():
        if problem in lost:
            continue
        why = stacked_or_plain(problem, prepared.device)[1]
        if why:
            yield f"{problem}: {why}"
