"""The state of one trial between two loops, and the rules by which a loop changes it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frustration.curve_file import NOTHING_KEPT, CurveEnd
from frustration.engine.growth.make import begin_growth
from frustration.engine.growth.protocol import ExternalSchedule, Growth
from frustration.engine.population import Epoch, OptimizerState, Order
from frustration.modes import EpochSettings, Evidence, LoopContext, Segment
from frustration.protocols import AnyNetwork, AnyShape, Vector
from frustration.record import LoopEntry, TrialRecord
from frustration.record_reading import SHARED
from frustration.spec import TrialSpec
from frustration.streams import Streams
from frustration.treatment import Session


@dataclass(kw_only=True, eq=False)
class RunnerUp:
    """The best of the candidates discarded since the last acceptance; `patience` may fall back on it."""

    network: AnyNetwork
    accuracy: float
    loop: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Candidate:
    """A network that was treated, and how it is to be trained."""

    network: AnyNetwork
    segment: Segment
    epoch: Epoch
    evidence: dict[str, Evidence]
    damaged: bool
    """Whether any weight was changed, so that accuracy right after it is worth measuring."""


@dataclass(kw_only=True, eq=False)
class Result:
    """What came out of a candidate's epoch. Weights and moments are fetched only if they are wanted."""

    loss: float
    damaged: float | None
    accuracy: float | None
    """Validation accuracy in percent; None where the outputs were not finite."""
    shape: AnyShape
    fetch_weights: Callable[[], Vector]
    fetch_moments: Callable[[], OptimizerState]

    @property
    def diverged(self) -> bool:
        return self.accuracy is None or not math.isfinite(self.loss)

    @functools.cached_property
    def network(self) -> AnyNetwork:
        """One object, whatever it becomes: a base that is the LKG is kept once."""
        return self.shape.view(self.fetch_weights())


