"""What reading can only guess: the script is run up to its first gradients, in a child process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from frustration.errors import FrustrationError, last_line
from frustration.integration.library import SLOW_PATH
from frustration.integration.measure import MARK

SECONDS = 600


@dataclass(frozen=True)
class Layer:
    """One layer, as it was when the network ran."""

    path: str
    kind: str
    axes: tuple[int, ...]
    """The numbers of axes of its outputs; empty: it was not used."""
    trained: bool
    gradient: bool
    tied: bool
    attention: bool
    fast_path: bool

    @property
    def excluded(self) -> str:
        """Why it cannot get dendrites; empty if it can."""
        if self.attention:
            return "inside nn.MultiheadAttention, which reads its weights and never calls it"
        if not self.axes:
            return "not used"
        if not self.trained or not self.gradient:
            return "frozen, or without a gradient"
        if self.tied:
            return "its weight is tied to another layer's"
        return "its outputs have different numbers of axes" if len(self.axes) > 1 else ""

    @property
    def dimensions(self) -> list[int]:
        """The axis of the neurons: the last of a Linear, the second of a convolution."""
        axes = self.axes[0]
        place = axes - 1 if self.kind in ("Linear", "LazyLinear", "Conv1D") else 1
        return [0 if axis == place else -1 for axis in range(axes)]


def dry_run(script: str | Path, arguments: list[str], seconds: int = SECONDS) -> list[Layer]:
    """The layers of the network that a script or a problem trains, run in a folder that is thrown away."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "frustration.integration.measure",
            _absolute(str(script)),
            *arguments,
        ]
        try:
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                timeout=seconds,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise FrustrationError(
                f"{script} trained nothing in {seconds} s; give it arguments that make it quick, behind --"
            ) from None
    line = next((x for x in reversed(done.stdout.splitlines()) if x.startswith(MARK)), "")
    if not line:
        said = last_line(done.stderr, "nothing")
        raise FrustrationError(f"{script} failed before its network had run: {said}")
    found = json.loads(line.removeprefix(MARK))
    if found["ended"]:
        raise FrustrationError(f"{script}: {found['ended']}")
    return [_layer(entry) for entry in found["layers"]]


def _absolute(text: str) -> str:
    """A script, or a problem in a file, as seen from another folder."""
    file, colon, name = text.partition(":")
    return f"{Path(file).resolve()}{colon}{name}" if Path(file).is_file() else text


def _layer(entry: dict[str, Any]) -> Layer:
    return Layer(
        entry["path"],
        entry["class"],
        tuple(entry["axes"]),
        entry["trained"],
        entry["gradient"],
        entry["tied"],
        entry["attention"],
        entry["fast_path"],
    )


def configuration(layers: list[Layer], network: str = "model") -> list[str]:
    """The lines of perforatedai that fit what was measured; those behind perforate_model come last."""
    chosen = [layer for layer in layers if not layer.excluded]
    if not chosen:
        return ["# no layer can get dendrites"]
    commonest = max(
        (tuple(one.dimensions) for one in chosen), key=[tuple(c.dimensions) for c in chosen].count
    )
    lines = ["GPA.pc.set_module_names_to_perforate([])  # only the layers that were measured"]
    paths = ",\n    ".join(f'"{one.path}"' for one in chosen)
    lines.append(f"GPA.pc.set_module_ids_to_perforate([\n    {paths},\n])")
    lines.append(f"GPA.pc.set_output_dimensions({list(commonest)})")
    if any(one.tied for one in layers):
        lines.append("GPA.pc.set_using_safe_tensors(False)  # weights are tied")
    if any(one.fast_path for one in layers):
        lines.append(SLOW_PATH)
    others = [one for one in chosen if tuple(one.dimensions) != commonest]
    if others:
        lines.append("# after perforate_model:")
    lines += [
        f'{network}.get_submodule("{one.path[1:]}").set_this_output_dimensions({one.dimensions})'
        for one in others
    ]
    return lines
