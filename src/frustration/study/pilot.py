"""A pilot: the first trials of every arm at all learning rates, the later ones at the best rate.

The whole pilot comes before the first later trial, so all processes that work on a study plan the same
groups.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from frustration.metric import Metric
from frustration.record_reading import RecordError
from frustration.spec import TrialSpec
from frustration.study.definition import Study
from frustration.study.store import Store

Arm = tuple[str, str, str, float]
"""Network, treatment, data set and training fraction."""
Rates = Mapping[Arm, float]


def arm_of(spec: TrialSpec) -> Arm:
    return str(spec.architecture), spec.label, spec.dataset, spec.train_fraction


def due(study: Study, specs: Sequence[TrialSpec], rates: Rates | None) -> list[TrialSpec]:
    """The trials that are run: without a pilot all, else those of the pilot and those at the rates given."""
    pilot, chosen = study.analysis.pilot, rates or {}
    return [
        spec
        for spec in specs
        if not pilot or spec.trial < pilot or chosen.get(arm_of(spec)) == spec.learning_rate
    ]


def chosen_rates(study: Study, store: Store, specs: Sequence[TrialSpec]) -> Rates | None:
    """What the pilot chose, on validation; None while a trial of it has neither ended nor failed."""
    pilot = {spec.id: spec for spec in specs if spec.trial < study.analysis.pilot}
    if not pilot:
        return None
    (lines, damaged), failed = store.listed(), store.ids()[1]
    for trial_id in pilot.keys() & damaged.keys():
        error = damaged[trial_id]
        if not isinstance(error, RecordError) or error.newer:  # others are trained again
            raise error
    if pilot.keys() - {line["id"] for line in lines} - failed:
        return None
    arms: dict[Arm, dict[float, list[float | None]]] = {}
    metrics: dict[Arm, Metric] = {}
    for spec in pilot.values():
        metrics[arm_of(spec)] = spec.metric
        arms.setdefault(arm_of(spec), {})[spec.learning_rate] = []
    for line in lines:
        if line["id"] in pilot:
            spec = pilot[line["id"]]
            arms[arm_of(spec)][spec.learning_rate].append(line["bounty"])
    return {arm: best_rate(bounties, metrics[arm]) for arm, bounties in arms.items()}


def first_rates(specs: Iterable[TrialSpec]) -> Rates:
    """Any choice: what a study costs does not depend on it."""
    return {arm_of(spec): spec.learning_rate for spec in reversed(tuple(specs))}


def best_rate(bounties: Mapping[float, Iterable[float | None]], metric: Metric) -> float:
    """The learning rate with the best mean bounty; of equals the smaller."""
    return max(sorted(bounties), key=lambda rate: _merit(bounties[rate], metric))


def _merit(bounties: Iterable[float | None], metric: Metric) -> float:
    """The mean of the known scores, with higher being better for every metric."""
    known = [bounty for bounty in bounties if bounty is not None and math.isfinite(bounty)]
    return metric.sign * math.fsum(known) / len(known) if known else -math.inf
