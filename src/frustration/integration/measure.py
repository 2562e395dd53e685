"""`python -m frustration.integration.measure SCRIPT|PROBLEM`: runs it until its first gradients.

A process of its own, for it runs somebody's code. It prints one line of JSON: each layer with the axes of
its output, whether it was used, trained, tied, or inside attention.
"""

from __future__ import annotations

import gc
import json
import os
import runpy
import sys
from pathlib import Path
from typing import Any

MARK = "frustration-measured: "
WRAPPERS = frozenset({"DistributedDataParallel", "DataParallel", "OptimizedModule"})
LINEAR = frozenset({"Linear", "Conv1d", "Conv2d", "Conv3d", "Conv1D", "LazyLinear", "ConvTranspose2d"})


class Enough(BaseException):
    """Ends the script when everything has been seen; no handler of the script's own catches it."""


class Watch:
    """Notes the outputs of layers, and ends the script after its first backward pass."""

    def __init__(self) -> None:
        self.shapes: dict[int, set[int]] = {}
        self.rows: list[dict[str, Any]] = []

    def install(self) -> None:
        import torch
        from torch.nn.modules import module

        def note(layer: Any, _: Any, output: Any) -> None:
            if type(layer).__name__ in LINEAR and isinstance(output, torch.Tensor):
                self.shapes.setdefault(id(layer), set()).add(output.dim())

        module.register_module_forward_hook(note)
        backward = torch.Tensor.backward

        def stop(tensor: Any, *arguments: Any, **named: Any) -> None:
            backward(tensor, *arguments, **named)  # type: ignore[no-untyped-call]
            self.rows = self.found()  # the network is gone once its function has been left
            raise Enough

        torch.Tensor.backward = stop  # type: ignore[assignment,method-assign]

    def network(self) -> Any:
        """The module that holds most of the layers that were used, without its wrapper."""
        from torch import nn

        used = set(self.shapes)
        candidates = [
            o for o in gc.get_objects() if isinstance(o, nn.Module) and type(o).__name__ not in WRAPPERS
        ]
        return max(
            candidates,
            key=lambda m: (len(used & {id(inner) for inner in m.modules()}), sum(1 for _ in m.modules())),
            default=None,
        )

    def found(self) -> list[dict[str, Any]]:
        """The layers of the network, by their path in it."""
        from torch import nn

        root = self.network()
        if root is None:
            return []
        holders: dict[int, int] = {}
        for module in root.modules():
            for parameter in module.parameters(recurse=False):
                holders[id(parameter)] = holders.get(id(parameter), 0) + 1
        inside = [name for name, m in root.named_modules() if isinstance(m, nn.MultiheadAttention)]
        fast = [name for name, m in root.named_modules() if isinstance(m, nn.TransformerEncoderLayer)]
        return [
            {
                "path": "." + name,
                "class": type(module).__name__,
                "axes": sorted(self.shapes.get(id(module), ())),
                "trained": any(p.requires_grad for p in module.parameters(recurse=False)),
                "gradient": any(p.grad is not None for p in module.parameters(recurse=False)),
                "tied": any(holders[id(p)] > 1 for p in module.parameters(recurse=False)),
                "attention": any(name.startswith(f"{n}.") for n in inside),
                "fast_path": any(name.startswith(f"{n}.") for n in fast),
            }
            for name, module in root.named_modules()
            if type(module).__name__ in LINEAR
        ]


def run_problem(text: str) -> None:
    """One step of a problem: four samples through its loss, and back."""
    from torch.utils.data import default_collate

    from frustration.references import read_problem

    problem = read_problem(text)
    network, parts = problem.build(), problem.data()
    if isinstance(parts.train, (tuple, list)):
        batch = default_collate(list(zip(*(part[:4] for part in parts.train), strict=True)))
    else:
        samples = [parts.train[i] for i in range(min(4, len(parts.train)))]
        batch = (parts.collate or default_collate)(samples)
    problem.checked_loss(network, batch).backward()


def main(arguments: list[str]) -> None:
    """Runs the script with its own arguments."""
    watch = Watch()
    watch.install()
    ended = "the script ended before anything was trained"
    try:
        if Path(arguments[0]).is_file():
            script = Path(arguments[0]).resolve()
            sys.argv = [str(script), *arguments[1:]]
            sys.path[0] = str(script.parent)
            runpy.run_path(str(script), run_name="__main__")
        else:
            run_problem(arguments[0])
    except Enough:
        ended = ""
    except SystemExit as error:
        ended = f"the script left with {error.code!r} before anything was trained"
    sys.stdout.flush()
    print(f"\n{MARK}{json.dumps({'layers': watch.rows, 'ended': ended})}", flush=True)
    os._exit(0)  # workers of the script's loaders must not keep it


if __name__ == "__main__":
    main(sys.argv[1:])
