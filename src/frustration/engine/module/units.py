"""The units of any network: which weights drive one, and which weights listen to it. Found, not guessed.

A unit is one output feature of a layer: a row of a Linear, a channel of a convolution with the channel of
the BatchNorm behind it, a rank of a LoRA pair. A *hidden* unit is one whose listeners are known and hear
nothing else. An *output* unit reaches the network's output with no other layer in between.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from torch import Tensor, nn

from frustration.engine.module.dendritic import dendrites_of
from frustration.engine.module.layers import Index, Layer, Slice
from frustration.engine.module.probe import Forward, Probe


class Units:
    """The units of a network, and how to take one away.

    `units = Units(network, lambda: network(batch))`, with a batch of two different samples or more.
    """

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        self.network = network
        self.layers: dict[str, Layer] = Probe(network, forward).layers
        self._names = {id(p): name for name, p in network.named_parameters()}
        taken: set[int] = set()
        self.all: dict[str, list[int]] = {}
        """By trained layer its units; of layers that share a weight, the first."""
        for name, layer in self.layers.items():
            if layer.trains and not layer.is_norm and id(layer.weight) not in taken:
                taken.add(id(layer.weight))
                self.all[name] = list(range(layer.width))
        self.output = {name: units for name, units in self.all.items() if self.layers[name].is_output}
        self.hidden = {name: units for name in self.all if (units := self._private(name))}

    def role(self, role: str) -> dict[str, list[int]]:
        """Eligible units by layer: of the role "hidden", "output" or "all"."""
        eligible: dict[str, list[int]] = getattr(self, role)
        return eligible

    def _private(self, name: str) -> list[int]:
        layer = self.layers[name]
        if layer.is_output or not layer.private:
            return []
        units = set(range(layer.width))
        for listener, heard in layer.heard_by.items():
            below = self.layers[listener]
            if not below.trains:  # its weights are not ours to take
                return []
            units &= set(heard.tolist())
            if below.is_norm:
                units &= set(self._private(listener))
        return sorted(units)

    def listeners(self, name: str) -> Iterator[tuple[str, Tensor]]:
        """The layers that hear a layer, past BatchNorms, and for each of their input columns the unit."""
        for listener, heard in self.layers[name].heard_by.items():
            if self.layers[listener].is_norm:
                yield from self.listeners(listener)
            else:
                yield listener, heard

    def incoming(self, name: str, unit: int, dendrites: Mapping[str, int] | None = None) -> list[Slice]:
        """All that drives a unit: its own weights first, then its dendrites', then the norm's behind it.

        `dendrites`: on each unit of each layer that has any; by default, those of the network as it is.
        """
        grown = dendrites_of(self.network) if dendrites is None else dendrites
        layer = self.layers[name]
        count = grown.get(name, 0)
        copies = [self._copies(layer, own, index, count) for own, index in layer.row(unit)]
        parts = [copies_of[k] for k in range(count + 1) for copies_of in copies]
        parts += [Slice(f"{name}.tops", (slice(None), unit))] if count else []
        parts += [Slice(f"{name}.links", (slice(None), unit))] if count > 1 else []
        for listener, heard in layer.heard_by.items():
            if self.layers[listener].is_norm:
                for channel in (heard == unit).nonzero().flatten().tolist():
                    parts += self.incoming(listener, channel, grown)
        return parts

    def outgoing(self, name: str, unit: int, dendrites: Mapping[str, int] | None = None) -> list[Slice]:
        """All with which others hear a unit, their dendrites included."""
        grown = dendrites_of(self.network) if dendrites is None else dendrites
        parts = []
        for listener, heard in self.listeners(name):
            below = self.layers[listener]
            for column in (heard == unit).nonzero().flatten().tolist():
                parts += self._copies(below, *below.column(column), grown.get(listener, 0))
        return parts

    def _copies(self, layer: Layer, own: str, index: Index, dendrites: int) -> list[Slice]:
        """One part of a layer's own parameter, and the same part of each of its dendrites' copies."""
        inside = f"{layer.name}.neuron.{own}" if dendrites else f"{layer.name}.{own}"
        # A tied weight goes by the name of the first module that has it.
        name = self._names.get(id(getattr(layer.module, own)), inside)
        copies = [f"{layer.name}.dendrites.{k}.{own}" for k in range(dendrites)]
        first = inside if name == f"{layer.name}.{own}" else name
        return [Slice(one, index) for one in (first, *copies)]

    @torch.no_grad()
    def take(self, name: str, unit: int, outgoing: bool) -> float:
        """Zero what drives a unit and, if asked, what it drives; the norm of what was removed."""
        removed = 0.0
        for tensor in self.tensors(name, unit, outgoing):
            removed += float(tensor.square().sum(dtype=torch.float64))
            tensor.zero_()
        return float(removed**0.5)

    def tensors(self, name: str, unit: int, outgoing: bool) -> Iterator[Tensor]:
        """Views of the parts of a unit, in the network as it is."""
        parameters = dict(self.network.named_parameters())
        for part in self.incoming(name, unit) + (self.outgoing(name, unit) if outgoing else []):
            yield parameters[part.name].detach()[part.index]


def growable(units: Units) -> dict[str, int]:
    """The layers that grow unless the user names others, each with the axis of its units.

    All trained layers, of a LoRA pair only the second: a dendrite on it costs a tenth of one on the pair.
    """
    return {n: units.layers[n].axis for n in units.all if "lora_A" not in n.split(".")}
