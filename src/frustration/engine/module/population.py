"""The plain loop: networks of a problem, one after another, by autograd and the problem's optimizer."""

from __future__ import annotations

import ast
import contextlib
import functools
import hashlib
import inspect
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from frustration.any_network import Problem, TrainingEpoch
from frustration.engine.module.data import ProblemData, to_device
from frustration.engine.module.probe import as_written, seeded
from frustration.engine.module.shape import ModuleShape
from frustration.engine.one_thread import one_thread
from frustration.engine.population import Epoch, Interrupted, OptimizerState, Part
from frustration.engine.slots import SlotLayout
from frustration.protocols import Vector
from frustration.references import ProblemError, ProblemReference
from frustration.streams import dropout_keep

NAN = float("nan")
ADAMW = {"exp_avg": "mean", "exp_avg_sq": "square", "step": "steps"}
"""What AdamW's memory is called here."""
SITES_A_CALL = 1_000
"""A layer that is called twice in a step draws other masks the second time."""


class ModulePopulation:
    """Independent networks of one shape. Tensors are copied in place: modules stay the same objects."""

    def __init__(
        self,
        shape: ModuleShape,
        slots: int,
        data: ProblemData,
        batch_size: int,
        device: torch.device,
        networks: list[nn.Module] | None = None,
    ) -> None:
        """`networks`: those that are there already; they compute what networks of the shape do."""
        self.shape, self.data, self.batch_size, self.device = shape, data, batch_size, device
        self.problem: Problem = shape.layout.problem
        self.networks = networks or [shape.module(device) for _ in range(slots)]
        self.optimizers: list[torch.optim.Optimizer | None] = [None] * slots

    def load(self, slot: int, weights: Vector) -> None:
        self.shape.load(self.networks[slot], weights)

    def weights(self, slot: int) -> Vector:
        return self.shape.vector_of(self.networks[slot])

    def moments(self, slot: int) -> OptimizerState:
        optimizer = self.optimizers[slot]
        if optimizer is None:
            raise ValueError(f"slot {slot} has not been trained")
        states = [optimizer.state.get(p, {}) for p in self._parameters(slot)]
        sizes = [p.numel() for p in self._parameters(slot)]
        vectors: dict[str, Vector] = {}
        numbers: dict[str, float] = {}
        for key in dict.fromkeys(key for state in states for key in state):
            values = [state.get(key) for state in states]
            name = ADAMW.get(key, key)
            if any(isinstance(v, Tensor) and v.numel() > 1 for v in values) or key in (
                "exp_avg",
                "exp_avg_sq",
            ):
                flat = [
                    torch.zeros(size) if not isinstance(value, Tensor) else value.reshape(-1).float().cpu()
                    for value, size in zip(values, sizes, strict=True)
                ]
                vectors[name] = torch.cat(flat).numpy()
            else:
                numbers[name] = max(float(value) for value in values if value is not None)
        return OptimizerState(vectors, numbers)

    def _parameters(self, slot: int) -> list[nn.Parameter]:
        """Those that are trained, in the order of the vector."""
        named = dict(self.networks[slot].named_parameters())
        return [named[name] for name in self.shape.names if name in named and named[name].requires_grad]

    @one_thread()
    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        losses = [NAN] * len(self.networks)
        for slot, epoch in epochs.items():
            losses[slot] = self._train_one(slot, epoch, stop)
        return losses

    def _train_one(self, slot: int, epoch: Epoch, stop: threading.Event) -> float:
        network = self.networks[slot].train()
        self.optimizers[slot] = optimizer = self._optimizer(slot, epoch)
        dropout = Dropout(self.shape, epoch)

        def stopping() -> None:
            if stop.is_set():
                raise Interrupted

        def batches() -> Iterator[Any]:
            for batch in self.data.batches("train", epoch.order, self.batch_size):
                dropout.next_step()
                yield to_device(batch, self.device)

        loop = TrainingEpoch(optimizer, epoch.settings, batches, stopping)
        # Everything random in a loop, a network's own dropout too, follows from the loop's key.
        with seeded(epoch.dropout_key >> 1, self.device), self._precision(), dropout.at_work(network):
            return self._number("train", self.problem.train(network, loop))

    def _optimizer(self, slot: int, epoch: Epoch) -> torch.optim.Optimizer:
        parameters = self._parameters(slot)
        optimizer = self.problem.optimizer(parameters, epoch.settings)
        if epoch.settings.weight_decay and not any(
            group.get("weight_decay") for group in optimizer.param_groups
        ):
            raise ProblemError(
                f"mode decay cannot act on problem {self.shape.reference}: its optimizer takes no weight "
                f"decay from settings.weight_decay"
            )
        if epoch.moments is not None:
            self._restore(optimizer, parameters, epoch.moments)
        return optimizer

    @staticmethod
    def _restore(
        optimizer: torch.optim.Optimizer, parameters: list[nn.Parameter], memory: OptimizerState
    ) -> None:
        keys = {name: key for key, name in ADAMW.items()}
        start = 0
        for parameter in parameters:
            end = start + parameter.numel()
            state: dict[str, Any] = {
                keys.get(name, name): torch.from_numpy(vector[start:end].copy())
                .view(parameter.shape)
                .to(parameter)
                for name, vector in memory.vectors.items()
            }
            fused = any(group.get("fused") or group.get("capturable") for group in optimizer.param_groups)
            for name, number in memory.numbers.items():
                device = parameter.device if fused else torch.device("cpu")
                state[keys.get(name, name)] = torch.tensor(float(number), device=device)
            optimizer.state[parameter] = state
            start = end

    def _precision(self) -> contextlib.AbstractContextManager[Any]:
        if self.problem.precision == "float32":
            return contextlib.nullcontext()
        if self.problem.precision != "bfloat16":
            raise ProblemError(
                f"problem {self.shape.reference}: precision is float32 or bfloat16, "
                f"not {self.problem.precision}"
            )
        return torch.autocast(self.device.type, torch.bfloat16)

    @one_thread()
    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[float]:
        return [
            self._score(slot, part, stop) if slots is None or slot in slots else NAN
            for slot in range(len(self.networks))
        ]

    def _score(self, slot: int, part: Part, stop: threading.Event | None) -> float:
        if part not in self.data.parts:
            return NAN

        def batches() -> Iterator[Any]:
            order = np.arange(len(self.data.parts[part]))
            for batch in self.data.batches(part, order, self.batch_size):
                if stop is not None and stop.is_set():
                    raise Interrupted
                yield to_device(batch, self.device)

        network = self.networks[slot].eval()
        with torch.no_grad(), seeded(0, self.device), self._precision():
            return self._number("score", self.problem.score(network, batches()))

    def _number(self, what: str, returned: object) -> float:
        try:
            return float(returned)  # type: ignore[arg-type]
        except (TypeError, ValueError):
            raise ProblemError(
                f"problem {self.shape.reference}: {what} returns a number, not {returned!r}"
            ) from None


