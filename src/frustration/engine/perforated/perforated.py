"""In the child process: a network of perforatedai, and the library's settings, all of them written.

Nothing here is imported by the program that trains; only `frustration.engine.perforated.child` does.
"""

from __future__ import annotations

import builtins
import pdb
from collections.abc import Sequence
from typing import Any, NoReturn

import numpy as np
import torch
from perforatedai import globals_perforatedai as GPA
from perforatedai import utils_perforatedai as UPA
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


def configure(settings: Settings, grows: Sequence[bool], test_saves: bool, licensed: bool) -> None:
    """Write every setting there is: the library may read what is left from a file of another run."""
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
        "module_names_to_perforate": ["Linear"] if all(grows) else [],
        "module_ids_to_perforate": [] if all(grows) else [f".{name}" for name in _names(grows)],
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


def _names(chosen: Sequence[bool]) -> list[str]:
    return [f"layer_stack.{3 * number}" for number, it in enumerate(chosen) if it]


class PerforatedNetwork:
    """A SimpleMLP whose linear layers the library has wrapped, and its tracker."""

    def __init__(self, mlp: SimpleMLP, settings: Settings, making_graphs: bool) -> None:
        self.numbers = [3 * number for number in range(len(mlp.linear_layers))]
        self.module: Any = UPA.perforate_model(
            mlp, save_name=SAVE_NAME, maximizing_score=settings.maximizing_score, making_graphs=making_graphs
        )
        self._switch_time = GPA.pai_tracker.switch_time

    @property
    def layers(self) -> list[Any]:
        return [self.module.layer_stack[number] for number in self.numbers]

    @property
    def dendrites(self) -> list[int]:
        return [_dendrites(layer) for layer in self.layers]

    def parts(self) -> list[torch.Tensor]:
        """All parameters that are used, in the order of our flat vector."""
        found: list[torch.Tensor] = []
        for layer in self.layers:
            if not hasattr(layer, "dendrite_module"):
                found += [layer.weight, layer.bias]
                continue
            inner, dendrites = layer.dendrite_module, _dendrites(layer)
            blocks = [layer.main_module, *inner.layers]
            found += [block.weight for block in blocks] + [block.bias for block in blocks]
            if dendrites:
                found.append(layer.dendrites_to_top[dendrites - 1])  # the earlier ones are dead copies
            found += [inner.dendrites_to_dendrites[k] for k in range(1, dendrites)]  # the first is empty
        return found

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
        for layer, count in zip(self.layers, dendrites, strict=True):
            if not hasattr(layer, "dendrite_module"):
                if count:
                    raise ValueError("dendrites on a layer that gets none")
                continue
            layer.clear_dendrites()
            values = layer.dendrite_module.dendrite_values[0]
            values.setup_arrays([1, layer.main_module.out_features])
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


def flat(tensors: Sequence[torch.Tensor]) -> Vector:
    whole: Vector = np.concatenate([tensor.detach().numpy().reshape(-1) for tensor in tensors])
    return whole.astype(np.float32, copy=False)


def _dendrites(layer: Any) -> int:
    return int(layer.dendrite_modules_added) if hasattr(layer, "dendrite_module") else 0
