"""Protocol A / B / C: a full network, a compressed one with dendrites, and its controls, with their costs.

Growth prolongs training, and the published control stops at its first plateau. Two more arms, which a second
study of `equal_study` trains, take that apart: the compressed network for as many loops as the one with
dendrites took, trial by trial, and a wider one of as many parameters for as long.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from frustration.architecture import Architecture
from frustration.errors import FrustrationError
from frustration.metric import ACCURACY, PERCENT, Metric
from frustration.record import TrialRecord
from frustration.references import ProblemReference
from frustration.report.formatting import points, spread
from frustration.report.inference import Inference, inferences
from frustration.spec import TrialSpec, subject_of
from frustration.statistics.paired import sign_flip, t_interval
from frustration.study.definition import Study
from frustration.study.store import Store

BASELINE, TREATED, CONTROL = "A baseline", "B compressed + dendrites", "C compressed control"
AS_LONG, AS_LARGE = "C at B's steps", "wide at B's parameters"


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of the protocol, over its trials."""

    name: str
    architecture: str
    mode: str
    by_trial: Mapping[int, float]
    """LKG test score; a trial that only diverged has none."""
    bounty: float
    parameters: float
    """Effective ones; every one of them is trained."""
    dendrites: float
    flops: float
    """Of one forward pass of one sample."""
    latency: dict[int, float]
    """CPU seconds of what a user runs, by samples in it: the fastest of many runs, median over the trials."""
    memory: dict[int, float]
    """Bytes of all tensors that are alive at once in it, weights included."""
    seconds: float
    """CPU time of training."""
    training_flops: float
    loops: float
    total: float | None = None
    """Parameters, frozen ones included; None where all are trained."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """Further test scores by name, means over the trials."""
    metric: Metric = ACCURACY

    @property
    def tests(self) -> tuple[float, ...]:
        return tuple(self.by_trial.values())


def abc_study(template: Study, full: str, compressed: str, **changes: Any) -> Study:
    """The protocol for a pair of architectures or problems, in the modes of the template."""
    pair = subject_of(full), subject_of(compressed)
    control, treated = template.modes
    only = ((str(pair[0]), control), (str(pair[1]), treated), (str(pair[1]), control))
    study = replace(
        template,
        architectures=tuple(one for one in pair if isinstance(one, Architecture)),
        problems=tuple(one for one in pair if isinstance(one, ProblemReference)),
        only=only,
        **changes,
    )
    study.check()
    return study


def equal_study(store: Store) -> Study:
    """The two controls of a finished study of the protocol: as long as B, trial by trial, and as large."""
    study = store.study()
    (subject, _) = study.only[1]
    treated = _records(store, *study.only[1])
    loops = tuple(treated[trial].loop for trial in range(study.trials))
    sizes = {_dendrites(record) for record in treated.values()} - {0}
    modes = ["plain", *(f"wide@{size}" for size in sorted(sizes) if _can_widen(subject))]
    equal = replace(
        study,
        name=f"{study.name}-equal",
        architectures=tuple(one for one in study.architectures if str(one) == subject),
        problems=tuple(one for one in study.problems if str(one) == subject),
        modes=tuple(modes),
        meta_loops=max(loops),
        loops_by_trial=loops,
        only=(),
        knobs={},
    )
    equal.check()
    return equal


def _can_widen(subject: str) -> bool:
    known = subject_of(subject)
    return isinstance(known, Architecture) or known.problem().widened(1) is not None


def _dendrites(record: TrialRecord) -> int:
    """On a unit of the network that was kept."""
    return int(record.growth["added"]) if record.growth else 0


def _records(store: Store, subject: str, mode: str) -> dict[int, TrialRecord]:
    """Of one cell, by trial."""
    study = store.study()
    label = TrialSpec.of(
        "[1*1]", mode, optimizer=study.optimizer, acceptance=study.acceptance, defaults=study.knobs
    ).label
    found = (r for r in store.records() if str(r.spec.architecture) == subject and r.spec.label == label)
    return {record.spec.trial: record for record in sorted(found, key=lambda r: r.spec.trial)}


@dataclass(frozen=True)
class _Cell:
    """What an arm consists of."""

    name: str
    subject: str
    mode: str
    kept: Mapping[int, tuple[TrialRecord, Store]]
    """By trial, those that gave a network."""


def _cell(name: str, subject: str, mode: str, every: Iterable[tuple[TrialRecord, Store]]) -> _Cell:
    kept = {record.spec.trial: (record, at) for record, at in every if record.test_accuracy is not None}
    if not kept:
        raise FrustrationError(f"{name}: no trial gave a usable network; try a smaller --learning-rate")
    return _Cell(name, subject, mode, kept)


def _cells(store: Store, equal: Store | None) -> Iterator[_Cell]:
    cells = store.study().only
    for name, (subject, mode) in zip((BASELINE, TREATED, CONTROL), cells, strict=True):
        records = _records(store, subject, mode)
        yield _cell(name, subject, mode, [(record, store) for record in records.values()])
    if equal is None:
        return
    subject = cells[1][0]
    modes = equal.study().modes
    by_mode = {mode: _records(equal, subject, mode) for mode in modes}
    yield _cell(AS_LONG, subject, "plain", [(record, equal) for record in by_mode["plain"].values()])
    if len(modes) > 1:
        as_large = []
        for trial, record in _records(store, *cells[1]).items():
            size = _dendrites(record)  # B that has kept no dendrite is as large as C
            as_large.append(by_mode.get(f"wide@{size}" if size else "plain", {}).get(trial))
        yield _cell(AS_LARGE, subject, " or ".join(modes[1:]), [(r, equal) for r in as_large if r])


def arms(store: Store, equal: Store | None = None) -> list[Arm]:
    """The arms of a finished study, and of the one at equal cost.

    Their networks are timed here and now, interleaved with those of the other arms of the same trial.
    """
    cells = list(_cells(store, equal))
    runs: dict[str, list[Inference]] = {cell.name: [] for cell in cells}
    for trial in sorted({trial for cell in cells for trial in cell.kept}):
        pairs = {cell.name: cell.kept[trial] for cell in cells if trial in cell.kept}
        networks = {name: (r, at.network_path(r.spec.id)) for name, (r, at) in pairs.items()}
        for name, run in inferences(networks).items():
            runs[name].append(run)
    return [_arm(cell, runs[cell.name]) for cell in cells]


def _arm(cell: _Cell, runs: Sequence[Inference]) -> Arm:
    records = [record for record, _ in cell.kept.values()]
    return Arm(
        name=cell.name,
        architecture=cell.subject,
        mode=cell.mode,
        by_trial={r.spec.trial: r.test_accuracy for r in records if r.test_accuracy is not None},
        bounty=statistics.fmean(r.bounty for r in records if r.bounty is not None),
        parameters=statistics.fmean(r.parameters for r in records),
        dendrites=statistics.fmean(map(_dendrites, records)),
        flops=statistics.fmean(r.flops for r in records),
        latency=_medians(runs, lambda run: run.seconds),
        memory=_medians(runs, lambda run: run.memory),
        seconds=statistics.fmean(r.seconds for r in records),
        training_flops=statistics.fmean(training_flops(r) for r in records),
        loops=statistics.fmean(r.loop for r in records),
        total=statistics.fmean(run.parameters for run in runs) if runs[0].parameters else None,
        scores={name: statistics.fmean(run.scores[name] for run in runs) for name in runs[0].scores},
        metric=records[0].spec.metric,
    )


def _medians(runs: Sequence[Inference], of: Callable[[Inference], Mapping[int, float]]) -> dict[int, float]:
    return {size: statistics.median(of(run)[size] for run in runs) for size in of(runs[0])}


def training_flops(record: TrialRecord, images: int = 50_000) -> float:
    """Of all loops: a training step costs about three forward passes of its batch.

    `images`: an epoch of a SimpleMLP's data.
    """
    spec = record.spec
    seen = images * spec.train_fraction * spec.passes
    if spec.problem and spec.loop_steps is None:
        from frustration.engine.module.data import data_of

        seen = data_of(spec.problem, spec.train_fraction).samples
    if spec.loop_steps is not None:
        seen = spec.loop_steps * spec.batch_size
    return sum(3 * seen * (entry.flops or record.flops) for entry in record.curve)


def markdown(found: Sequence[Arm]) -> str:
    """The table and what follows from it, in sentences that say no more than the tests do."""
    from tabulate import tabulate

    metric = found[0].metric
    unit = f", {metric.unit}" if metric.unit else ""
    inside = list(found[0].latency)
    rows: list[Sequence[object]] = [
        ["architecture" if metric == ACCURACY else "problem", *(arm.architecture for arm in found)],
        ["mode", *(arm.mode for arm in found)],
        ["trials", *(len(arm.tests) for arm in found)],
        [f"LKG test {metric.name}{unit} (mean ± std)", *(spread(arm.tests) for arm in found)],
        *[[f"test {one}", *(f"{arm.scores[one]:.2f}" for arm in found)] for one in found[0].scores],
        [f"bounty (validation){unit}", *(f"{arm.bounty:.2f}" for arm in found)],
        ["dendrites on a unit", *(f"{arm.dendrites:.1f}" for arm in found)],
        ["effective parameters", *(f"{arm.total or arm.parameters:,.0f}" for arm in found)],
        ["of these trainable", *(f"{arm.parameters:,.0f}" for arm in found)],
        ["FLOPs of one sample", *(f"{arm.flops:,.0f}" for arm in found)],
        *[["latency, µs, " + _samples(b), *(f"{a.latency[b] * 1e6:,.0f}" for a in found)] for b in inside],
        *[["peak memory, kB, " + _samples(b), *(f"{a.memory[b] / 1e3:,.0f}" for a in found)] for b in inside],
        ["loops trained", *(f"{arm.loops:.1f}" for arm in found)],
        ["training, GFLOP", *(f"{arm.training_flops / 1e9:,.0f}" for arm in found)],
        ["training, CPU seconds", *(f"{arm.seconds:.1f}" for arm in found)],
    ]
    headers = ["", *(arm.name for arm in found)]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    sentences = "\n".join(f"- {sentence}" for sentence in comparisons(found))
    return f"# Protocol A / B / C\n\n{table}\n\n{sentences}\n"


def comparisons(found: Sequence[Arm]) -> Iterator[str]:
    """First B against what is as long and as large, where that was trained: what the dendrites did.

    Then B against C, where training is also longer, and against A; and what compression cost.
    """
    baseline, treated, control = found[:3]
    for other in (*found[3:], control, baseline):
        yield _difference(treated, other)
    yield _given_back(found)
    to_full, to_control = (treated.parameters / other.parameters for other in (baseline, control))
    cost = treated.training_flops / max(control.training_flops, 1.0)
    yield (
        f"{treated.name} has {to_full:.2f} times the parameters of {baseline.name} and {to_control:.2f} "
        f"times those of {control.name}; its training took {cost:.2f} times the operations of the latter."
    )


def _pairs(one: Arm, other: Arm) -> list[float]:
    """Differences of trials that gave a network in both."""
    return [one.by_trial[n] - other.by_trial[n] for n in one.by_trial if n in other.by_trial]


def _difference(one: Arm, other: Arm) -> str:
    differences = _pairs(one, other)
    count = len(differences)
    if not count:
        return f"{one.name} and {other.name} have no trial in common that gave a network in both."
    test = sign_flip(differences)
    interval = f", 95 % interval {_interval(differences)}" if count > 1 else ""
    sure = (
        f"p = {test.p:.3g}"
        if test.smallest_p <= 0.05
        else f"{count} pairs cannot decide (their smallest p is {test.smallest_p:.3g})"
    )
    return (
        f"{one.name} minus {other.name}: {points(test.effect)} {_unit(one.metric)}{interval}; "
        f"{sure}, exact sign flips over {count} pairs of trials."
    )


def _given_back(found: Sequence[Arm]) -> str:
    """What compression cost, and how much of it each arm of the compressed network has more than C."""
    baseline, _, control = found[:3]
    sign = 1 if baseline.metric.better == "higher" else -1
    lost = _pairs(baseline, control)
    if not lost:
        return f"{baseline.name} and {control.name} have no trial in common that gave a network in both."
    gains = [
        f"{points(sign * statistics.fmean(_pairs(arm, control)))} by {arm.name}"
        for arm in (found[1], *found[3:])
        if _pairs(arm, control)
    ]
    return (
        f"Compression cost {sign * statistics.fmean(lost):.2f} {_unit(baseline.metric)} "
        f"({baseline.name} against {control.name}); given back: {', '.join(gains) or 'nothing'}."
    )


def _unit(metric: Metric) -> str:
    """`points of test accuracy`; `points of test ROUGE-L`."""
    unit = "points" if metric.unit == PERCENT else metric.unit
    return f"{unit} of test {metric.name}" if unit else f"of test {metric.name}"


def _interval(differences: Sequence[float]) -> str:
    estimate = t_interval(differences)
    return f"{estimate.low:+.2f} to {estimate.high:+.2f}"


def _samples(batch: int) -> str:
    return f"{batch} sample{'s' if batch > 1 else ''}"
