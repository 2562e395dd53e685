"""In the child process: a network of perforatedai, and the library's settings, all of them written.

Nothing here is imported by the program that trains; only `frustration.engine.perforated.child` does.
"""

from __future__ import annotations

import builtins
import copy
import pdb
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from perforatedai import globals_perforatedai as GPA
from perforatedai import utils_perforatedai as UPA
from torch import nn
from torch.nn import functional

from frustration.dendrites.settings import Settings
from frustration.network import Vector
from frustration.simple_mlp import SimpleMLP

SAVE_NAME = "run"

DIRECT = (
    "n_epochs_to_switch",
    "fixed_switch_num",
    "first_fixed_switch_num",
    "initial_history_after_switches",
    "history_lookback",
    "improvement_threshold_raw",
    "max_dendrites",
    "max_dendrite_tries",
    "retain_all_dendrites",
    "candidate_weight_initialization_multiplier",
    "candidate_weight_init_by_main",
    "testing_dendrite_capacity",
)
FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "softplus": functional.softplus,
}


class DebuggerReached(Exception):
    """The library wanted to stop in a debugger or ask at a prompt, where nobody could answer."""


def fence_off() -> None:
    """Make the library's 31 debugger stops and 2 prompts raise: some of them would wait for ever."""

    def stop(*_args: Any, **_kwargs: Any) -> NoReturn:
        raise DebuggerReached("the library stopped in its debugger; its last lines say why")

    def prompt(*_args: Any) -> NoReturn:
        raise DebuggerReached("the library asked a question that nobody could answer")

    pdb.set_trace = stop
    builtins.input = prompt


def configure(settings: Settings, layers: Sequence[str], test_saves: bool, licensed: bool) -> None:
    """Write every setting there is: the library may read what is left from a file of another run.

    `layers` names those on which dendrites grow.
    """
    pc = GPA.pc
    modes = {
        "history": pc.DOING_HISTORY,
        "fixed": pc.DOING_FIXED_SWITCH,
        "every": pc.DOING_SWITCH_EVERY_TIME,
        "none": pc.DOING_NO_SWITCH,
    }
    own: dict[str, Any] = {name: getattr(settings, name) for name in DIRECT}
    own |= {
        "switch_mode": modes[settings.switch_mode],
        "improvement_threshold": list(settings.improvement_threshold),
        "pai_forward_function": FUNCTIONS[settings.pai_forward_function],
        "configuration_confirmed": True,
        "unwrapped_modules_confirmed": True,
        "checked_skipped_modules": True,
        "weight_decay_accepted": True,
        "device": torch.device("cpu"),
        "d_type": torch.float32,
        "output_dimensions": [-1, 0],
        "modules_to_perforate": [],
        "module_names_to_perforate": [],
        "module_ids_to_perforate": [f".{name}" for name in layers],
        "module_names_to_not_save": [],
        "find_best_lr": False,
        "silent": True,
        "test_saves": test_saves,
        "pai_saves": False,
        "using_safe_tensors": True,
        "dashboard_events_enabled": False,
        "save_name": SAVE_NAME,
        "perforated_backpropagation": licensed,
        "no_extra_n_modes": not licensed,
    }
    # `hasattr(pc, "set_anything")` is always true, and a misspelt setting is only printed.
    known = {name[1:] for name in vars(pc) if name.startswith("_") and f"set{name}" in vars(pc)}
    if missing := sorted(own.keys() - known):
        raise RuntimeError(f"perforatedai has no setting {missing[0]}")
    for name in known - {"config_file"}:
        value = own[name] if name in own else getattr(pc, f"_{name}")
        getattr(pc, f"set_{name}")(value)


