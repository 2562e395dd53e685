"""What a kept network costs whoever runs it: time and memory, and what else it scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from frustration.engine.module.data import data_of
from frustration.engine.module.layers import tensors_of
from frustration.engine.module.shape import ModuleNetwork, ModuleShape
from frustration.engine.one_thread import one_thread
from frustration.probes.latency import latency, peak_memory
from frustration.probes.networks import load_network, module_of
from frustration.saved import unpack_lkg
from frustration.spec import TrialSpec

BATCHES = (1, 256)
"""Images in a forward pass of a SimpleMLP; of a problem, one sample is run, as its `infer` does."""


@dataclass(frozen=True, kw_only=True)
class Inference:
    """Of one network, on one thread."""

    seconds: Mapping[int, float]
    """Median of a run, by samples in it."""
    memory: Mapping[int, float]
    """Bytes of all tensors alive at once, weights included."""
    parameters: int = 0
    """Frozen ones included; 0 where there are none."""
    scores: Mapping[str, float] = field(default_factory=dict)
    """A problem's further scores, on its test part."""


@one_thread()
def inference(spec: TrialSpec, path: Path) -> Inference:
    """Run the network in a file."""
    with torch.inference_mode():
        return _of_problem(spec, path) if spec.problem else _of_mlp(path)


def _of_mlp(path: Path) -> Inference:
    kept = load_network(path)
    module = module_of(kept)
    images = {size: torch.zeros(size, kept.shape.features) for size in BATCHES}
    return Inference(
        seconds={size: latency(module, batch).median for size, batch in images.items()},
        memory={
            size: float(peak_memory(module, batch, module.parameters())) for size, batch in images.items()
        },
    )


def _of_problem(spec: TrialSpec, path: Path) -> Inference:
    assert spec.problem is not None
    network = unpack_lkg(path).lkg
    assert isinstance(network, ModuleNetwork)
    problem, data = spec.problem.problem(), data_of(spec.problem)
    module = network.shape.module().eval()
    network.shape.load(module, network.vector)
    part = "test" if "test" in data.parts else "validation"
    (sample,) = data.batches(part, np.arange(1), 1)
    parameters = list(module.parameters())
    frozen = any(not parameter.requires_grad for parameter in parameters)

    def run(_: Tensor) -> object:
        return problem.infer(module, sample)

    if network.shape not in _costs:  # a shape costs what it costs, whatever its weights are
        held = [*parameters, *tensors_of(sample)]
        nothing = torch.zeros(0)
        _costs[network.shape] = latency(run, nothing).median, float(peak_memory(run, nothing, held))
    seconds, memory = _costs[network.shape]
    batches = data.batches(part, np.arange(len(data.parts[part])), spec.batch_size)
    return Inference(
        seconds={1: seconds},
        memory={1: memory},
        parameters=sum(parameter.numel() for parameter in parameters) if frozen else 0,
        scores=problem.further_scores(module, batches),
    )


_costs: dict[ModuleShape, tuple[float, float]] = {}
"""Seconds and bytes of problems' networks, in this process."""
