"""The network of a problem in the library's process: trained by the plain loop, grown by the library."""

from __future__ import annotations

import contextlib
import dataclasses
import threading
from collections.abc import Mapping, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any

import torch
from torch import nn

from frustration.dendrites.settings import Settings
from frustration.engine.module.data import ProblemData, data_of
from frustration.engine.module.layers import tensors_of
from frustration.engine.module.population import ModulePopulation
from frustration.engine.module.probe import seeded, undisturbed, without_fast_path
from frustration.engine.module.shape import FIXED_SEED, Layout, ModuleShape, layout_of, shape_of
from frustration.engine.perforated.perforated import PerforatedNetwork, links, tops, wrapped
from frustration.engine.perforated.trainee import Trainee
from frustration.engine.population import Epoch, OptimizerState, Part
from frustration.protocols import Vector
from frustration.references import ProblemError, ProblemReference

CPU = torch.device("cpu")


class PerforatedModule(PerforatedNetwork):
    """The network of a problem whose layers the library has wrapped."""

    def __init__(self, layout: Layout, bare: ModuleShape, settings: Settings, graphs: bool) -> None:
        self.bare, self.function = bare, settings.pai_forward_function
        dimensions = _output_dimensions(layout)
        super().__init__(layout.build(FIXED_SEED), layout.growing, settings, graphs)
        self._output_shapes = []
        for name, layer in zip(self.names, self.layers, strict=True):
            axis = layout.axes[name] % dimensions[name]
            shape = [1] * dimensions[name]
            shape[axis] = layout.width[name]
            self._output_shapes.append(shape)
            if wrapped(layer):
                layer.set_this_output_dimensions([0 if n == axis else -1 for n in range(len(shape))])

    @property
    def shape(self) -> ModuleShape:
        return self.bare.with_dendrites(self.dendrites, self.function)

    def output_shape(self, number: int) -> list[int]:
        return self._output_shapes[number]

    def parts(self) -> list[torch.Tensor]:
        return [tensor for name in self.shape.names for tensor in self._theirs(name)]

    def _theirs(self, name: str) -> list[torch.Tensor]:
        """The library's tensors behind a name of ours."""
        for layer, module in zip(self.names, self.layers, strict=True):
            if not name.startswith(f"{layer}.") or not wrapped(module):
                continue
            kind, _, own = name.removeprefix(f"{layer}.").partition(".")
            if not module.dendrite_modules_added:
                return [attrgetter(name.removeprefix(f"{layer}."))(module.main_module)]
            if kind == "neuron":
                return [attrgetter(own)(module.main_module)]
            if kind == "dendrites":
                return [attrgetter(own)(module.dendrite_module.layers)]
            return tops(module) if kind == "tops" else links(module)
        return [attrgetter(name)(self.module)]


class PerforatedPopulation(ModulePopulation):
    """One network of the library's, of the shape that it has now, in the loop that trains ours."""

    def __init__(self, network: PerforatedModule, data: ProblemData, batch_size: int) -> None:
        super().__init__(network.shape, 1, data, batch_size, CPU, [network.module])
        self._network = network

    def load(self, slot: int, weights: Vector) -> None:
        self._network.load(weights)

    def weights(self, slot: int) -> Vector:
        return self._network.weights()

    def _parameters(self, slot: int) -> list[nn.Parameter]:
        return [p for p in self._network.parts() if isinstance(p, nn.Parameter) and p.requires_grad]


class ModuleTrainee(Trainee):
    """The network of a problem, which this process imports by name."""

    _network: PerforatedModule | None
    _visitor: ModulePopulation
    _own: PerforatedPopulation | None = None

    def _prepare(self, what: Mapping[str, Any]) -> tuple[Sequence[str], Sequence[bool]]:
        self._users_folder = Path(what["folder"])
        with self._at_the_users():
            self.reference = ProblemReference.from_dict(what["problem"])
            self.layout = layout_of(self.reference)
            self.data = data_of(self.reference, what["train_fraction"])
        self.bare = shape_of(self.reference)
        return self.layout.growing, self.bare.outputs

    def _perforated(self, graphs: bool) -> PerforatedModule:
        return PerforatedModule(self.layout, self.bare, self.settings, graphs)

    def _at_the_users(self) -> contextlib.chdir[Path]:
        """A problem may read files beside its user; the library writes into the folder of this process."""
        return contextlib.chdir(self._users_folder)

    @property
    def population(self) -> PerforatedPopulation:
        network = self._network
        assert network is not None
        own = self._own
        if own is None or own.shape != network.shape or own.networks[0] is not network.module:
            self._own = own = PerforatedPopulation(network, self.data, self.batch_size)
        return own

    def _invite(self, dendrites: list[int], forward_function: str, weights: Vector) -> None:
        shape = self.bare.with_dendrites(dendrites, forward_function)
        self._visitor = ModulePopulation(shape, 1, self.data, self.batch_size, CPU)
        self._visitor.load(0, weights)

    def _guest_weights(self) -> Vector:
        return self._visitor.weights(0)

    def _epoch(self, epoch: Epoch, continues: bool) -> float:
        population = self.population
        if continues:
            epoch = dataclasses.replace(epoch, moments=population.moments(0))
        with self._at_the_users():
            (loss,) = population.train({0: epoch}, threading.Event())
        self._optimizer = population.optimizers[0]
        return loss

    def _memory(self) -> OptimizerState:
        return self.population.moments(0)

    def _measured(self, part: Part) -> float:
        population = self._visitor if self._guest else self.population
        heard = without_fast_path() if any(self.network.dendrites) else contextlib.nullcontext()
        with self._at_the_users(), heard:
            return population.evaluate(part)[0]

    def _as_score(self, measured: float) -> float:
        return self.reference.metric.for_schedule(measured)


def _output_dimensions(layout: Layout) -> dict[str, int]:
    """By layer that can grow, how many dimensions its output has."""
    found: dict[str, int] = {}

    def noting(name: str) -> Any:
        def note(module: nn.Module, inputs: Any, output: Any) -> None:
            found[name] = next(tensors_of(output)).dim()

        return note

    network = layout.network
    with contextlib.ExitStack() as hooks, undisturbed(network), torch.no_grad(), seeded(FIXED_SEED):
        for name in layout.growing:
            module = network.get_submodule(name)
            hooks.callback(module.register_forward_hook(noting(name)).remove)
        layout.problem.loss(network, layout.batch)
    if silent := [name for name in layout.growing if name not in found]:
        raise ProblemError(
            f"problem {layout.reference}: the loss does not run {silent[0]}, so perforatedai cannot learn "
            f"its form; leave it out of growable"
        )
    return found
