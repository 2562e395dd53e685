"""What came back from the cloud, in words: the records of a study, the original's cells, curves from logs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tabulate import tabulate

if TYPE_CHECKING:
    from frustration.cloud.collection import Collection
    from frustration.original.cloud_layout import OriginalResults

SHOWN = 20


def of_study(name: str, found: Collection, root: Path) -> Iterator[str]:
    """What is here of a study, and what is missing with its reason."""
    outcomes = found.outcomes
    have, trials = sum(one.have for one in outcomes), sum(one.trials for one in outcomes)
    yield f"{name}: {have:,} of {trials:,} trials are in {root} ({found.copied:,} of them new)"
    yield from _outcomes("packs", [(f"pack {one.pack} ({one.cells})", one) for one in outcomes])
    if found.differing:
        some = ", ".join(sorted(found.differing)[:3])
        yield (
            f"{len(found.differing):,} trials came back with other results than the records that are here "
            f"({some}); what is here stays, and frustration study verify {name} tells whether it can be "
            f"repeated"
        )
    yield from _remarks(found.remarks)


def of_original(found: OriginalResults, folder: Path) -> Iterator[str]:
    """The same of cells in the layout of the original project."""
    yield f"{len(found.cells):,} of {len(found.outcomes):,} cells of the original's layout are in {folder}"
    yield from _outcomes("cells", [(f"{one.architecture} {one.mode}", one) for one in found.outcomes])
    yield from _remarks(found.remarks)


def _outcomes(what: str, outcomes: Sequence[tuple[str, Any]]) -> Iterator[str]:
    """The states with their counts, and a line for each problem: the state, who, the job, and why."""
    if outcomes:
        yield f"{what}: {_counted([one.state for _, one in outcomes])}"
    for who, one in outcomes:
        if not one.good:
            job = f" [{one.job}]" if one.job else ""
            yield f"  {one.state}: {who}{job}: {one.reason}"


def _remarks(remarks: Sequence[str]) -> Iterator[str]:
    for remark in remarks[:SHOWN]:
        yield f"  not taken: {remark}"
    if len(remarks) > SHOWN:
        yield f"  and {len(remarks) - SHOWN:,} more"


def curves(table: Sequence[dict[str, Any]], jobs: int) -> Iterator[str]:
    """The trials in the logs of jobs."""
    rows = [
        [
            row["job"],
            row["architecture"],
            row["mode"],
            row["trial"],
            row["state"],
            f"{row['loops']}/{row['target']}"
            + (f" ({row['loops_missing']} missing)" if row["loops_missing"] else ""),
            "-" if row["bounty"] is None else f"{row['bounty']:.2f} @ {row['bounty_loop']}",
            "-" if row["test_accuracy"] is None else f"{row['test_accuracy']:.2f}",
        ]
        for row in table
    ]
    heads = ["job", "architecture", "mode", "trial", "state", "loops", "bounty % @ loop", "LKG test %"]
    if rows:
        yield tabulate(rows, heads, disable_numparse=True)
    counts = _counted([row["state"] for row in table])
    yield f"{len(table):,} trials in the logs of {jobs:,} jobs{': ' + counts if counts else ''}"


def _counted(states: Sequence[str]) -> str:
    return ", ".join(f"{states.count(state):,} {state}" for state in dict.fromkeys(states))
