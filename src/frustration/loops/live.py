"""A network in a user's own training loop, in the form that modes act on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import torch
from torch import nn

from frustration.engine.module.dendritic import dendrites_of
from frustration.engine.module.shape import Layout, ModuleNetwork, ModuleShape, statistics_of
from frustration.engine.module.units import Units
from frustration.errors import InputError
from frustration.metric import Metric
from frustration.references import HELD, ProblemReference

Call = tuple[tuple[Any, ...], dict[str, Any]]
"""What a network was called with."""

GROWN: Final = (
    "the ratchet damages networks that have not grown; ablation and growth of one network run in `train`, "
    "as dendrites+hidden"
)

_NOBODYS = ProblemReference(
    path="loops:Live", version=1, fields=(), metric=Metric(), label="this network", source=HELD
)


class _Forward:
    """Of a problem, the one thing that is asked of a network that is there already."""

    def loss(self, network: nn.Module, call: Call) -> object:
        inputs, keywords = call
        return network(*inputs, **keywords)


class LiveLayout(Layout):
    """Names and units of the network itself; it is not built a second time."""

    def __init__(self, network: nn.Module, call: Call) -> None:
        if dendrites_of(network):
            raise InputError(GROWN)
        self.reference, self.problem = _NOBODYS, _Forward()  # type: ignore[assignment]
        self.network, self.batch = network, call
        self.trained = {n: tuple(p.shape) for n, p in network.named_parameters() if p.requires_grad}
        if not self.trained:
            raise InputError("the network has no parameter that is trained")
        self.buffers = {name: tuple(buffer.shape) for name, buffer in statistics_of(network)}
        with self._explained("cannot be run"):
            self.units = Units(network, lambda: self.problem.loss(network, call))
        self.unit_layers = list(self.units.all)
        self.axes, self.growing, self.own, self.own_buffers, self.width = {}, [], {}, {}, {}
        self.frozen = {}

    def build(self, seed: int) -> nn.Module:
        return self.network


@dataclass(frozen=True)
class LiveShape(ModuleShape):
    """The shape of a network in a user's own loop."""

    live: LiveLayout = field(kw_only=True, compare=False)

    @property
    def layout(self) -> LiveLayout:
        return self.live


def shape_of_live(network: nn.Module, call: Call) -> ModuleShape:
    """Finds the network's units by calling it as it was called in training."""
    return LiveShape(_NOBODYS, (), live=LiveLayout(network, call))


def detached(call: Call) -> Call:
    """The same call without gradients, and with copies of its tensors."""

    def copied(value: Any) -> Any:
        if isinstance(value, torch.Tensor):
            return value.detach().clone()
        if isinstance(value, (list, tuple)):
            return type(value)(map(copied, value))
        return {k: copied(v) for k, v in value.items()} if isinstance(value, dict) else value

    return copied(call[0]), copied(call[1])


def candidate_of(shape: ModuleShape) -> ModuleNetwork:
    """The network as it is now."""
    return shape.view(shape.vector_of(shape.layout.network))
