"""Who listens to whom in a network, found by poison: no name and no architecture is known here.

Every layer answers from memory: it computes once. Then the output of some layer is set to NaN for half of
its units, in a binary code over a few runs. Whoever reads NaN listens, and the code names the unit. NaN
passes through activations, pooling, gates and masks exactly (0 * NaN = NaN), so what is found is structure.
Then the layer is set to 0: if its listeners become constant, nothing else speaks there, and it is private.
"""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frustration.engine.module.layers import NOBODY, SEVERAL, Layer, layers_of, tensors_of

Forward = Callable[[], object]
"""Runs the network on a few inputs, two different ones at least, the same each time. A loss will do."""

Answer = Callable[..., Tensor]

NAN = float("nan")
_COMPILER = "torch._dynamo"
"""Loaded by whoever compiles a network; it takes seconds."""


class Probe:
    """Two runs per layer, and two more per bit of the widest. No layer computes more than once."""

    def __init__(self, network: nn.Module, forward: Forward) -> None:
        self._forward = forward
        self._memory: dict[str, list[Tensor]] = {}
        every = layers_of(network)
        with undisturbed(network), torch.no_grad():
            self._remember(every)
            self.layers = {name: every[name] for name in every if name in self._memory}
            """Those that took part."""
            coded = [layer for layer in self.layers.values() if self._survey(layer)]
            for group in _without_common_listener(coded):
                self._decode(group)
        self._memory.clear()

    def _remember(self, layers: dict[str, Layer]) -> None:
        def noting(name: str, forward: Answer) -> Answer:
            def answer(*inputs: Tensor) -> Tensor:
                output = forward(*inputs)
                self._memory.setdefault(name, []).append(output.clone())
                return output

            return answer

        with _answering((one.module, noting(name, one.module.forward)) for name, one in layers.items()):
            self._forward()

    def _survey(self, layer: Layer) -> bool:
        """Who reads a layer, and whether they read others too; false if its units are indistinguishable."""
        everything = {layer.name: torch.ones(layer.width, dtype=torch.bool)}
        heard, layer.is_output = self._run(everything, NAN)
        layer.heard_by = {
            name: torch.where(columns, SEVERAL, NOBODY) for name, columns in heard.items() if columns.any()
        }
        if layer.is_output or not layer.heard_by:
            return False
        constant, _ = self._run(everything, 0.0)
        layer.private = all(
            bool((constant[name] | (who == NOBODY)).all()) for name, who in layer.heard_by.items()
        )
        return layer.private

    def _decode(self, group: list[Layer]) -> None:
        """Of which unit each column hears: its number, read bit by bit from who hears poison."""
        words: dict[str, tuple[list[Tensor], list[Tensor]]] = {}
        for bit in range(max((layer.width - 1).bit_length() or 1 for layer in group)):
            for value in (0, 1):
                units = {layer.name: torch.arange(layer.width) >> bit & 1 == value for layer in group}
                for name, columns in self._run(units, NAN)[0].items():
                    words.setdefault(name, ([], []))[value].append(columns)
        for layer in group:
            for name in layer.heard_by:
                zeros, ones = map(torch.stack, words[name])  # [bits, columns]
                unit = (ones.long() << torch.arange(len(ones))[:, None]).sum(0)
                unit[~(zeros | ones).any(0)] = NOBODY
                unit[(zeros & ones).any(0)] = SEVERAL
                layer.heard_by[name] = unit

    def _run(self, units: dict[str, Tensor], value: float) -> tuple[dict[str, Tensor], bool]:
        """Set some units to a value. By layer, the input columns that are NaN somewhere, or else those that
        are the same everywhere; and whether the output is NaN."""
        poison = value != value
        calls = dict.fromkeys(self.layers, 0)
        seen: dict[str, Tensor] = {}

        def recalling(layer: Layer) -> Answer:
            def answer(*inputs: Tensor) -> Tensor:
                columns = inputs[0].movedim(layer.axis, 0).flatten(1).cpu()
                if poison:
                    now = columns.isnan().any(1)
                else:
                    now = (columns == columns[:, :1]).all(1) & (columns.shape[1] > 1)
                before = seen.get(layer.name, now)
                seen[layer.name] = before | now if poison else before & now
                kept = self._memory[layer.name][calls[layer.name]].clone()  # others may add to it in place
                calls[layer.name] += 1
                if layer.name in units:
                    kept.movedim(layer.axis, 0)[units[layer.name].to(kept.device)] = value
                return kept

            return answer

        with _answering((layer.module, recalling(layer)) for layer in self.layers.values()):
            output = self._forward()
        return seen, any(bool(t.isnan().any()) for t in tensors_of(output) if t.is_floating_point())


@contextlib.contextmanager
def undisturbed(network: nn.Module) -> Iterator[None]:
    """Run a network without a trace: in evaluation, each module through its own forward, each mode restored.

    In training a run would change the statistics of BatchNorm.
    """
    training = {module: module.training for module in network.modules()}
    network.eval()
    try:
        with without_fast_path(), as_written():
            yield
    finally:
        for module, was in training.items():
            module.training = was


def as_written() -> contextlib.AbstractContextManager[Any]:
    """Compiled networks run uncompiled, for what they were compiled without is ignored: a hook, say."""
    return torch.compiler.set_stance("force_eager") if _COMPILER in sys.modules else contextlib.nullcontext()


def not_compiled(hook: Callable[..., Any]) -> Callable[..., Any]:
    """A hook that a network compiled in place calls, and does not compile."""
    disabled: Callable[..., Any] = torch.compiler.disable(hook) if _COMPILER in sys.modules else hook
    return disabled


@contextlib.contextmanager
def without_fast_path() -> Iterator[None]:
    """The fast path of nn.TransformerEncoderLayer reads weights and passes modules by, dendrites too."""
    before = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(before)


def _without_common_listener(layers: Sequence[Layer]) -> list[list[Layer]]:
    """Groups of layers that can be decoded together."""
    groups: list[list[Layer]] = []
    for layer in layers:
        for group in groups:
            if not any(layer.heard_by.keys() & other.heard_by.keys() for other in group):
                group.append(layer)
                break
        else:
            groups.append([layer])
    return groups


@contextlib.contextmanager
def _answering(answers: Iterable[tuple[nn.Module, Answer]]) -> Iterator[None]:
    """Let functions take the place of modules' forwards."""
    replaced = list(answers)
    before = [module.__dict__.get("forward") for module, _ in replaced]
    try:
        for module, answer in replaced:
            module.forward = answer
        yield
    finally:
        for (module, _), own in zip(replaced, before, strict=True):
            module.__dict__.pop("forward", None)
            if own is not None:  # accelerate and others put their own there
                module.forward = own


@contextlib.contextmanager
def seeded(seed: int, device: torch.device | None = None) -> Iterator[None]:
    """Torch's, NumPy's and Python's own generators as this seed leaves them; afterwards as they were."""
    own, numpys = random.getstate(), np.random.get_state()  # noqa: NPY002
    devices = [device] if device is not None and device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed % 2**32)  # noqa: NPY002
        try:
            yield
        finally:
            random.setstate(own)
            np.random.set_state(numpys)  # noqa: NPY002
