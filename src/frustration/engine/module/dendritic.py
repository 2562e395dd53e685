"""Dendrites on any layer: `Dendritic(layer, K, axis)` in its place. Nothing else of a network changes.

    a_k = f(layer_k(x) + sum over j < k of D[k, j] a_j),    y = layer(x) + sum over k of T[k] a_k

layer_k is a copy of the layer with weights of its own. T and D hold one number per unit. On an nn.Linear this
is what `frustration.dendrites.module.DendriticLinear` computes, to the bit.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Mapping
from typing import Any, Final

import torch
from torch import Tensor, nn
from torch.nn import functional

from frustration.errors import InputError

FUNCTIONS: Final[dict[str, Callable[[Tensor], Tensor]]] = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "softplus": functional.softplus,
}
"""What a dendrite makes of its sum."""


class Dendritic(nn.Module):
    """A layer with K dendrites on each of its units, K of 1 or more.

    The dendrites start at zero. The network around it asks it for what it would ask the layer for, as
    `weight` or `in_features`.
    """

    tops: nn.Parameter
    """[K, units]: what each dendrite weighs in its unit."""
    links: nn.Parameter | None
    """[K (K - 1) / 2, units]: what a dendrite weighs in a later one, in the order 1-2, 1-3, 2-3, 1-4, …"""

    def __init__(self, layer: nn.Module, dendrites: int, axis: int, function: str = "sigmoid") -> None:
        """`axis`: of the units in what the layer returns; 1 for convolutions, -1 for linear layers."""
        super().__init__()
        if dendrites < 1:
            raise ValueError("a layer without dendrites needs no wrapper")
        if function not in FUNCTIONS:
            raise InputError(f'forward function "{function}" is not one of {", ".join(FUNCTIONS)}')
        self.neuron, self.axis, self.function = layer, axis, function
        self.units = units_of(layer)
        self.dendrites = nn.ModuleList()
        self._size(0)
        # With a hook on it, nn.TransformerEncoderLayer does not read `weight` and pass this module by.
        self.register_forward_hook(_noted)
        self.register_state_dict_post_hook(_mark)  # type: ignore[no-untyped-call]
        self.register_load_state_dict_pre_hook(_unmark)  # type: ignore[no-untyped-call]
        for _ in range(dendrites):
            self.grow()

    def forward(self, *args: Any, **kwargs: Any) -> Tensor:
        # In this order the library computes, and autograd adds up the gradients of x in its reverse.
        y: Tensor = self.neuron(*args, **kwargs)
        sums = [dendrite(*args, **kwargs) for dendrite in self.dendrites]
        f = FUNCTIONS[self.function]
        active: list[Tensor] = []
        link = 0
        for k, z in enumerate(sums):
            for j in range(k):
                assert self.links is not None
                z = z + self._spread(self.links[link], y) * active[j]
                link += 1
            active.append(f(z))
        for k, a in enumerate(active):
            y = y + a * self._spread(self.tops[k], y)
        return y

    def _spread(self, by_unit: Tensor, like: Tensor) -> Tensor:
        shape = [1] * like.dim()
        shape[self.axis] = -1
        return by_unit.view(shape)

    @torch.no_grad()
    def grow(self) -> None:
        """One more dendrite on every unit, of zeros; what the layer computes stays the same."""
        new = copy.deepcopy(self.neuron)
        for parameter in new.parameters():
            parameter.zero_()
        self.dendrites.append(new)
        self._size(len(self.dendrites))

    @torch.no_grad()
    def shrink(self, dendrites: int) -> None:
        """Keep the first dendrites, one or more."""
        self.dendrites = self.dendrites[:dendrites]
        self._size(dendrites)

    def _size(self, dendrites: int) -> None:
        """`tops` and `links` for so many dendrites: rows that are there stay, new ones are zero."""
        like = next(self.neuron.parameters())
        pairs = dendrites * (dendrites - 1) // 2
        before = {name: getattr(self, name, None) for name in ("tops", "links")}
        for name, rows in (("tops", dendrites), ("links", pairs)):
            values = like.new_zeros(rows, self.units)
            old = before[name]
            if old is not None:
                kept = min(rows, len(old))
                values[:kept] = old[:kept]
            self.register_parameter(name, nn.Parameter(values) if rows else None)

    def __getattr__(self, name: str) -> Any:
        try:
            return super().__getattr__(name)
        except AttributeError:
            if name == "neuron" or name.startswith("_"):
                raise
            return getattr(super().__getattr__("neuron"), name)

    def extra_repr(self) -> str:
        return f"dendrites={len(self.dendrites)}, axis={self.axis}, function={self.function}"


def _noted(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
    """Nothing: it is enough that it is there."""


def _marked(module: nn.Module, prefix: str) -> str:
    """The name that the layer's first parameter has where it has not grown."""
    layer = module.neuron
    assert isinstance(layer, nn.Module)
    return prefix + next(name for name, _ in layer.named_parameters())


def _mark(module: nn.Module, state: dict[str, Any], prefix: str, local: Any) -> None:
    """An empty tensor under the name that the layer had before it grew.

    Loaders that fill in what is missing, as `from_pretrained` and `strict=False` do, would make a network
    of new weights of a grown checkpoint and say nothing. They stop at a size that does not fit.
    """
    state[_marked(module, prefix)] = torch.empty(0)


def _unmark(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    state.pop(_marked(module, prefix), None)


def units_of(layer: nn.Module) -> int:
    """How many features a layer returns."""
    for name in ("out_features", "out_channels", "nf", "embedding_dim", "num_features"):
        if isinstance(count := getattr(layer, name, None), int):
            return count
    if isinstance(layer, nn.Sequential):  # a block that grows as one: its last layer that says so
        for child in reversed(layer):
            with contextlib.suppress(InputError):
                return units_of(child)
    raise InputError(f"{type(layer).__name__} does not say how many units it has (out_features)")


def dendrites_of(network: nn.Module) -> dict[str, int]:
    """How many dendrites are on each unit, by layer; layers without any are not listed."""
    return {n: len(m.dendrites) for n, m in network.named_modules() if isinstance(m, Dendritic)}


def put(network: nn.Module, name: str, module: nn.Module) -> None:
    """Put a module in place of that name."""
    parent, _, own = name.rpartition(".")
    network.get_submodule(parent).register_module(own, module)


def set_dendrites(
    network: nn.Module, counts: Mapping[str, int], axes: Mapping[str, int], function: str = "sigmoid"
) -> None:
    """Give layers so many dendrites, in place. New ones are zero; at 0 the layer is what it was before.

    The parameters that stay are the same objects, except `tops` and `links`.
    """
    for name, count in counts.items():
        layer = network.get_submodule(name)
        if not isinstance(layer, Dendritic):
            if count:
                put(network, name, Dendritic(layer, count, axes[name], function))
            continue
        if not count:
            put(network, name, layer.neuron)
            continue
        while len(layer.dendrites) < count:
            layer.grow()
        if len(layer.dendrites) > count:
            layer.shrink(count)
    keep_off_nested_tensors(network)


def keep_off_nested_tensors(network: nn.Module) -> None:
    """Padded inputs of nn.TransformerEncoder would become nested tensors, which only its fast path reads.

    The fast path reads weights and passes dendrites by, so it is not taken where there are any.
    """
    for module in network.modules():
        if isinstance(module, nn.TransformerEncoder) and dendrites_of(module):
            module.use_nested_tensor = False
