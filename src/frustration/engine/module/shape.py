"""The network of a problem as the meta-loop sees it: a vector with names in it, and units in layers."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from frustration.engine.module.data import data_of
from frustration.engine.module.dendritic import set_dendrites, units_of
from frustration.engine.module.growing import library_order
from frustration.engine.module.layers import Slice, tensors_of
from frustration.engine.module.probe import seeded, undisturbed
from frustration.engine.module.units import growable
from frustration.errors import InputError
from frustration.protocols import Role, Vector
from frustration.references import ProblemError, ProblemReference, explained
from frustration.streams import Stream

PROBE_SAMPLES = 4
"""What units are found with: enough that a channel that is the same for all of them says nothing else."""
FIXED_SEED = 0
"""Of whatever does not belong to a trial: frozen weights, and the network in which units are found."""

Named = dict[str, tuple[int, ...]]


class Layout:
    """What all trials of a problem have in common: its network's names, units and layers that can grow."""

    def __init__(self, reference: ProblemReference) -> None:
        self.reference, self.problem = reference, reference.problem()
        self.network = self.build(FIXED_SEED)
        self.data = data_of(reference)
        with self._explained("cannot be run"):
            self.batch = self.data.probe(PROBE_SAMPLES)[0]
        lazy = [n for n, p in self.network.named_parameters() if is_lazy(p)]
        if lazy:
            raise ProblemError(
                f"problem {reference}: {lazy[0]} has no size before the network runs; run it once in `build`"
            )
        self.trained = {n: tuple(p.shape) for n, p in self.network.named_parameters() if p.requires_grad}
        self.buffers = {name: tuple(buffer.shape) for name, buffer in statistics_of(self.network)}
        if not self.trained:
            raise ProblemError(f"the network of problem {reference} has no parameter that is trained")
        odd = [n for n, p in self.network.named_parameters() if p.requires_grad and p.dtype == torch.float64]
        if odd:
            raise ProblemError(f"problem {reference}: {odd[0]} is float64; networks are kept as float32")
        double = any(one.dtype == torch.float64 for one in tensors_of(self.batch))
        with self._explained("cannot be run" + " (its data is float64, and networks are float32)" * double):
            self._run_once()
            self.units = self.problem.units(self.network, self._forward)
        self.unit_layers = list(self.units.all)
        self._learn_growth()

    def _forward(self) -> object:
        return self.problem.loss(self.network, self.batch)

    def _run_once(self) -> None:
        """Units are found by who hears what is not a number, so a fresh network's loss has to be one."""
        with undisturbed(self.network), torch.no_grad(), seeded(FIXED_SEED):
            loss = self._forward()
        if not isinstance(loss, Tensor) or bool(loss.isnan().any()):
            found = "nan" if isinstance(loss, Tensor) else repr(loss)
            raise ProblemError(
                f"problem {self.reference}: the loss of a fresh network on the first "
                f"{self.data.probed(PROBE_SAMPLES)} training samples is no number: {found}"
            )

    def _learn_growth(self) -> None:
        with self._explained("cannot say where dendrites grow"):
            named = self.problem.growable(self.network)
            chosen = None if named is None else list(named)
        axes = growable(self.units)
        if chosen is not None:
            known = dict(self.network.named_modules())
            for name in chosen:
                if name not in known:
                    raise ProblemError(f"problem {self.reference}: growable names {name}, which is no module")
            axes = {name: axes.get(name, self.axis(known[name])) for name in chosen}
        self.axes = axes
        self.growing = list(library_order(self.network, axes))
        self.own: dict[str, Named] = {}
        self.own_buffers: dict[str, Named] = {}
        self.frozen: dict[str, Tensor] = {}
        """Weights of layers that grow which are not trained: a dendrite has copies of its own, redrawn."""
        for name in self.growing:
            module = self.network.get_submodule(name)
            frozen = [n for n, p in module.named_parameters() if not p.requires_grad]
            if frozen and not self.problem.copies_frozen():
                raise ProblemError(
                    f"problem {self.reference}: {name} has frozen weights ({frozen[0]}), which a dendrite "
                    f"would copy; let `growable` name a layer inside it that is trained whole"
                )
            self.own[name] = {n: tuple(p.shape) for n, p in module.named_parameters()}
            self.frozen |= {f"{name}.{own}": module.get_parameter(own).detach() for own in frozen}
            self.own_buffers[name] = {n: tuple(b.shape) for n, b in statistics_of(module)}
        self.width = {name: self._width(name) for name in self.growing}

    def _width(self, name: str) -> int:
        try:
            return units_of(self.network.get_submodule(name))
        except InputError as error:
            raise ProblemError(f"problem {self.reference}: no dendrite can grow on {name}: {error}") from None

    def without_units(self) -> Iterator[str]:
        """`rnn (LSTM)`: every module with trained matrices of its own that is no layer with units."""
        for name, module in self.network.named_modules():
            own = module.named_parameters(recurse=False)
            matrices = [p for _, p in own if p.requires_grad and p.dim() > 1]
            name = name.partition(".parametrizations.")[0]
            if matrices and name and not (name in self.units.all or isinstance(module, nn.Embedding)):
                yield f"{name} ({type(self.network.get_submodule(name)).__name__})"

    @staticmethod
    def axis(module: nn.Module) -> int:
        """Of the features in what a module returns."""
        return 1 if any(isinstance(m, nn.modules.conv._ConvNd) for m in module.modules()) else -1

    def build(self, seed: int) -> nn.Module:
        """A fresh network under a seed."""
        with seeded(seed), self._explained("cannot be built"):
            network = self.problem.build()
        if not isinstance(network, nn.Module):
            raise ProblemError(f"problem {self.reference}: build returns a torch.nn.Module, not {network!r}")
        if isinstance(network, torch.jit.ScriptModule):
            raise ProblemError(
                f"problem {self.reference}: build returns a TorchScript module, in which no unit can be "
                f"found; let it return the network itself"
            )
        return network

    def _explained(self, what: str) -> contextlib.AbstractContextManager[None]:
        return explained(f"problem {self.reference} {what}")


