"""The units of any network: which weights drive one, and which weights listen to it. Found, not guessed.

A unit is one output feature of a layer: a row of a Linear, a channel of a convolution with the channel of
the BatchNorm behind it, a rank of a LoRA pair, or a head of an attention where `heads` says so. A *hidden*
unit is one whose listeners are known and hear nothing else. An *output* unit reaches the network's output
with no other layer in between.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import torch
from torch import Tensor, nn

from frustration.engine.module.dendritic import dendrites_of
from frustration.engine.module.heads import Head, Heads
from frustration.engine.module.layers import Index, Layer, Slice
from frustration.engine.module.probe import Forward, Probe


class Units:
    """The units of a network, and how to take one away.

    `units = Units(network, lambda: network(batch))`, with a batch of two different samples or more.
    """

    def __init__(self, network: nn.Module, forward: Forward, heads: Iterable[Heads] = ()) -> None:
        """`heads`: attentions whose heads are units; by default the features of their values are."""
        self.network = network
        self.layers: dict[str, Layer] = Probe(network, forward).layers
        self._names = {id(p): name for name, p in network.named_parameters()}
        own = {id(p) for p in network.parameters()}
        self.trained: list[str] = []
        """All trained layers; of layers that share a weight, the first."""
        for name, layer in self.layers.items():
            if layer.trains and not layer.is_norm and not (layer.owns_weight and id(layer.weight) not in own):
                own.discard(id(layer.weight))
                self.trained.append(name)
        self.all = {n: list(range(self.layers[n].width)) for n in self.trained if self.layers[n].owns_weight}
        """By trained layer its units."""
        self._heads: dict[str, list[Head]] = {}
        for one in heads:
            self._heads[one.values] = one.units(self.layers)
            for name in (one.queries, one.keys):
                if name != one.values:
                    self.all.pop(name, None)
            self.all[one.values] = list(range(one.count))
        self.output = {name: units for name, units in self.all.items() if self.layers[name].is_output}
        self.hidden = {name: units for name in self.all if (units := self._hidden(name))}

    def role(self, role: str) -> dict[str, list[int]]:
        """Eligible units by layer: of the role "hidden", "output" or "all"."""
        eligible: dict[str, list[int]] = getattr(self, role)
        return eligible

    def heard(self, name: str, unit: int) -> tuple[int, ...]:
        """The features of a layer with which others hear a unit."""
        return self._heads[name][unit].heard if name in self._heads else (unit,)

    def _hidden(self, name: str) -> list[int]:
        private = set(self._private(name))
        return [unit for unit in self.all[name] if private.issuperset(self.heard(name, unit))]

    def _private(self, name: str) -> list[int]:
        layer = self.layers[name]
        if layer.is_output or not layer.private:
            return []
        units = set(range(layer.width))
        for listener, heard in layer.heard_by.items():
            below = self.layers[listener]
            if not (below.trains and below.owns_weight):  # its weights are not ours to take
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
        """All that drives a unit: its own weights first, with the norm's behind it, then its dendrites'.

        `dendrites`: on each unit of each layer that has any; by default, those of the network as it is.
        """
        grown = dendrites_of(self.network) if dendrites is None else dendrites
        rows = self._heads[name][unit].rows if name in self._heads else ((name, unit),)
        places = [place for row in rows for place in self._with_norms(*row)]
        own, more = [], []
        for layer, row in places:
            count = grown.get(layer.name, 0)
            copies = [self._copies(layer, own_name, index, count) for own_name, index in layer.row(row)]
            own += [copies_of[0] for copies_of in copies]
            more += [copies_of[k] for k in range(1, count + 1) for copies_of in copies]
            more += [Slice(f"{layer.name}.tops", (slice(None), row))] if count else []
            more += [Slice(f"{layer.name}.links", (slice(None), row))] if count > 1 else []
        return own + more

    def _with_norms(self, name: str, row: int) -> Iterator[tuple[Layer, int]]:
        """A feature of a layer, and the channels of the norms behind it."""
        layer = self.layers[name]
        yield layer, row
        for listener, heard in layer.heard_by.items():
            if self.layers[listener].is_norm:
                for channel in (heard == row).nonzero().flatten().tolist():
                    yield from self._with_norms(listener, channel)

    def outgoing(self, name: str, unit: int, dendrites: Mapping[str, int] | None = None) -> list[Slice]:
        """All with which others hear a unit, their dendrites included."""
        grown = dendrites_of(self.network) if dendrites is None else dendrites
        parts = []
        features = torch.tensor(self.heard(name, unit))
        for listener, heard in self.listeners(name):
            below = self.layers[listener]
            for column in torch.isin(heard, features).nonzero().flatten().tolist():
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
    return {n: units.layers[n].axis for n in units.trained if "lora_A" not in n.split(".")}
