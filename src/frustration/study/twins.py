"""Twins: trials whose computation is identical to that of another. Trained once, recorded twice.

Decay whose factor rounds to 1, a dose of 0, dendrites whose schedule is longer than the loops: whoever trains
such a trial repeats its control to the bit. Where a study has both, the control is trained, and the record of
the other is made from the control's. It says so in `twin_of`; `verify` trains it all the same.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

import numpy as np

from frustration.dendrites.draws import draw_numerics
from frustration.engine.group import Member
from frustration.engine.growth.make import begin_growth
from frustration.engine.trial import size_of
from frustration.files import read_file
from frustration.modes import EpochSettings, Evidence, Mode, Program, Segment, mode_named
from frustration.protocols import AnyShape
from frustration.record import LoopEntry, TrialRecord
from frustration.record_reading import RecordError
from frustration.spec import TrialSpec
from frustration.study.store import Store


@dataclass(frozen=True)
class Twins:
    """Trials that are not trained, by the id of the one that is trained in their place."""

    by_control: Mapping[str, Sequence[Member]]

    @property
    def all(self) -> Iterator[Member]:
        return chain.from_iterable(self.by_control.values())

    def settle(self, store: Store) -> None:
        """Keep those whose control has come to its end, here or in another process."""
        done, failed = store.ids()
        for control_id in self.by_control.keys() & done:
            if any(planned.spec.id not in done for planned in self.by_control[control_id]):
                with contextlib.suppress(RecordError):  # readers of the study report it
                    self.finish(store, store.record(control_id))
        if self.by_control.keys() & failed:
            for failure in store.failures():
                self.fail(store, failure["id"], failure["traceback"])

    def finish(self, store: Store, control: TrialRecord) -> list[TrialRecord]:
        """Keep the twins of a finished trial, networks and all."""
        twins = self.by_control.get(control.spec.id, ())
        records = [twin_record(planned.spec, planned.shape, control) for planned in twins]
        network = store.network_path(control.spec.id)
        for record in records:
            if network.exists():
                store.write_network(record.spec.id, read_file(network, most=math.inf))
            store.write_record(record)
        return records

    def fail(self, store: Store, control_id: str, traceback: str) -> list[str]:
        """Keep that what ended a trial would have ended its twins, too."""
        twins = self.by_control.get(control_id, ())
        for planned in twins:
            store.write_failure(planned.spec.id, planned.spec.to_dict(), traceback)
        return [planned.spec.id for planned in twins]


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
    size: Mapping[str, Any] = size_of(shape) if grows else {}
    said = {segment.first: _said(segment, spec) for segment in spec.program.segments}

    def entry(one: LoopEntry) -> LoopEntry:
        segment = spec.program.at(one.loop)
        evidence = {**one.evidence, **said[segment.first]}
        return replace(one, mode=segment.label(), evidence=evidence, **size)

    return replace(
        control,
        spec=spec,
        curve=tuple(map(entry, control.curve)),
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


def _said(segment: Segment, spec: TrialSpec) -> dict[str, Evidence]:
    """What the idle components of a segment say of every loop: that they did nothing."""
    settings = EpochSettings(learning_rate=spec.learning_rate)
    found = {}
    for mode in segment.components:
        settings = mode.training(settings)
        if _idle(mode, segment, spec) and (said := mode.training_evidence(settings)):
            found[mode.name] = said
    return found


def _growth(spec: TrialSpec, shape: AnyShape, control: TrialRecord) -> dict[str, Any]:
    """What a schedule that is longer than the loops says at their end."""
    growth = begin_growth(spec.program.at(1), seed=0, maximize=spec.metric.better == "higher")
    network = shape.view(np.zeros(shape.size, np.float32))
    for entry in control.curve:
        if entry.accuracy is not None and not entry.diverged:
            score = spec.metric.for_schedule(entry.accuracy)
            growth.follow(entry.loop, entry.accuracy, score, network, entry.accepted)
    return {"added": 0, **growth.summary()}
