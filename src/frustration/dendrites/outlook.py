"""When the first dendrite is to be expected, and whether a trial has loops enough for it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from frustration.dendrites.schedule import Schedule
from frustration.modes import Segment
from frustration.spec import TrialSpec

PLATEAU_LOOP, PLATEAU_RATE, PLATEAU_POWER = 24.0, 1e-3, 0.43
"""After how many loops validation accuracy on MNIST, in batches of 256, first stops rising. [1*32] at 1e-3
first grew after 27 to 42 loops, 10 of them patience (median 33.5 of 10 trials). The power, 2.7 times as
many loops for a tenth of the rate, is a rule of thumb."""


def first_growth(spec: TrialSpec) -> int | None:
    """The loop after which the first dendrite is to be expected; None where none can grow."""
    segment = _growing(spec)
    mode = segment.growing if segment else None
    if mode is None or segment is None:
        return None
    if segment.ratchet:
        return mode.n_epochs_to_switch + 2  # so many loops without an acceptance are common from early on
    earliest = Schedule(mode).loops_before_first_switch()
    if earliest is None or mode.switch_mode != "history":
        return earliest
    # The more steps a loop has, the sooner the plateau.
    steps = 256 / spec.batch_size * spec.train_fraction * spec.passes
    plateau = PLATEAU_LOOP * (PLATEAU_RATE / spec.learning_rate) ** PLATEAU_POWER / steps
    return int(max(earliest, math.ceil(plateau) + mode.n_epochs_to_switch))


def outlooks(specs: Iterable[TrialSpec]) -> list[str]:
    """The warnings of many trials, each once."""
    return sorted({f'mode "{spec.label}": {said}' for spec in specs if (said := outlook(spec))})


def outlook(spec: TrialSpec) -> str | None:
    """A warning in one sentence, where a trial is likely to end before its schedule begins to act."""
    segment, expected = _growing(spec), first_growth(spec)
    if segment is None or segment.growing is None or expected is None or expected < spec.meta_loops:
        return None
    earliest = Schedule(segment.growing).loops_before_first_switch() or 1
    certain = earliest >= spec.meta_loops
    acts = f"cannot act before loop {earliest}" if certain else f"will hardly act before loop {expected}"
    return (
        f"its schedule {acts} at learning rate {spec.learning_rate:g}, and there are {spec.meta_loops} "
        f"loops; use more --meta-loops, a larger --lr or a smaller n_epochs_to_switch"
    )


def _growing(spec: TrialSpec) -> Segment | None:
    return next((segment for segment in spec.program.segments if segment.growing), None)
