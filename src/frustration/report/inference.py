"""The cost of inference with a kept network: time and memory. Also its further scores."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from frustration.engine.module.data import data_of
from frustration.engine.module.layers import tensors_of
from frustration.engine.module.shape import ModuleNetwork
from frustration.engine.one_thread import one_thread
from frustration.errors import FrustrationError
from frustration.probes.latency import in_turns, peak_memory
from frustration.probes.networks import load_network, module_of
from frustration.protocols import AnyNetwork
from frustration.record import TrialRecord
from frustration.saved import unpack_lkg
from frustration.sealed import CheckpointError
from frustration.spec import TrialSpec

ANEW = "remove it and the record of that trial, and the next run trains it again"
BATCHES = (1, 256)
"""Images in a forward pass of a SimpleMLP; of a problem, one sample is run, as its `infer` does."""


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Of one network, on one thread."""

    seconds: Mapping[int, float]
    """Least CPU time of a run, by samples in it."""
    memory: Mapping[int, float]
    """Bytes of all tensors alive at once, weights included."""
    parameters: int = 0
    """Frozen ones included; 0 where there are none."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """A problem's further scores, on its test part."""


@dataclass(frozen=True, kw_only=True)
class _Loaded:
    """A network that can be run, and all of its inference but the time."""

    runs: Mapping[int, Callable[[], object]]
    """By samples in a run."""
    memory: Mapping[int, float]
    parameters: int = 0
    scores: Mapping[str, float] = field(default_factory=dict)


@one_thread()
def inferences(networks: Mapping[str, tuple[TrialRecord, Path]]) -> dict[str, Inference]:
    """Of the networks of several trials, in files. Their runs are interleaved, so that a busy machine slows
    all alike."""
    with torch.inference_mode():
        loaded = {name: _loaded(record, path) for name, (record, path) in networks.items()}
        times = in_turns({(name, size): run for name in loaded for size, run in loaded[name].runs.items()})
    return {
        name: Inference(
            seconds={size: times[name, size] for size in one.runs},
            memory=one.memory,
            parameters=one.parameters,
            scores=one.scores,
        )
        for name, one in loaded.items()
    }


def _loaded(record: TrialRecord, path: Path) -> _Loaded:
    try:
        saved = unpack_lkg(path)
    except CheckpointError as error:
        raise FrustrationError(f"{path} is damaged ({error}); {ANEW}") from None
    if not saved.is_of(record):
        raise FrustrationError(f"{path} is not the network of the trial that it is named after; {ANEW}")
    return _of_problem(record.spec, saved.lkg) if record.spec.problem else _of_mlp(path)


def _of_mlp(path: Path) -> _Loaded:
    kept = load_network(path)
    module = module_of(kept)
    images = {size: torch.zeros(size, kept.shape.features) for size in BATCHES}
    return _Loaded(
        runs={size: functools.partial(module, batch) for size, batch in images.items()},
        memory={
            size: float(peak_memory(module, batch, module.parameters())) for size, batch in images.items()
        },
    )


def _of_problem(spec: TrialSpec, network: AnyNetwork) -> _Loaded:
    assert spec.problem is not None
    assert isinstance(network, ModuleNetwork)
    problem, data = spec.problem.problem(), data_of(spec.problem)
    module = network.shape.module().eval()
    network.shape.load(module, network.vector)
    part = "test" if "test" in data.parts else "validation"
    (sample,) = data.batches(part, np.arange(1), 1)
    parameters = list(module.parameters())
    frozen = any(not parameter.requires_grad for parameter in parameters)
    run = functools.partial(problem.infer, module, sample)
    batches = data.batches(part, np.arange(len(data.parts[part])), spec.batch_size)
    held = [*parameters, *tensors_of(sample)]
    return _Loaded(
        runs={1: run},
        memory={1: float(peak_memory(lambda _: run(), torch.zeros(0), held))},
        parameters=sum(parameter.numel() for parameter in parameters) if frozen else 0,
        scores=problem.further_scores(module, batches),
    )
