"""When the first dendrite is to be expected, and whether a trial has loops enough for it."""

from __future__ import annotations

import math
from collections.abc import Iterable

from frustration.dendrites.schedule import Schedule
from frustration.modes.dendrites import Dendrites
from frustration.spec import TrialSpec

PLATEAU_LOOP, PLATEAU_RATE, PLATEAU_POWER = 26.0, 1e-3, 0.43
"""Where validation accuracy on MNIST first stops rising, by learning rate, in batches of 256: after about
26 loops at 1e-3 and 70 at 1e-4, less than an order of magnitude for one."""


def first_growth(spec: TrialSpec) -> int | None:
    """The loop after which the first dendrite is to be expected; None where none can grow."""
    mode = _growing(spec)
    earliest = None if mode is None else Schedule(mode).loops_before_first_switch()
    if mode is None or earliest is None or mode.switch_mode != "history":
        return earliest
    steps = (
        256 / spec.batch_size * spec.train_fraction * spec.passes
    )  # the more a loop has, the sooner the plateau
    plateau = PLATEAU_LOOP * (PLATEAU_RATE / spec.learning_rate) ** PLATEAU_POWER / steps
    return int(max(earliest, math.ceil(plateau) + mode.n_epochs_to_switch))


def outlooks(specs: Iterable[TrialSpec]) -> list[str]:
    """The warnings of many trials, each once."""
    return sorted({f'mode "{spec.label}": {said}' for spec in specs if (said := outlook(spec))})


def outlook(spec: TrialSpec) -> str | None:
    """A warning in one sentence, where a trial is likely to end before its schedule begins to act."""
    mode, expected = _growing(spec), first_growth(spec)
    if mode is None or expected is None or expected < spec.meta_loops:
        return None
    earliest = Schedule(mode).loops_before_first_switch() or 1
    certain = earliest >= spec.meta_loops
    acts = f"cannot act before loop {earliest}" if certain else f"will hardly act before loop {expected}"
    return (
        f"its schedule {acts} at learning rate {spec.learning_rate:g}, and there are {spec.meta_loops} "
        f"loops; use more --meta-loops, a larger --lr or a smaller n_epochs_to_switch"
    )


def _growing(spec: TrialSpec) -> Dendrites | None:
    return next((segment.growing for segment in spec.program.segments if segment.growing), None)