_layouts: dict[ProblemReference, Layout] = {}


def layout_of(reference: ProblemReference) -> Layout:
    """The layout of a problem, made once per process."""
    if reference not in _layouts:
        _layouts[reference] = Layout(reference)
    return _layouts[reference]


def shape_of(reference: ProblemReference) -> ModuleShape:
    return ModuleShape(reference, (0,) * len(layout_of(reference).growing))


@dataclass(frozen=True)
class ModuleShape:
    """The network of a problem with its dendrites."""

    reference: ProblemReference
    dendrites: tuple[int, ...]
    """On every unit of each layer that can grow, in the order in which perforatedai draws."""
    forward_function: str = "sigmoid"

    def __post_init__(self) -> None:
        if not any(self.dendrites):
            object.__setattr__(self, "forward_function", "sigmoid")

    @property
    def layout(self) -> Layout:
        return layout_of(self.reference)

    @property
    def form(self) -> tuple[ProblemReference, int, int]:
        return self.reference, 0, 0

    @property
    def subject(self) -> str:
        return str(self.reference)

    @property
    def counts(self) -> dict[str, int]:
        """Dendrites by layer."""
        return dict(zip(self.layout.growing, self.dendrites, strict=True))

    @functools.cached_property
    def names(self) -> Named:
        """Every tensor of the vector with its shape, in order: what is trained, then statistics."""
        layout, counts = self.layout, self.counts
        trained = {self.renamed(name): shape for name, shape in layout.trained.items()}
        statistics = {self.renamed(name): shape for name, shape in layout.buffers.items()}
        for layer, count in counts.items():
            for k in range(count):
                inside = f"{layer}.dendrites.{k}."
                for name, shape in layout.own[layer].items():
                    kind = statistics if f"{layer}.{name}" in layout.frozen else trained
                    kind[inside + name] = shape
                statistics |= {inside + name: shape for name, shape in layout.own_buffers[layer].items()}
            pairs = count * (count - 1) // 2
            trained |= {f"{layer}.tops": (count, layout.width[layer])} if count else {}
            trained |= {f"{layer}.links": (pairs, layout.width[layer])} if pairs else {}
        object.__setattr__(self, "_trained", sum(math.prod(shape) for shape in trained.values()))
        return trained | statistics

    def renamed(self, name: str) -> str:
        """A tensor's name where its layer is inside a Dendritic."""
        for layer, count in self.counts.items():
            if count and name.startswith(f"{layer}."):
                return f"{layer}.neuron.{name.removeprefix(f'{layer}.')}"
        return name

    @functools.cached_property
    def places(self) -> dict[str, slice]:
        """Where each tensor is in the vector."""
        ends = itertools.accumulate((math.prod(shape) for shape in self.names.values()), initial=0)
        return {n: slice(a, b) for n, (a, b) in zip(self.names, itertools.pairwise(ends), strict=True)}

    @functools.cached_property
    def size(self) -> int:
        return sum(math.prod(shape) for shape in self.names.values())

    @property
    def parameters(self) -> int:
        _ = self.names
        trained: int = self.__dict__["_trained"]
        return trained

    @functools.cached_property
    def flops(self) -> int:
        """As torch counts them, of one sample: products alone."""
        from torch.utils.flop_counter import FlopCounterMode

        network = self.module()
        layout = self.layout
        with undisturbed(network), torch.no_grad(), FlopCounterMode(display=False) as counter:
            layout.problem.loss(network, layout.batch)
        return int(counter.get_total_flops()) // layout.data.probed(PROBE_SAMPLES)

    @property
    def work(self) -> int:
        return self.flops

    @property
    def grown(self) -> bool:
        return any(self.dendrites)

    @property
    def outputs(self) -> list[bool]:
        return [name in self.layout.units.output for name in self.layout.growing]

    def eligible(self, role: Role) -> list[tuple[int, list[int]]]:
        layout = self.layout
        return [(layout.unit_layers.index(name), units) for name, units in layout.units.role(role).items()]

    def lacks(self, role: Role) -> str:
        kind = "" if role == "all" else f"{role} "
        said = f"the network of {self.reference} has no {kind}unit that is trained"
        units = self.layout.units
        if shared := [name for name in units.all if role == "hidden" and name not in units.output]:
            said += f"; the readers of {_some(shared)} read other units too, or have no weights to take"
        if unknown := list(self.layout.without_units()):
            said += f"; units of {_some(unknown)} are not found"
        return said

    def layer_name(self, layer: int) -> str:
        return self.layout.unit_layers[layer]

    def layer_sizes(self) -> list[tuple[str, int, int]]:
        sizes: dict[str, int] = {}
        for name, shape in self.layout.trained.items():
            layer = name.rpartition(".")[0]
            sizes[layer] = sizes.get(layer, 0) + math.prod(shape)
        layers, units = self.layout.units.layers, self.layout.units.all
        widths = {name: len(units[name]) if name in units else layers[name].width for name in layers}
        return [(name, widths.get(name, 0), size) for name, size in sizes.items()]

    def widened(self, dendrites: int) -> ModuleShape:
        wanted = self.with_dendrites((dendrites,) * len(self.dendrites)).parameters
        with explained(f"problem {self.reference} cannot be widened"):
            wider = self.layout.problem.widened(wanted)
        if wider is None:
            raise ProblemError(
                f"problem {self.reference} has no wider self; it would be what widened(…) returns"
            )
        return wider.shape()

    def view(self, vector: Vector) -> ModuleNetwork:
        return ModuleNetwork(self, vector)

    def initial(self, stream: Stream) -> Vector:
        if self.grown:
            raise ValueError("a network starts without dendrites")
        network = self.layout.build(int(stream.bits(1)[0]) >> 1)
        return self.vector_of(network)

    def with_dendrites(self, dendrites: Iterable[int], forward_function: str | None = None) -> ModuleShape:
        return dataclasses.replace(
            self, dendrites=tuple(dendrites), forward_function=forward_function or self.forward_function
        )

    def redrawn(self) -> Iterator[tuple[int, ...]]:
        for layer, count in self.counts.items():
            for _ in range(count):
                yield from self.layout.own[layer].values()

    def from_state(self, state: Mapping[str, Vector], prefix: str, function: str | None) -> ModuleNetwork:
        tops = [state.get(f"{prefix}{layer}.tops") for layer in self.layout.growing]
        shape = self.with_dendrites([0 if top is None else len(top) for top in tops], function)
        network = shape.view(np.empty(shape.size, np.float32))
        for name, view in network.to_state(prefix).items():
            if state[name].shape != view.shape:
                raise ValueError(f"{name} has the shape {state[name].shape}, not {view.shape}")
            view[...] = state[name]
        return network

    def module(self, device: torch.device | None = None) -> nn.Module:
        """A network of this shape; its frozen weights are the problem's, the others are to be loaded."""
        layout = self.layout
        network = layout.build(FIXED_SEED)
        set_dendrites(network, self.counts, layout.axes, self.forward_function)
        return network.to(device) if device is not None else network

    def tensors(self, network: nn.Module) -> list[Tensor]:
        """The tensors of a network of this shape, in the order of the vector."""
        found = {n: p.detach() for n, p in network.named_parameters()} | dict(statistics_of(network))
        return [found[name] for name in self.names]

    @torch.no_grad()
    def load(self, network: nn.Module, vector: Vector) -> None:
        """Copy a vector into a network, in place."""
        whole = torch.from_numpy(vector)
        for tensor, place in zip(self.tensors(network), self.places.values(), strict=True):
            tensor.copy_(whole[place].view(tensor.shape))

    @torch.no_grad()
    def vector_of(self, network: nn.Module) -> Vector:
        """[size] a copy of a network's tensors."""
        flat = [tensor.reshape(-1).to("cpu", torch.float32) for tensor in self.tensors(network)]
        return torch.cat(flat).numpy()