@dataclass(kw_only=True, eq=False)
class Trial:
    """One trial. Its loop count, base and LKG are what a checkpoint keeps."""

    spec: TrialSpec
    shape: AnyShape
    """Of the network it began with; the base and the LKG may have grown since."""
    base: AnyNetwork
    """Where the next candidate starts: the LKG itself under `strict` with the ratchet."""
    lkg: AnyNetwork
    """The network with the best validation accuracy so far: the Last Known Good."""
    loop: int = 0
    base_accuracy: float | None = None
    bounty: float | None = None
    bounty_loop: int | None = None
    moments: OptimizerState | None = None
    failures: int = 0
    patience: int = 0
    runner_up: RunnerUp | None = None
    growth: Growth | None = None
    """What the growth of dendrites depends on, once it has begun."""
    external_schedule: ExternalSchedule | None = None
    """An external schedule that replaces ours while a backend trains it."""
    stopped: bool = False
    """Its schedule has ended before its loops did."""
    curve: list[LoopEntry] = field(default_factory=list)
    kept: CurveEnd = NOTHING_KEPT
    """How much of the curve is in its file."""
    test_accuracy: float | None = None
    seconds: float = 0.0
    numerics: dict[str, Any] = field(default_factory=dict)
    past_numerics: list[dict[str, Any]] = field(default_factory=list)
    """Other numerics that it was trained under before, each with the last loop under it."""
    sessions: list[Session] = field(default_factory=list)
    """Of `train`, the oldest first; none of a trial of a study."""
    continued: bool = False
    ended: bool = False
    """Since its last loop its LKG was tested and its record written."""
    unscored: bool = False
    """The LKG came without its accuracy, which has to be measured before anything is compared with it."""

    @classmethod
    def fresh(cls, spec: TrialSpec, shape: AnyShape) -> Trial:
        weights = shape.initial(Streams(spec.seed, spec.trial, spec.architecture).stream("init", loop=1))
        network = shape.view(weights)
        return cls(
            spec=spec,
            shape=shape,
            base=network,
            lkg=network,
            patience=spec.acceptance.patience,
        )

    @property
    def finished(self) -> bool:
        return self.stopped or self.loop >= self.spec.meta_loops

    @property
    def complete(self) -> bool:
        """Whether nothing is left to do: it is finished, its LKG is tested, its record is written."""
        return self.finished and self.ended

    @property
    def keeps_moments(self) -> bool:
        return self.spec.optimizer != "fresh"

    @property
    def _streams(self) -> Streams:
        return Streams(self.spec.seed, self.spec.trial, self.spec.architecture)

    def order(self, samples: int) -> Order:
        """The order of the training samples in the next loop: each once, unless loops have other lengths."""
        if self.spec.loop_steps is not None:
            length = self.spec.loop_steps * self.spec.batch_size
            return self._streams.stretch(self.loop * length, length, samples)
        return self._streams.order(self.loop + 1, samples, round(samples * self.spec.passes))

    def clone(self) -> AnyNetwork:
        """A copy of the base: the next candidate. Where a schedule turns the ratchet on, that is the LKG."""
        at = self.spec.program.at
        if self.loop > 0 and at(self.loop + 1).ratchet and not at(self.loop).ratchet:
            self.rebase_on_lkg()
        return self.base.copy()

    def intervene(self, candidate: AnyNetwork, order: Order, probe: Any) -> Candidate:
        """Treat a copy of the base in place, from global loop 2 on, and plan its epoch.

        `probe` [images, features] is what modes may judge units by.
        """
        loop = self.loop + 1
        segment = self.spec.program.at(loop)
        steps = math.ceil(len(order) / self.spec.batch_size)
        context = LoopContext(self._streams, loop, probe, steps)
        settings = EpochSettings(learning_rate=self.spec.learning_rate)
        evidence: dict[str, Evidence] = {}
        growing = self._begin_growth(segment)
        untreated = self.base
        if growing:
            candidate, evidence[growing.name] = growing.treat(candidate)
            untreated = untreated if candidate.shape == untreated.shape else candidate.copy()
        for mode in segment.components:
            settings = mode.training(settings)
            done = mode.intervene(candidate, context) if loop > 1 else {}
            if done := {**evidence.get(mode.name, {}), **done, **mode.training_evidence(settings)}:
                evidence[mode.name] = done
        if growing:
            settings = growing.training(settings, candidate.shape)
        # Grown just now, a network has weights that AdamW knows nothing of.
        moments = self.moments if self.keeps_moments and untreated is self.base else None
        if moments is not None and self.spec.optimizer == "persist-masked":
            moments = moments.without(candidate.vector != untreated.vector)
        return Candidate(
            network=candidate,
            segment=segment,
            epoch=Epoch(
                order=order, settings=settings, dropout_key=self._streams.dropout_key(loop), moments=moments
            ),
            evidence={name: done for name, done in evidence.items() if done},
            damaged=not np.array_equal(candidate.vector, untreated.vector),
        )

    def _begin_growth(self, segment: Segment) -> Growth | None:
        """What follows the dendrites in a segment; begun when a segment that grows them is entered."""
        mode = segment.growing
        if mode is None:
            return None
        if self.growth is None or not self.growth.belongs_to(segment):
            earlier = self.growth.summary()["attempts"] if self.growth else []
            seed = self._streams.growth_seed(self.loop + 1)
            self.growth = begin_growth(segment, seed, earlier, self.spec.metric.better == "higher")
        if self.external_schedule is not None:
            self.growth.hand_over(self.external_schedule, self.base)
        return self.growth

    def judge(self, candidate: Candidate, result: Result) -> LoopEntry:
        """Accept or discard a trained candidate; the trial moves on by one loop."""
        metric = self.spec.metric
        self.loop += 1
        self.ended = False
        before = self.base_accuracy
        bounty = accepted = False
        adopted = None
        shape = result.shape
        if result.accuracy is not None and not result.diverged:
            bounty = self.bounty is None or metric.beats(result.accuracy, self.bounty)
            accepted = not candidate.segment.ratchet or self.spec.acceptance.accepts(
                result.accuracy, before, metric
            )
            if bounty:
                self.bounty, self.bounty_loop = result.accuracy, self.loop
                self.lkg = result.network
                self.test_accuracy = None
                self.patience = self.spec.acceptance.patience
            if accepted:
                self._rebase(result.network, result.accuracy)
            # A network that was discarded with what had grown on it leaves the base's moments alone.
            if self.keeps_moments and shape == self.base.shape:
                self.moments = result.fetch_moments()
        if not accepted:
            adopted = self._lose_patience(result)
        if self.growth is not None and candidate.segment.growing:
            self._follow_growth(self.growth, candidate, result, accepted)
        if self.growth is not None and adopted is not None:
            self.growth.adopt(adopted)
        entry = LoopEntry(
            loop=self.loop,
            mode=candidate.segment.label(),
            loss=result.loss if math.isfinite(result.loss) else None,
            before=before,
            damaged=result.damaged,
            accuracy=result.accuracy,
            accepted=accepted,
            new_bounty=bounty,
            adopted=adopted,
            diverged=result.diverged,
            evidence=candidate.evidence,
            **(size_of(shape) if self.spec.program.grows or shape.grown else {}),
        )
        self.curve.append(entry)
        return entry

    def _follow_growth(self, growth: Growth, candidate: Candidate, result: Result, accepted: bool) -> None:
        """Let the dendrites' schedule see the loop: it may put another network in place, or end the trial."""
        if result.diverged or result.accuracy is None:
            growth.discard(self.loop)
            return
        score = self.spec.metric.for_schedule(result.accuracy)
        outcome = growth.follow(self.loop, result.accuracy, score, result.network, accepted)
        if outcome.network is not None:
            self._rebase(outcome.network, outcome.accuracy)
            self.moments = None
        self.stopped = outcome.ends and candidate.segment == self.spec.program.segments[-1]

    def record(self) -> TrialRecord:
        return TrialRecord(
            spec=self.spec,
            curve=tuple(self.curve),
            parameters=self.lkg.shape.parameters,
            flops=self.lkg.shape.flops,
            sessions=tuple(self.sessions),
            **{name: getattr(self, name) for name in SHARED} | {"past_numerics": tuple(self.past_numerics)},
            ended_early=self.stopped,
            # The schedule's best and the strict best may be two networks; tables are about the latter.
            growth={"added": most(self.lkg.shape), **self.growth.summary()} if self.growth else None,
        )

    def rebase_on_lkg(self) -> None:
        """Continue from the LKG, with no failures counted."""
        self.patience = self.spec.acceptance.patience
        if self.bounty is not None:
            self._rebase(self.lkg, self.bounty)

    def begin_session(self, continues: bool) -> None:
        """A session of `train` begins. Earlier loops that belong to no session are another program's."""
        before = self.sessions
        if continues and not before:
            before = [Session(mode="another program", treatment={}, first_loop=1, target=self.loop)]
        now = Session(
            mode=self.spec.label,
            treatment=self.spec.treatment,
            first_loop=self.loop + 1,
            target=self.spec.meta_loops,
        )
        self.continued = self.continued or continues
        self.sessions = [*before, now]

    def change_numerics(self) -> None:
        """Other numerics train it from here on; those so far stay on record."""
        self.past_numerics.append({**self.numerics, "until_loop": self.loop})
        self.numerics = {}

    def change_treatment(self) -> None:
        """Continue from the LKG under another treatment; the state of the old one is dropped."""
        self.rebase_on_lkg()
        self.growth, self.stopped = None, False

    def _rebase(self, network: AnyNetwork, accuracy: float | None) -> None:
        if network.shape != self.base.shape:
            self.moments = None
        self.base, self.base_accuracy = network, accuracy
        self.failures, self.runner_up = 0, None

    def _lose_patience(self, result: Result) -> int | None:
        """Count a failure; at the limit the best failure since the last acceptance becomes the base."""
        if not self.spec.acceptance.patience:
            return None
        self.failures += 1
        if result.accuracy is not None and not result.diverged:
            best = self.runner_up
            if best is None or self.spec.metric.beats(result.accuracy, best.accuracy):
                self.runner_up = RunnerUp(network=result.network, accuracy=result.accuracy, loop=self.loop)
        if self.failures < self.patience or self.runner_up is None:
            return None
        adopted = self.runner_up
        self.patience *= 2
        self._rebase(adopted.network, adopted.accuracy)
        return adopted.loop


def size_of(shape: AnyShape) -> dict[str, int]:
    """What a loop trained, where that changes from loop to loop."""
    return {"dendrites": most(shape), "parameters": shape.parameters, "flops": shape.flops}


def most(shape: AnyShape) -> int:
    """Dendrites on each unit of the layer that has most."""
    return max(shape.dendrites, default=0)
