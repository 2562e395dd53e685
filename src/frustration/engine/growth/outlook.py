"""When the first dendrite can be expected, and whether a trial has enough loops for it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from frustration.dendrites.schedule import Schedule
from frustration.modes import Segment
from frustration.spec import TrialSpec

PLATEAU_LOOP, PLATEAU_RATE, PLATEAU_POWER = 24.0, 1e-3, 0.52
"""After how many loops validation accuracy on MNIST, in batches of 256, first stops rising: [1*32] at 1e-3
first grew after 27 to 42 loops, 10 of them patience (median 33.5 of 10 trials), at 1e-4 after 73 to 96 (the
9 of 10 trials that grew within 100 loops). One network: others grew sooner, so it is an example, no forecast.
"""
EXAMPLE = (
    "on MNIST [1*32] first grew after 27 to 42 loops at learning rate 0.001 and after 73 to 96 at 0.0001, "
    "other networks sooner or later"
)


def _loops_before(spec: TrialSpec, segment: Segment) -> tuple[int, int] | None:
    """After how many loops of its range a segment can grow, and after how many [1*32] would."""
    mode = segment.growing
    if mode is None:
        return None
    if segment.ratchet:
        # Loop 1 is accepted; so many loops in a row that are not are common from early on.
        least = mode.n_epochs_to_switch + (1 if segment.first == 1 else 0)
        return least, least
    earliest = Schedule(mode).loops_before_first_switch()
    if earliest is None or mode.switch_mode != "history":
        return None if earliest is None else (earliest, earliest)
    # The more steps a loop has, the sooner the plateau. Loops before this range count for it.
    steps = 256 / spec.batch_size * spec.train_fraction * spec.passes
    plateau = PLATEAU_LOOP * (PLATEAU_RATE / spec.learning_rate) ** PLATEAU_POWER / steps
    left = max(0, math.ceil(plateau) - (segment.first - 1))
    return earliest, max(earliest, left + mode.n_epochs_to_switch)


def outlooks(specs: Iterable[TrialSpec]) -> list[str]:
    """The warnings of many trials, each once."""
    return sorted({f'mode "{spec.label}": {said}' for spec in specs if (said := outlook(spec))})


def outlook(spec: TrialSpec) -> str | None:
    """A warning in one sentence, where a trial will or may end before its schedule begins to act."""
    segment = _growing(spec)
    after = _loops_before(spec, segment) if segment else None
    if segment is None or after is None:
        return None
    before = segment.first - 1
    last = min(segment.last or spec.meta_loops, spec.meta_loops)
    earliest, expected = (before + loops for loops in after)
    if expected < last:
        return None
    ends = f"there are {last} loops" if last == spec.meta_loops else f"its loops end with {last}"
    if earliest < last:
        acts = f"may act late or never at learning rate {spec.learning_rate:g}, and {ends} ({EXAMPLE})"
    else:
        acts = f"cannot act before loop {earliest}, and {ends}"
    return f"its schedule {acts}; use more --meta-loops, a larger --lr or a smaller n_epochs_to_switch"


def _growing(spec: TrialSpec) -> Segment | None:
    return next((segment for segment in spec.program.segments if segment.growing), None)