class Dropout:
    """Inverted dropout of what hidden units say: on the columns that hear them, and nowhere else."""

    def __init__(self, shape: ModuleShape, epoch: Epoch) -> None:
        self.p, self.key, self.step = epoch.settings.dropout, epoch.dropout_key, 0
        self.columns: dict[str, Tensor] = {}
        units = shape.layout.units
        for name in units.hidden if self.p else ():
            for listener, heard in units.listeners(name):
                hears = heard >= 0
                self.columns[listener] = self.columns.get(listener, torch.zeros_like(hears)) | hears
        self.axes = {name: units.layers[name].axis for name in self.columns}
        self.calls = dict.fromkeys(self.columns, 0)
        """In this step; in the whole loop where a problem's own training takes its batches from elsewhere."""
        self.begun = False

    def next_step(self) -> None:
        self.step += self.begun
        self.begun, self.calls = True, dict.fromkeys(self.columns, 0)

    @contextlib.contextmanager
    def at_work(self, network: nn.Module) -> Iterator[None]:
        hooks = [
            network.get_submodule(name).register_forward_pre_hook(functools.partial(self._drop, site, name))
            for site, name in enumerate(self.columns)
        ]
        try:
            with as_written() if hooks else contextlib.nullcontext():
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def _drop(
        self, site: int, name: str, module: nn.Module, inputs: tuple[Tensor, ...]
    ) -> tuple[Tensor, ...] | None:
        if not module.training:
            return None
        x = inputs[0]
        layer = site + SITES_A_CALL * self.calls[name]
        self.calls[name] += 1
        drawn = dropout_keep(self.key, self.step, layer, x.numel() // len(x), len(x), self.p)
        keep = torch.from_numpy(drawn.T).reshape(x.shape).to(x.device)
        dropped = torch.where(keep, x * (1 / (1 - self.p)), 0.0)
        columns = self.columns[name].to(x.device)
        if not bool(columns.all()):
            axis = self.axes[name] % x.dim()
            columns = columns.view([-1 if n == axis else 1 for n in range(x.dim())])
            dropped = torch.where(columns, dropped, x)
        return (dropped, *inputs[1:])


class ModuleBackend:
    """Any network, one at a time."""

    name = "module"
    depends_on_group = False

    def __init__(self, reference: ProblemReference, device: str = "cpu") -> None:
        self.reference, self.device = reference, torch.device(device)

    def population(
        self, shape: ModuleShape, layout: Iterable[str], data: ProblemData, batch_size: int
    ) -> ModulePopulation:
        return ModulePopulation(shape, SlotLayout(layout).slots, data, batch_size, self.device)

    def group_limit(self, shape: ModuleShape, batch_size: int) -> int:
        return 1

    def numerics(self) -> dict[str, Any]:
        on_gpu = self.device.type != "cpu"
        where = {"device": self.device.type} | ({"deterministic": False} if on_gpu else {})
        if not on_gpu:
            where["vector"] = torch.backends.cpu.get_cpu_capability()
        return {
            "backend": self.name,
            "torch": torch.__version__,
            **where,
            "code": code_digest(self.reference),
        }


@functools.cache
def code_digest(reference: ProblemReference) -> str:
    """Of the module that a problem is in, without comments and docstrings: what a kept record was made by."""
    module = inspect.getmodule(type(reference.problem()))
    try:
        tree = ast.parse(inspect.getsource(module)) if module is not None else ast.Module([], [])
    except (OSError, TypeError):
        return "unknown"
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and isinstance(body[0], ast.Expr):
            value = body[0].value
            if isinstance(value, ast.Constant) and isinstance(value.value, str):
                del body[0]
    return hashlib.sha256(ast.dump(tree).encode()).hexdigest()[:16]