class PerforatedNetwork(ABC):
    """A network some of whose layers the library has wrapped, and its tracker."""

    def __init__(
        self, network: nn.Module, names: Sequence[str], settings: Settings, making_graphs: bool
    ) -> None:
        """`names`: of all layers that our vector knows dendrites of, wrapped or not."""
        self.names = names
        self.module: Any = UPA.perforate_model(
            network,
            save_name=SAVE_NAME,
            maximizing_score=settings.maximizing_score,
            making_graphs=making_graphs,
        )
        self._switch_time = GPA.pai_tracker.switch_time
        # What a new dendrite copies: the layer at the beginning, with the statistics that it had there.
        self._parents = {
            name: copy.deepcopy(layer.dendrite_module.parent_module.state_dict())
            for name, layer in zip(names, self.layers, strict=True)
            if wrapped(layer)
        }

    @property
    def layers(self) -> list[Any]:
        return [self.module.get_submodule(name) for name in self.names]

    @property
    def dendrites(self) -> list[int]:
        return [_dendrites(layer) for layer in self.layers]

    @abstractmethod
    def parts(self) -> list[torch.Tensor]:
        """All tensors that are used, in the order of our flat vector."""

    def output_shape(self, number: int) -> list[int]:
        """The shape that the library keeps of a layer's output: its units, and 1 elsewhere."""
        return [1, self.layers[number].main_module.out_features]

    def load(self, weights: Vector) -> None:
        start = 0
        with torch.no_grad():
            for part in self.parts():
                values = torch.from_numpy(weights[start : start + part.numel()])
                part.copy_(values.view_as(part))
                start += part.numel()
        if start != weights.size:
            raise ValueError(f"the library's network has {start} parameters, not {weights.size}")

    def weights(self) -> Vector:
        return flat(self.parts())

    def grow_to(self, dendrites: Sequence[int]) -> None:
        """Give every layer as many dendrites as a saved network had, as the library does before it loads."""
        for number, (layer, count) in enumerate(zip(self.layers, dendrites, strict=True)):
            if not wrapped(layer):
                if count:
                    raise ValueError("dendrites on a layer that gets none")
                continue
            layer.clear_dendrites()
            layer.dendrite_module.parent_module.load_state_dict(self._parents[self.names[number]])
            values = layer.dendrite_module.dendrite_values[0]
            values.setup_arrays(self.output_shape(number))
            values.current_d_init[0] = 1
            UPA.simulate_cycles(layer, 2 * count, doing_pai=True)

    def observe(self, score: float, hold: bool, test: float | None) -> tuple[str, list[str]]:
        """Tell the library a score: what it wants, and which files of networks it saved on the way."""
        saved: list[str] = []
        save_system = UPA.save_system

        def noting(net: Any, folder: str, name: str) -> None:
            saved.append(name)
            save_system(net, folder, name)

        tracker = GPA.pai_tracker
        tracker.switch_time = (lambda: False) if hold else self._switch_time
        UPA.save_system = noting
        try:
            if test is not None:
                tracker.add_extra_score(test, "test")
            self.module, restructured, complete = tracker.add_validation_score(score, self.module)
        finally:
            UPA.save_system = save_system
        return ("end" if complete else "grow" if restructured else "train"), saved


class PerforatedMLP(PerforatedNetwork):
    """A SimpleMLP whose linear layers the library has wrapped."""

    def __init__(self, mlp: SimpleMLP, settings: Settings, making_graphs: bool) -> None:
        super().__init__(mlp, mlp_layers(len(mlp.linear_layers)), settings, making_graphs)

    def parts(self) -> list[torch.Tensor]:
        found: list[torch.Tensor] = []
        for layer in self.layers:
            if not wrapped(layer):
                found += [layer.weight, layer.bias]
                continue
            blocks = [layer.main_module, *layer.dendrite_module.layers]
            found += [block.weight for block in blocks] + [block.bias for block in blocks]
            found += tops(layer) + links(layer)
        return found


def mlp_layers(count: int) -> list[str]:
    """What the linear layers of a SimpleMLP are called."""
    return [f"layer_stack.{3 * number}" for number in range(count)]


def wrapped(layer: Any) -> bool:
    return hasattr(layer, "dendrite_module")


def tops(layer: Any) -> list[torch.Tensor]:
    """What a wrapped layer's dendrites weigh in its units; the library keeps dead copies of earlier ones."""
    dendrites = _dendrites(layer)
    return [layer.dendrites_to_top[dendrites - 1]] if dendrites else []


def links(layer: Any) -> list[torch.Tensor]:
    """What a wrapped layer's dendrites weigh in later ones; the library's first is empty."""
    return [layer.dendrite_module.dendrites_to_dendrites[k] for k in range(1, _dendrites(layer))]


def flat(tensors: Sequence[torch.Tensor]) -> Vector:
    whole: Vector = np.concatenate([tensor.detach().numpy().reshape(-1) for tensor in tensors])
    return whole.astype(np.float32, copy=False)


def _dendrites(layer: Any) -> int:
    return int(layer.dendrite_modules_added) if wrapped(layer) else 0
