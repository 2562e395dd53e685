"""Attention heads as units: the queries, keys and values of a head together, where a problem says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from frustration.engine.module.layers import Layer
from frustration.errors import InputError


@dataclass(frozen=True, kw_only=True)
class Heads:
    """The heads of one attention, by the names of its layers.

    One name for all three is a layer whose output holds queries, keys and values, in this order.
    """

    queries: str
    keys: str
    values: str
    count: int
    """Of the heads of keys and values: grouped queries go with the head that they share."""

    @property
    def names(self) -> tuple[str, str, str]:
        return self.queries, self.keys, self.values

    def units(self, layers: Mapping[str, Layer]) -> list[Head]:
        """One for each head; refused where they are not those of trained layers of this network."""
        for name in self.names:
            if name not in layers:
                raise InputError(f"heads: {name} is no layer that the network runs")
            if not layers[name].trains:
                raise InputError(f"heads: {name} is not trained")
        packed = len({*self.names}) == 1
        rows: list[list[list[int]]] = []
        for place, name in enumerate(self.names):
            features = list(range(layers[name].width))
            if packed:
                third = len(features) // 3
                features = features[place * third : (place + 1) * third]
            if self.count < 1 or len(features) % self.count:
                raise InputError(f"heads: {len(features)} features of {name} are not {self.count} heads")
            each = len(features) // self.count
            rows.append([features[head * each : (head + 1) * each] for head in range(self.count)])
        found = []
        for head in range(self.count):
            mine = [(name, row) for name, of in zip(self.names, rows, strict=True) for row in of[head]]
            found.append(Head(rows=tuple(mine), heard=tuple(rows[-1][head])))
        return found


@dataclass(frozen=True)
class Head:
    """A unit of several features."""

    rows: tuple[tuple[str, int], ...]
    """All of them: (layer, feature)."""
    heard: tuple[int, ...]
    """Those of the values' layer, which others hear."""
