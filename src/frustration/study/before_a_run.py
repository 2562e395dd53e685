"""Warnings before a study trains, one sentence each."""

from __future__ import annotations

from collections.abc import Iterator

from frustration.engine.backends import fallback, stacked_or_plain
from frustration.engine.growth.outlook import outlooks
from frustration.study.code_changes import code_changes
from frustration.study.run import Prepared
from frustration.study.store import Store


def before_a_run(prepared: Prepared, store: Store, backend: str | None) -> Iterator[str]:
    """Of a missing native engine (unless a `backend` was asked for), problems that are not stacked, too few
    loops for growth, and records made by other code."""
    if instead := fallback(backend, (prepared.backend, prepared.device)):
        yield instead
    yield from plain_loops(prepared)
    yield from outlooks(prepared.specs)
    yield from code_changes(store, prepared.specs)


def plain_loops(prepared: Prepared) -> Iterator[str]:
    """Why problems of a stacked study are trained by the plain loop."""
    for problem in prepared.study.problems if prepared.study.stacked else ():
        why = stacked_or_plain(problem, prepared.device)[1]
        if why:
            yield f"{problem}: {why}"
