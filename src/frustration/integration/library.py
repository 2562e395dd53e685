"""The lines that the library perforatedai 3.2.9 needs in a script, and why."""

from __future__ import annotations

import re

from frustration.integration.layers import Layers
from frustration.integration.present import Present
from frustration.integration.source import Script
from frustration.integration.targets import Wishes

IMPORTS = {
    "gpa": "from perforatedai import globals_perforatedai as GPA",
    "upa": "from perforatedai import utils_perforatedai as UPA",
}
SLOW_PATH = "torch.backends.mha.set_fastpath_enabled(False)  # it ignores dendrites in evaluation"
RANK = "dendrite_rank"
HEADING = "Dendrites (perforatedai 3.2.9)"


def save_name(script: Script, wishes: Wishes) -> str:
    """The folder that the library writes to, without characters that it drops or dies of."""
    name = wishes.save_name or f"{script.path.stem if script.path else 'network'}_dendrites"
    return re.sub(r"[^A-Za-z0-9_]+", "_", name)


def configuration(layers: Layers, present: Present, wishes: Wishes, device: str) -> list[str]:
    """The settings that are not in the script yet, each with its reason."""
    gpa = present.gpa or "GPA"
    wanted: list[tuple[str, str, str]] = [
        ("configuration_confirmed", "True", "no full-screen questions"),
        ("unwrapped_modules_confirmed", "True", "layers without dendrites are meant to have none"),
        ("checked_skipped_modules", "True", ""),
        (
            "testing_dendrite_capacity",
            str(not wishes.real),
            "" if wishes.real else "four epochs that only show that it works; then False",
        ),
        *_which(layers, wishes),
    ]
    if wishes.dimensions:
        wanted.append(("output_dimensions", str(list(wishes.dimensions)), "0 marks the axis of the neurons"))
    elif layers.dimensions:
        wanted.append(("output_dimensions", str(layers.dimensions), "0 marks the axis of the neurons"))
    if layers.unsafe_tensors:
        wanted.append(("using_safe_tensors", "False", "tied weights cannot be saved otherwise"))
    if device:
        wanted.append(("device", device, ""))
    given = set(present.settings)
    if given & {"modules_to_perforate", "module_names_to_perforate", "module_ids_to_perforate"}:
        given |= {"modules_to_perforate", "module_names_to_perforate", "module_ids_to_perforate"}
    lines = []
    for name, value, why in wanted:
        if name in given:
            continue
        if name == "modules_to_perforate":
            lines.append("from peft.tuners.lora.layer import Linear as LoraLinear")
        lines.append(f"{gpa}.pc.set_{name}({value})" + (f"  # {why}" if why else ""))
    if layers.fast_path and "set_fastpath_enabled" not in given:
        lines.append(SLOW_PATH)
    return lines


def _which(layers: Layers, wishes: Wishes) -> list[tuple[str, str, str]]:
    """Which layers get dendrites."""
    ids = list(wishes.layers) or layers.ids
    if ids:
        return [
            ("module_names_to_perforate", "[]", "only the layers named below"),
            ("module_ids_to_perforate", _list(ids), ""),
        ]
    if layers.kind == "lora":
        return [
            ("modules_to_perforate", "[LoraLinear]", ""),
            ("module_names_to_perforate", "[]", "the frozen layers would match the name Linear"),
            ("module_names_to_not_save", "[]", "by default all that is under base_model is left out"),
        ]
    found = [("module_names_to_perforate", _list(layers.names), "")]
    if layers.tracked:
        found.append(("module_ids_to_track", _list(layers.tracked), "no dendrites: their axis is not known"))
    return found


def _list(names: list[str]) -> str:
    return "[" + ", ".join(f'"{name}"' for name in names) + "]"


def perforation(
    network: str,
    script: Script,
    present: Present,
    wishes: Wishes,
    better: bool | None,
    layers: Layers,
    processes: bool = False,
) -> list[str]:
    """The line that wraps the layers, and those that correct the axis of single layers."""
    upa, folder = present.upa or "UPA", f'"{save_name(script, wishes)}"'
    if processes:
        folder = f'f"{save_name(script, wishes)}_{{{RANK}}}"'
    lines = [
        f"{network} = {upa}.perforate_model({network}, save_name={folder}, "
        f"maximizing_score={better is not False})"
    ]
    if processes:
        lines.append(
            f'{network}._ddp_params_and_buffers_to_ignore = ["tracker_string"]  # its length differs'
        )
    for paths, axes, what in (
        (layers.flat, "[-1, 0]", "[batch, features]"),
        (layers.deep, "[-1, -1, 0]", "[batch, time, features]"),
    ):
        for path in paths:
            target = re.sub(r"\.(\d+)(?=\.|$)", r"[\1]", path)
            lines.append(f"{network}{target}.set_this_output_dimensions({axes})  # its output is {what}")
    return lines


def ranks() -> list[str]:
    """Lines of one of several processes: in a folder of its own, where it saves as a single one does."""
    return [
        f"{RANK} = torch.distributed.get_rank() if torch.distributed.is_initialized() else 0",
        'os.environ.pop("RANK", None)  # where it is set, the library saves in the first process only',
    ]


def register(present: Present, optimizer: str) -> str:
    return f"{present.gpa or 'GPA'}.pai_tracker.set_optimizer_instance({optimizer})"


def report(present: Present, network: str, score: str, argument: str) -> str:
    """The line that reports a score; `argument` is the network without its wrappers."""
    return (
        f"{network}, restructured, training_complete = "
        f"{present.gpa or 'GPA'}.pai_tracker.add_validation_score({score}, {argument})"
    )
