"""The view of `sagemaker-status`: the packs of a study in the cloud."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from rich.text import Text

from frustration.cloud.status import PackState, Snapshot
from frustration.runners.meter import clock_face
from frustration.terminal.table import plain_table
from frustration.terminal.view import Show

if TYPE_CHECKING:
    from rich.console import RenderableType

ROWS = 20


class CloudShow(Show[Snapshot, None]):
    """Looks at a study in the cloud, one after another."""

    def __init__(self) -> None:
        self._state: dict[str, Any] = {}
        self._changed = False

    @property
    def stays(self) -> bool:
        return True

    def tell(self, event: Snapshot) -> Iterator[RenderableType]:
        state = {**event.to_dict(), "as_of": None}
        self.snapshot, self._changed, self._state = event, state != self._state, state
        return iter(())

    def lines(self, event: Snapshot) -> Iterator[str]:
        if self._changed:
            yield f"{event.now:%F %T}Z  {headline(event)}"

    def picture(self, width: int, height: int) -> list[RenderableType]:
        return list(whole(self.snapshot, max(3, height - 8)))

    def json(self, event: Snapshot) -> dict[str, Any] | None:
        list(self.tell(event))
        return event.to_dict() if self._changed else None


def whole(snapshot: Snapshot, rows: int = ROWS) -> Iterator[RenderableType]:
    """What runs, what is broken, and what to do next; of many jobs the first."""
    yield Text(headline(snapshot))
    if running := snapshot.running:
        yield ""
        table = plain_table("job", "phase", "since", "planned", "trials", "interrupted", left=(0, 1))
        for pack in running[:rows]:
            table.add_row(*_row(pack, snapshot))
        yield table
        if len(running) > rows:
            yield f"and {len(running) - rows:,} more"
    if broken := snapshot.broken:
        yield ""
        for pack in broken[:rows]:
            why = f": {pack.reason}" if pack.reason else ""
            yield Text(f"{pack.state}: {pack.job} (attempt {pack.attempts}){why}", no_wrap=True)
        if len(broken) > rows:
            yield f"and {len(broken) - rows:,} more"
        yield f"sagemaker-launch {snapshot.study} launches these again"
    if snapshot.complete:
        yield f"all is done; sagemaker-results-parser {snapshot.study} brings it home"


def headline(snapshot: Snapshot) -> str:
    """`paper-98: 3 of 8 trials finished (38 %); packs: 1 done, 1 running`."""
    counts = ", ".join(f"{count:,} {state}" for state, count in snapshot.counts.items())
    share = 100 * snapshot.finished / snapshot.trials if snapshot.trials else 0
    return (
        f"{snapshot.study}: {snapshot.finished:,} of {snapshot.trials:,} trials finished ({share:.0f} %); "
        f"packs: {counts}"
    )


def _row(pack: PackState, snapshot: Snapshot) -> list[str]:
    facts = pack.facts
    return [
        pack.job,
        facts.phase if facts else "-",
        clock_face(pack.elapsed(snapshot.now)),
        clock_face(pack.planned_seconds),
        f"{pack.finished:,}/{pack.trials:,}",
        str(facts.interruptions) if facts else "-",
    ]
