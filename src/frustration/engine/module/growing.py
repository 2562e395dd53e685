"""Growth of any network in place, by the schedule that `dendrites` follows: for loops of one's own.

growing = Growing(network, axes, Settings(n_epochs_to_switch=5))
… after every evaluation:
event = growing.observe(score)      # "train", "grown" or "done"
… after "grown" and "done": a new optimizer, for the network has other parameters
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn

from frustration.dendrites.draws import GrowthDraws
from frustration.dendrites.schedule import END, GROW, Decision, Schedule
from frustration.dendrites.settings import Settings
from frustration.engine.module.dendritic import Dendritic, dendrites_of, put, set_dendrites
from frustration.engine.module.layers import restore, snapshot

Event = Literal["train", "grown", "done"]


class Growing:
    """A network that grows; it stays the same object, and so do the parameters that it keeps."""

    def __init__(
        self,
        network: nn.Module,
        axes: Mapping[str, int],
        settings: Settings | None = None,
        *,
        draws: GrowthDraws | None = None,
    ) -> None:
        """`axes`: by the name of each layer that grows, where its units are in its output.

        `draws`: where new dendrites come from; by default torch's own generator, as in the library.
        """
        self.network, self.axes = network, axes
        self.settings = settings or Settings()
        self.schedule = Schedule(self.settings)
        self.draws = draws or GrowthDraws(torch.default_generator)
        self.order = list(library_order(network, axes))
        # A new dendrite starts with the statistics of its layer at the beginning, as the library's do.
        self._buffers = {name: _copies(network.get_submodule(name).buffers()) for name in self.order}
        self._saved: tuple[dict[str, int], dict[str, Tensor]] | None = None
        self.why = ""
        """The schedule's last words."""

    @property
    def dendrites(self) -> dict[str, int]:
        """On each unit, by layer."""
        return dict.fromkeys(self.order, 0) | dendrites_of(self.network)

    def observe(self, score: float, approve: Callable[[Decision], bool] | None = None) -> Event:
        """Tell the schedule a score, and do what it decides.

        `approve` is asked before each growth; where it says no, training continues and patience starts anew.
        """
        before = copy.deepcopy(self.schedule) if approve else None
        decision = self.schedule.observe(score)
        self.why = decision.why
        if before and approve and decision.action == GROW and not approve(decision):
            self.schedule = before
            if before.wait(score):
                self._save()
            return "train"
        if decision.save:
            self._save()
        if decision.restore:
            self._restore()
        if decision.action == GROW:
            self._grow()
            if decision.save_grown:
                self._save()
            return "grown"
        return "done" if decision.action == END else "train"

    def state_dict(self) -> dict[str, Any]:
        """All that growth depends on beside the network's own tensors; `torch.save` takes it."""
        counts, saved = self._saved or (None, None)
        return {
            "dendrites": self.dendrites,
            "schedule": self.schedule.state(),
            "draws": self.draws.to_bytes(),
            "saved_dendrites": counts,
            "saved": saved,
            "buffers": self._buffers,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """What `state_dict` returned: the network has the form that it had; its tensors are to be loaded."""
        set_dendrites(self.network, state["dendrites"], self.axes, self.settings.pai_forward_function)
        self.schedule = Schedule.from_state(copy.deepcopy(dict(state["schedule"])))
        self.settings = self.schedule.settings
        self.draws.set_state(state["draws"])
        self._saved = None if state["saved"] is None else (state["saved_dendrites"], state["saved"])
        self._buffers = dict(state["buffers"])

    @torch.no_grad()
    def _grow(self) -> None:
        """One more dendrite on every unit of every layer that grows."""
        for name in self.order:
            layer = self.network.get_submodule(name)
            neuron = layer.neuron if isinstance(layer, Dendritic) else layer
            values = self.draws.parameters(list(neuron.parameters()), self.settings)
            if isinstance(layer, Dendritic):
                layer.grow()
            else:
                layer = Dendritic(layer, 1, self.axes[name], self.settings.pai_forward_function)
                put(self.network, name, layer)
            new = layer.dendrites[-1]
            for tensor, value in zip(_all_of(new), [*values, *self._buffers[name]], strict=True):
                tensor.copy_(value)
        set_dendrites(self.network, {}, {})

    def _save(self) -> None:
        self._saved = self.dendrites, snapshot(self.network)

    def _restore(self) -> None:
        if self._saved is None:
            return
        counts, saved = self._saved
        set_dendrites(self.network, counts, self.axes, self.settings.pai_forward_function)
        for name in self.order:
            layer = self.network.get_submodule(name)
            for _ in range(counts[name]):
                neuron = layer.neuron if isinstance(layer, Dendritic) else layer
                self.draws.discard([tuple(parameter.shape) for parameter in neuron.parameters()])
        restore(self.network, saved)


def _copies(tensors: Iterable[Tensor]) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in tensors]


def _all_of(module: nn.Module) -> list[Tensor]:
    return [*module.parameters(), *module.buffers()]


def library_order(network: nn.Module, chosen: Collection[str], at: str = "") -> Iterator[str]:
    """The chosen layers in the order in which perforatedai draws their dendrites.

    It walks attributes in the order of their names, and only sequences in their own.
    """
    module = network.get_submodule(at)
    children = [name for name, _ in module.named_children()]
    if not isinstance(module, (nn.Sequential, nn.ModuleList)):
        children.sort()
    for own in children:
        name = f"{at}.{own}" if at else own
        if name in chosen:
            yield name
        else:
            yield from library_order(network, chosen, name)
