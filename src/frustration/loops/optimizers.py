"""An optimizer and a scheduler that follow a network whose parameters change.

Both are changed in place: a gradient scaler, a trainer or a wrapper that holds them keeps holding them.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from frustration.errors import InputError


class Companions:
    """The optimizer of a network and, if there is one, its learning-rate scheduler."""

    def __init__(self, network: nn.Module, optimizer: torch.optim.Optimizer, scheduler: Any = None) -> None:
        self.network, self.optimizer, self.scheduler = network, optimizer, scheduler
        self._settings = [_without_params(group) for group in optimizer.param_groups]
        self._schedule = copy.deepcopy(scheduler.state_dict()) if scheduler is not None else None
        self._group_of = self._groups()

    def _groups(self) -> dict[str, int]:
        """The number of the group of every trained parameter, by its name."""
        names = {id(p): name for name, p in self.network.named_parameters()}
        groups = {
            names[id(p)]: number
            for number, group in enumerate(self.optimizer.param_groups)
            for p in group["params"]
            if id(p) in names
        }
        if not groups:
            raise InputError("the optimizer holds no parameter of the network: make it after the network")
        return groups

    def restart(self) -> None:
        """Hold the parameters that the network has now, with no memory and the first learning rate."""
        groups: list[list[nn.Parameter]] = [[] for _ in self._settings]
        for name, parameter in self.network.named_parameters():
            number = self._group_of.get(name)
            if number is None:
                number = self._like(name) if parameter.requires_grad else None
            if number is not None:
                groups[number].append(parameter)
        for group, parameters, settings in zip(
            self.optimizer.param_groups, groups, self._settings, strict=True
        ):
            group.update(copy.deepcopy(settings))
            group["params"] = parameters
        self.optimizer.state.clear()
        if self.scheduler is not None:
            self.scheduler.load_state_dict(copy.deepcopy(self._schedule))

    def forget(self) -> None:
        """The optimizer without its memory; learning rate and schedule stay where they are."""
        self.optimizer.state.clear()

    @torch.no_grad()
    def forget_where(self, changed: Mapping[str, Tensor]) -> None:
        """The optimizer without its memory of some weights: masks by the names of parameters."""
        parameters = dict(self.network.named_parameters())
        for name in changed.keys() & parameters.keys():
            for value in self.optimizer.state.get(parameters[name], {}).values():
                if isinstance(value, Tensor) and value.shape == changed[name].shape:
                    value.masked_fill_(changed[name].to(value.device), 0)

    def decay(self, weight_decay: float) -> None:
        """Another weight decay for every group; 0: what each group had at first."""
        for group, settings in zip(self.optimizer.param_groups, self._settings, strict=True):
            if "weight_decay" not in group:
                if weight_decay:
                    raise InputError(f"{type(self.optimizer).__name__} has no weight decay for mode decay")
                continue
            group["weight_decay"] = weight_decay or settings["weight_decay"]

    def _like(self, name: str) -> int:
        """The group of a parameter that growth brought: that of the parameter it belongs to.

        Inside a layer that has grown, names say whose copy a parameter is: `dendrites.0.weight` is that of
        `weight`; the layer's own parameters were renamed to `neuron.weight`.
        """
        candidates = [name.replace(".neuron.", ".", 1), name.removeprefix("neuron.")]
        head, found, tail = name.partition("dendrites.")
        if found:
            own = tail.partition(".")[2]
            candidates += [f"{head}{own}", f"{head}neuron.{own}"]
        for ending in ("tops", "links"):
            if name.endswith(ending):
                head = name.removesuffix(ending)
                candidates += [f"{head}weight", f"{head}neuron.weight"]
        for candidate in candidates:
            if candidate in self._group_of:
                return self._group_of[candidate]
        return 0

    def state(self) -> dict[str, Any]:
        """A copy of both states."""
        return copy.deepcopy(
            {
                "optimizer": self.optimizer.state_dict(),
                "scheduler": None if self.scheduler is None else self.scheduler.state_dict(),
            }
        )

    def load(self, state: Mapping[str, Any]) -> None:
        """What `state` returned."""
        self.optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))
        if self.scheduler is not None:
            self.scheduler.load_state_dict(copy.deepcopy(state["scheduler"]))


def _without_params(group: Mapping[str, Any]) -> dict[str, Any]:
    return copy.deepcopy({key: value for key, value in group.items() if key != "params"})
