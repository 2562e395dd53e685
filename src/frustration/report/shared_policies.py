"""Policies that all treatments of a study share are said once, and left out of their names."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from frustration.report.formatting import code
from frustration.report.results import StudyResults


def share_policies(results: StudyResults) -> StudyResults:
    """`hidden/ties` beside `none/ties` as `hidden` and `none`; as it was where some have other policies."""
    policies = {cell.departures for cell in results.cells}
    shared = policies.pop() if len(policies) == 1 else ""
    if not shared:
        return results
    names = {cell.label: cell.label.removesuffix(shared) for cell in results.cells}
    return replace(
        results,
        cells=tuple(replace(cell, label=names[cell.label]) for cell in results.cells),
        failures=tuple(replace(one, label=one.label.removesuffix(shared)) for one in results.failures),
        plan=results.plan.labelled(names),
        shared=shared,
    )


def shared_sentence(results: StudyResults) -> Iterator[str]:
    """What the names leave out; nothing where they are whole."""
    if results.shared:
        yield f"Every treatment is {code(f'NAME{results.shared}')}: the names here leave that out."