class ModuleNetwork:
    """A vector with the names of a problem's network in it."""

    def __init__(self, shape: ModuleShape, vector: Vector) -> None:
        if vector.shape != (shape.size,):
            raise ValueError(f"{shape.reference} has {shape.size} numbers, not {vector.shape}")
        self.shape, self.vector = shape, vector

    def copy(self) -> ModuleNetwork:
        return ModuleNetwork(self.shape, self.vector.copy())

    def to_state(self, prefix: str = "") -> dict[str, Vector]:
        places = self.shape.places
        return {f"{prefix}{n}": self.vector[places[n]].reshape(s) for n, s in self.shape.names.items()}

    def incoming(self, layer: int, unit: int) -> list[Vector]:
        units = self.shape.layout.units
        return self._views(units.incoming(self.shape.layer_name(layer), unit, self._grown))

    def outgoing(self, layer: int, unit: int) -> list[Vector]:
        units = self.shape.layout.units
        return self._views(units.outgoing(self.shape.layer_name(layer), unit, self._grown))

    @functools.cached_property
    def _grown(self) -> dict[str, int]:
        return {name: count for name, count in self.shape.counts.items() if count}

    def _views(self, parts: Sequence[Slice]) -> list[Vector]:
        found = ((part, self._tensors.get(self._place(part.name))) for part in parts)
        return [tensor[part.index] for part, tensor in found if tensor is not None]

    def _place(self, name: str) -> str:
        """A tensor's name here: units know of dendrites on their layer, and not of those around it."""
        return name if name in self._tensors else self.shape.renamed(name)

    @functools.cached_property
    def _tensors(self) -> dict[str, Vector]:
        return self.to_state()

    def own(self, layer: int) -> list[Vector]:
        name = self.shape.layout.growing[layer]
        inside = f"{name}.neuron." if self.shape.counts[name] else f"{name}."
        frozen = {own: t.float().numpy() for own, t in self.shape.layout.frozen.items()}
        return [
            frozen[f"{name}.{own}"] if f"{name}.{own}" in frozen else self._tensors[inside + own]
            for own in self.shape.layout.own[name]
        ]

    def with_dendrite(self, values: Mapping[int, Sequence[Vector]], function: str) -> ModuleNetwork:
        layout = self.shape.layout
        counts = [k + (layer in values) for layer, k in enumerate(self.shape.dendrites)]
        shape = self.shape.with_dendrites(counts, function)
        bigger = shape.view(np.zeros(shape.size, np.float32))
        room = bigger._tensors
        renamed = {self.shape.renamed(n): shape.renamed(n) for n in (*layout.trained, *layout.buffers)}
        for name, tensor in self._tensors.items():
            target = room[renamed.get(name, name)]
            if target.shape == tensor.shape:
                target[...] = tensor
            else:  # tops and links: rows of earlier dendrites come first
                target[: len(tensor)] = tensor
        first = {n: tensor.detach() for n, tensor in statistics_of(layout.network)}
        for layer, drawn in values.items():
            name = layout.growing[layer]
            inside = f"{name}.dendrites.{self.shape.dendrites[layer]}."
            for own, value in zip(layout.own[name], drawn, strict=True):
                room[inside + own][...] = value
            for own in layout.own_buffers[name]:
                room[inside + own][...] = first[f"{name}.{own}"].float().numpy()
        return bigger

    def activity(self, probe: Sequence[Any]) -> list[NDArray[np.float64]]:
        layout = self.shape.layout
        network = self.shape.module()
        self.shape.load(network, self.vector)
        sums: dict[str, NDArray[np.float64]] = {}
        seen: dict[str, int] = {}
        listening = {listener for name in layout.units.hidden for listener, _ in layout.units.listeners(name)}

        def hear(name: str, axis: int) -> Any:
            def note(module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
                columns = inputs[0].detach().movedim(axis, 0).flatten(1).double().abs()
                sums[name] = sums.get(name, 0.0) + columns.sum(1).numpy()
                seen[name] = seen.get(name, 0) + columns.shape[1]

            return note

        with contextlib.ExitStack() as hooks, undisturbed(network), torch.no_grad(), seeded(FIXED_SEED):
            for name in listening:
                hook = hear(name, layout.units.layers[name].axis)
                hooks.callback(network.get_submodule(name).register_forward_pre_hook(hook).remove)
            for batch in probe:
                layout.problem.loss(network, batch)
        found = []
        for name in layout.unit_layers:
            fires = np.zeros(layout.units.layers[name].width)
            heard_by = list(layout.units.listeners(name)) if name in layout.units.hidden else []
            for listener, heard in heard_by:
                who = heard.numpy()
                for unit in range(len(fires)):
                    columns = who == unit
                    if columns.any():
                        fires[unit] += (sums[listener] / seen[listener])[columns].mean() / len(heard_by)
            units = layout.units.all[name]
            found.append(np.array([fires[[*layout.units.heard(name, unit)]].mean() for unit in units]))
        return found

    def utilities(self, probe: Sequence[Any]) -> list[NDArray[np.float64]]:
        found = self.activity(probe)
        for layer, units in self.shape.eligible("hidden"):
            for unit in units:
                outgoing = [part.astype(np.float64).ravel() for part in self.outgoing(layer, unit)]
                found[layer][unit] *= float(np.linalg.norm(np.concatenate(outgoing)))
        return found


def statistics_of(network: nn.Module) -> Iterator[tuple[str, Tensor]]:
    """Statistics that training leaves in a network; other buffers are constants of its build."""
    for name, buffer in network.named_buffers():
        if buffer.is_floating_point() or name.endswith("num_batches_tracked"):
            yield name, buffer


def _some(names: Sequence[str]) -> str:
    """The first of them."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
