"""Protocol A / B / C: a full network, a compressed one with dendrites, and its control, with their costs."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from frustration.architecture import Architecture
from frustration.errors import FrustrationError
from frustration.record import TrialRecord
from frustration.report.formatting import spread
from frustration.statistics.paired import sign_flip, t_interval
from frustration.study.definition import Study
from frustration.study.store import Store

BASELINE, TREATED, CONTROL = "A baseline", "B compressed + dendrites", "C compressed control"
BATCHES = (1, 256)
"""Images in a forward pass whose time and memory are taken."""


@dataclass(frozen=True, kw_only=True)
class Arm:
    """One arm of the protocol, over its trials."""

    name: str
    architecture: str
    mode: str
    by_trial: Mapping[int, float]
    """LKG test accuracy, percent; a trial that only diverged has none."""
    bounty: float
    parameters: float
    """Effective ones; every one of them is trained."""
    dendrites: float
    flops: float
    """Of one forward pass of one sample."""
    latency: dict[int, float]
    """Median seconds of a forward pass, by images in it."""
    memory: dict[int, float]
    """Bytes of all tensors that are alive at once in a forward pass, weights included."""
    seconds: float
    """CPU time of training."""
    training_flops: float
    loops: float

    @property
    def tests(self) -> tuple[float, ...]:
        return tuple(self.by_trial.values())


def abc_study(template: Study, full: str, compressed: str, **changes: Any) -> Study:
    """The protocol for a pair of architectures, in the modes of the template."""
    from dataclasses import replace

    pair = (Architecture.parse(full), Architecture.parse(compressed))
    control, treated = template.modes
    only = ((str(pair[0]), control), (str(pair[1]), treated), (str(pair[1]), control))
    study = replace(template, architectures=pair, only=only, **changes)
    study.check()
    return study


def arms(store: Store, measured: Callable[[str], None] = lambda name: None) -> list[Arm]:
    """The three arms of a finished study; their networks are timed here and now."""
    study, everything = store.study(), list(store.records())
    names = (BASELINE, TREATED, CONTROL)
    found = []
    for name, (architecture, mode) in zip(names, study.only, strict=True):
        measured(name)
        records = [
            record
            for record in everything
            if str(record.spec.architecture) == architecture and record.spec.label == mode
        ]
        found.append(_arm(name, architecture, mode, sorted(records, key=lambda r: r.spec.trial), store))
    return found


def _arm(name: str, architecture: str, mode: str, every: Sequence[TrialRecord], store: Store) -> Arm:
    records = [record for record in every if record.test_accuracy is not None]
    if not records:
        raise FrustrationError(f"{name}: no trial gave a usable network; try a smaller --learning-rate")
    latencies, memories = _inference(records, store)
    return Arm(
        name=name,
        architecture=architecture,
        mode=mode,
        by_trial={r.spec.trial: r.test_accuracy for r in records if r.test_accuracy is not None},
        bounty=statistics.fmean(r.bounty for r in records if r.bounty is not None),
        parameters=statistics.fmean(r.parameters for r in records),
        dendrites=statistics.fmean(r.growth["added"] if r.growth else 0 for r in records),
        flops=statistics.fmean(r.flops for r in records),
        latency=latencies,
        memory=memories,
        seconds=statistics.fmean(r.seconds for r in records),
        training_flops=statistics.fmean(training_flops(r) for r in records),
        loops=statistics.fmean(r.loop for r in records),
    )


def training_flops(record: TrialRecord, images: int = 50_000) -> float:
    """Of all loops: a training step costs about three forward passes of its batch."""
    seen = images * record.spec.train_fraction * record.spec.passes
    return sum(3 * seen * (entry.flops or record.flops) for entry in record.curve)


def _inference(records: Sequence[TrialRecord], store: Store) -> tuple[dict[int, float], dict[int, float]]:
    """Medians over the kept networks, on one thread."""
    import torch

    from frustration.engine.one_thread import one_thread
    from frustration.probes.latency import latency, peak_memory
    from frustration.probes.networks import load_network, module_of

    times: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    sizes: dict[int, list[float]] = {batch: [] for batch in BATCHES}
    with one_thread(), torch.inference_mode():
        for record in records:
            kept = load_network(store.network_path(record.spec.id))
            module = module_of(kept)
            for batch in BATCHES:
                images = torch.zeros(batch, kept.shape.features)
                times[batch].append(latency(module, images).median)
                sizes[batch].append(float(peak_memory(module, images, module.parameters())))
    return (
        {batch: statistics.median(found) for batch, found in times.items()},
        {batch: statistics.median(found) for batch, found in sizes.items()},
    )


def markdown(found: Sequence[Arm]) -> str:
    """The table and what follows from it, in sentences that say no more than the tests do."""
    from tabulate import tabulate

    rows: list[Sequence[object]] = [
        ["architecture", *(arm.architecture for arm in found)],
        ["mode", *(arm.mode for arm in found)],
        ["trials", *(len(arm.tests) for arm in found)],
        ["LKG test accuracy, % (mean ± std)", *(spread(arm.tests) for arm in found)],
        ["bounty (validation), %", *(f"{arm.bounty:.2f}" for arm in found)],
        ["dendrites on a unit", *(f"{arm.dendrites:.1f}" for arm in found)],
        ["effective parameters", *(f"{arm.parameters:,.0f}" for arm in found)],
        ["of these trainable", *(f"{arm.parameters:,.0f}" for arm in found)],
        ["FLOPs of one image", *(f"{arm.flops:,.0f}" for arm in found)],
        *[["latency, µs, " + _images(b), *(f"{a.latency[b] * 1e6:,.0f}" for a in found)] for b in BATCHES],
        *[["peak memory, kB, " + _images(b), *(f"{a.memory[b] / 1e3:,.0f}" for a in found)] for b in BATCHES],
        ["loops trained", *(f"{arm.loops:.0f}" for arm in found)],
        ["training, GFLOP", *(f"{arm.training_flops / 1e9:,.0f}" for arm in found)],
        ["training, CPU seconds", *(f"{arm.seconds:.1f}" for arm in found)],
    ]
    headers = ["", *(arm.name for arm in found)]
    table = tabulate(rows, headers=headers, tablefmt="github", disable_numparse=True)
    sentences = "\n".join(f"- {sentence}" for sentence in comparisons(found))
    return f"# Protocol A / B / C\n\n{table}\n\n{sentences}\n"


def comparisons(found: Sequence[Arm]) -> Iterator[str]:
    """B against C, which tells what the dendrites did; B against A, which tells what they make up for."""
    baseline, treated, control = found
    for other in (control, baseline):
        both = [trial for trial in treated.by_trial if trial in other.by_trial]
        differences = [treated.by_trial[trial] - other.by_trial[trial] for trial in both]
        pairs = len(differences)
        if not pairs:
            yield f"{treated.name} and {other.name} have no trial in common that gave a network in both."
            continue
        test = sign_flip(differences)
        interval = f", 95 % interval {_interval(differences)}" if pairs > 1 else ""
        sure = (
            f"p = {test.p:.3g}"
            if test.smallest_p <= 0.05
            else f"{pairs} pairs cannot decide (their smallest p is {test.smallest_p:.3g})"
        )
        yield (
            f"{treated.name} minus {other.name}: {test.effect:+.2f} points of test accuracy{interval}; "
            f"{sure}, exact sign flips over {pairs} pairs of trials."
        )
    to_full, to_control = (treated.parameters / other.parameters for other in (baseline, control))
    cost = treated.training_flops / max(control.training_flops, 1.0)
    yield (
        f"{treated.name} has {to_full:.2f} times the parameters of {baseline.name} and {to_control:.2f} "
        f"times those of {control.name}; its training took {cost:.2f} times the operations of the latter."
    )


def _interval(differences: Sequence[float]) -> str:
    estimate = t_interval(differences)
    return f"{estimate.low:+.2f} to {estimate.high:+.2f}"


def _images(batch: int) -> str:
    return f"{batch} image{'s' if batch > 1 else ''}"
