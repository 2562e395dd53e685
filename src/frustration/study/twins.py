"""Trials that are another's computation by arithmetic: trained once, recorded twice.

Decay whose factor rounds to 1, a dose of 0, dendrites whose schedule is longer than the loops: whoever trains
such a trial repeats its control to the bit. Where a study has both, the control is trained, and the record of
the other is made from the control's. It says so in `twin_of`; `verify` trains it all the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from frustration.dendrites.draws import draw_numerics
from frustration.engine.growth.make import begin_growth
from frustration.engine.trial import size_of
from frustration.modes import EpochSettings, Mode, Program, Segment, mode_named
from frustration.protocols import AnyShape
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec


def twin(spec: TrialSpec) -> TrialSpec | None:
    """The trial without the components that cannot act; None where all can, or nobody can know.

    What a problem does with a treatment is its own affair: its trials are always trained.
    """
    if spec.problem:
        return None
    segments = tuple(_acting(segment, spec) for segment in spec.program.segments)
    return None if segments == spec.program.segments else replace(spec, program=Program(segments))


def twins_among(specs: Iterable[TrialSpec]) -> dict[str, str]:
    """By the id of every trial whose twin is among them, too: the id of that twin."""
    specs = tuple(specs)
    ids = {spec.id for spec in specs}
    pairs = ((spec.id, other.id) for spec in specs if (other := twin(spec)) is not None)
    return {one: other for one, other in pairs if other in ids}


def twin_record(spec: TrialSpec, shape: AnyShape, control: TrialRecord) -> TrialRecord:
    """The record that training the trial would have left, from that of its twin."""
    grows = spec.program.grows
    return replace(
        control,
        spec=spec,
        curve=tuple(_entry(spec, shape, entry) for entry in control.curve),
        seconds=0.0,
        numerics=control.numerics | (draw_numerics() if grows and "vector" not in control.numerics else {}),
        growth=_growth(spec, shape, control) if grows else None,
        twin_of=control.spec.id,
    )


def _acting(segment: Segment, spec: TrialSpec) -> Segment:
    """The segment without what cannot act in it; whether the ratchet holds stays as it was."""
    acting = tuple(mode for mode in segment.components if not _idle(mode, segment, spec))
    if acting == segment.components:
        return segment
    if not segment.ratchet and all(mode.ratchet for mode in acting):
        acting = (*acting, mode_named("plain")())
    return replace(segment, components=acting or (mode_named("none")(),))


def _idle(mode: Mode, segment: Segment, spec: TrialSpec) -> bool:
    if mode is segment.growing and (segment.ratchet or segment.range):
        return False  # it grows at moments that are not its own schedule's
    return mode.idle(EpochSettings(learning_rate=spec.learning_rate), spec.meta_loops)


def _entry(spec: TrialSpec, shape: AnyShape, entry: LoopEntry) -> LoopEntry:
    """The loop as a trial sees it whose idle components said what they did: nothing."""
    segment = spec.program.at(entry.loop)
    settings = EpochSettings(learning_rate=spec.learning_rate)
    evidence = dict(entry.evidence)
    for mode in segment.components:
        settings = mode.training(settings)
        if _idle(mode, segment, spec) and (said := mode.training_evidence(settings)):
            evidence[mode.name] = said
    size: Mapping[str, Any] = size_of(shape) if spec.program.grows else {}
    return replace(entry, mode=segment.label(), evidence=evidence, **size)


def _growth(spec: TrialSpec, shape: AnyShape, control: TrialRecord) -> dict[str, Any]:
    """What a schedule that is longer than the loops says at their end."""
    growth = begin_growth(spec.program.at(1), seed=0, maximize=spec.metric.better == "higher")
    network = shape.view(np.zeros(shape.size, np.float32))
    for entry in control.curve:
        if entry.accuracy is not None and not entry.diverged:
            score = spec.metric.for_schedule(entry.accuracy)
            growth.follow(entry.loop, entry.accuracy, score, network, entry.accepted)
    return {"added": 0, **growth.summary()}
