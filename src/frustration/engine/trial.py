"""The state of one trial between two loops, and the rules by which a loop changes it."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from frustration.engine.population import Epoch, Moments, Order
from frustration.modes import Evidence, Regime, Scene, Segment
from frustration.network import Shape, Vector
from frustration.record import LoopEntry, TrialRecord
from frustration.spec import TrialSpec
from frustration.streams import Streams


@dataclass(kw_only=True, eq=False)
class RunnerUp:
    """The best of the candidates discarded since the last acceptance; `patience` may fall back on it."""

    weights: Vector
    accuracy: float
    loop: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """What was done to a candidate, and how it is to be trained."""

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
    fetch_weights: Callable[[], Vector]
    fetch_moments: Callable[[], Moments]

    @property
    def diverged(self) -> bool:
        return self.accuracy is None or not math.isfinite(self.loss)

    @functools.cached_property
    def weights(self) -> Vector:
        return self.fetch_weights()


@dataclass(kw_only=True, eq=False)
class Trial:
    """One trial. Its loop count, base and LKG are what a checkpoint keeps."""

    spec: TrialSpec
    shape: Shape
    base: Vector
    """Where the next candidate starts: the LKG itself under `strict` with the ratchet."""
    lkg: Vector
    """The network with the best validation accuracy so far: the Last Known Good."""
    loop: int = 0
    base_accuracy: float | None = None
    bounty: float | None = None
    bounty_loop: int | None = None
    moments: Moments | None = None
    failures: int = 0
    patience: int = 0
    runner_up: RunnerUp | None = None
    curve: list[LoopEntry] = field(default_factory=list)
    test_accuracy: float | None = None
    seconds: float = 0.0
    numerics: dict[str, Any] = field(default_factory=dict)
    past_numerics: list[dict[str, Any]] = field(default_factory=list)
    """Other numerics that it was trained under before, each with the last loop under it."""
    continued: bool = False
    ended: bool = False
    """Since its last loop its LKG was tested and its record written."""
    unscored: bool = False
    """The LKG came without its accuracy, which has to be measured before anything is compared with it."""

    @classmethod
    def fresh(cls, spec: TrialSpec, shape: Shape) -> Trial:
        weights = shape.initial(Streams(spec.seed, spec.trial, spec.architecture).stream("init", loop=1))
        return cls(
            spec=spec,
            shape=shape,
            base=weights,
            lkg=weights,
            patience=spec.acceptance.patience,
        )

    @property
    def finished(self) -> bool:
        return self.loop >= self.spec.meta_loops

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
        """[samples]: the order of training samples in the next loop."""
        return self._streams.order(self.loop + 1, samples)

    def clone(self) -> Vector:
        """A copy of the base: the next candidate. Where a schedule turns the ratchet on, that is the LKG."""
        at = self.spec.program.at
        if self.loop > 0 and at(self.loop + 1).ratchet and not at(self.loop).ratchet:
            self.rebase_on_lkg()
        return self.base.copy()

    def intervene(self, weights: Vector, order: Order, probe: Vector) -> Plan:
        """Treat a copy of the base in place, from global loop 2 on, and plan its epoch.

        `probe` [images, features] is what modes may judge units by.
        """
        loop = self.loop + 1
        segment, scene = self.spec.program.at(loop), Scene(self._streams, loop, probe)
        regime = Regime(learning_rate=self.spec.learning_rate)
        evidence: dict[str, Evidence] = {}
        for mode in segment.components:
            regime = mode.training(regime)
            done = mode.intervene(self.shape.view(weights), scene) if loop > 1 else {}
            if done := {**done, **mode.training_evidence(regime)}:
                evidence[mode.name] = done
        moments = self.moments if self.keeps_moments else None
        if moments is not None and self.spec.optimizer == "persist-masked":
            moments = moments.without(weights != self.base)
        return Plan(
            segment=segment,
            epoch=Epoch(
                order=order, regime=regime, dropout_key=self._streams.dropout_key(loop), moments=moments
            ),
            evidence=evidence,
            damaged=not np.array_equal(weights, self.base),
        )

    def judge(self, plan: Plan, result: Result) -> LoopEntry:
        """Accept or discard a trained candidate; the trial moves on by one loop."""
        self.loop += 1
        self.ended = False
        before = self.base_accuracy
        bounty = accepted = False
        adopted = None
        if result.accuracy is not None and not result.diverged:
            bounty = self.bounty is None or result.accuracy > self.bounty
            accepted = not plan.segment.ratchet or self.spec.acceptance.accepts(result.accuracy, before)
            if bounty:
                self.bounty, self.bounty_loop, self.lkg = result.accuracy, self.loop, result.weights
                self.test_accuracy = None
                self.patience = self.spec.acceptance.patience
            if accepted:
                self._rebase(result.weights, result.accuracy)
            if self.keeps_moments:
                self.moments = result.fetch_moments()
        if not accepted:
            adopted = self._lose_patience(result)
        entry = LoopEntry(
            loop=self.loop,
            mode=plan.segment.label(),
            loss=result.loss if math.isfinite(result.loss) else None,
            before=before,
            damaged=result.damaged,
            accuracy=result.accuracy,
            accepted=accepted,
            new_bounty=bounty,
            adopted=adopted,
            diverged=result.diverged,
            evidence=plan.evidence,
        )
        self.curve.append(entry)
        return entry

    def record(self) -> TrialRecord:
        features, classes = self.shape.features, self.shape.classes
        return TrialRecord(
            spec=self.spec,
            loop=self.loop,
            curve=tuple(self.curve),
            bounty=self.bounty,
            bounty_loop=self.bounty_loop,
            test_accuracy=self.test_accuracy,
            parameters=self.spec.architecture.parameters(features, classes),
            flops=self.spec.architecture.flops(features, classes),
            seconds=self.seconds,
            numerics=self.numerics,
            past_numerics=tuple(self.past_numerics),
            continued=self.continued,
        )

    def rebase_on_lkg(self) -> None:
        """Go on from the LKG, with no failures counted."""
        self.patience = self.spec.acceptance.patience
        if self.bounty is not None:
            self._rebase(self.lkg, self.bounty)

    def _rebase(self, weights: Vector, accuracy: float) -> None:
        self.base, self.base_accuracy = weights, accuracy
        self.failures, self.runner_up = 0, None

    def _lose_patience(self, result: Result) -> int | None:
        """Count a failure; at the limit the best failure since the last acceptance becomes the base."""
        if not self.spec.acceptance.patience:
            return None
        self.failures += 1
        if result.accuracy is not None and not result.diverged:
            best = self.runner_up
            if best is None or result.accuracy > best.accuracy:
                self.runner_up = RunnerUp(weights=result.weights, accuracy=result.accuracy, loop=self.loop)
        if self.failures < self.patience or self.runner_up is None:
            return None
        adopted = self.runner_up
        self.patience *= 2
        self._rebase(adopted.weights, adopted.accuracy)
        return adopted.loop
