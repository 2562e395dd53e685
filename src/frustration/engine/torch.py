"""The torch backend: K networks stacked and trained as one, on any device torch knows.

Three things make it quick on small networks. One operation serves all K networks, and the first layer of
those that share their batch is one wide product. The backward pass is written out, which spares
autograd's bookkeeping. AdamW is one fused operation over one flat vector. On CUDA a whole training step
is a graph that is launched at once.

Activations are feature-major, [K, units, samples], so that a batch is a matrix of contiguous rows.
Results depend on the shape of the group, because matrix libraries choose their kernels by shape.
"""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from frustration.dataset import Split
from frustration.engine.dendritic import join, part
from frustration.engine.masks import Masks
from frustration.engine.one_thread import one_thread
from frustration.engine.population import Epoch, Interrupted, Moments, Part
from frustration.engine.products import ONEDNN, gradient, layer_outputs, propagate, times_transposed
from frustration.engine.slots import SlotLayout
from frustration.engine.stack import FusedAdamW, Stack, aligned
from frustration.engine.workspace import Buffers, Workspace
from frustration.modes.decay import decay_factor
from frustration.network import Shape, Vector

EVALUATION_FLOATS = 1 << 23
"""How many activations of one layer an evaluation holds at once."""
OPERATION_FLOATS = 1 << 15
"""How many activations an operation should work on before its own overhead is small. Time per epoch and
trial with 6, 12, 24 and 60 slots: [1*32] 68, 64, 69, 66 ms; [8*8] 35, 35, 33, 33; [512*1] 556, 363, 261,
216 (measured, 2 shared cores, one thread). Smaller groups keep all cores busy."""
GROUP_BYTES = 1 << 28
"""How much memory the population of a group may take, data aside."""


@dataclass(frozen=True, eq=False)
class Samples:
    """A part of the data as the device holds it."""

    pixels: Tensor  # [samples, features], normalised
    labels: Tensor  # [samples]


@dataclass(frozen=True, eq=False)
class Treatment:
    """What an epoch does besides training, for all slots at once; None where it does nothing."""

    learning_rate: float
    decay: Tensor | None  # [K, 1], what weights are multiplied by before every step
    dropped: slice | Tensor | None  # the R slots with dropout: a slice where they are evenly spaced
    keep: Tensor | None  # [R, all hidden units, batch], the current step's masks: `scale` where kept, else 0
    scale: Tensor | None  # [R, 1, 1], 1 / (1 - p)


@dataclass(frozen=True, eq=False)
class Ready:
    """A training step that waits for its batch (and its masks)."""

    work: Workspace
    treatment: Treatment
    step: Callable[[], None]


class TorchPopulation:
    """K networks of one shape on one device."""

    def __init__(
        self, shape: Shape, layout: Iterable[str], data: Split, batch_size: int, device: torch.device
    ) -> None:
        self.shape, self.batch_size, self.device = shape, batch_size, device
        slots = SlotLayout(layout)
        self.policies, self.slots = slots.policies, slots.slots
        self.runs = [slice(run.start, run.stop) for run in slots.ranges]
        self.run_of_slot = torch.tensor([n for n, run in enumerate(slots) for _ in run], device=device)
        self.parameters, self.gradients = (Stack(shape, self.slots, device) for _ in range(2))
        self.losses = torch.zeros(self.slots, device=device)
        self.optimizer = FusedAdamW(shape, self.policies, self.parameters, self.gradients)
        self.buffers = Buffers(shape, len(slots), self.slots, batch_size, device)
        self.ready: dict[Any, Ready] = {}
        self.data = data

    def load(self, slot: int, weights: Vector) -> None:
        self.parameters.write(slot, weights)

    def weights(self, slot: int) -> Vector:
        return self.parameters.read(slot)

    def moments(self, slot: int) -> Moments:
        return self.optimizer.moments(slot)

    @one_thread()
    @torch.inference_mode()
    def train(self, epochs: Mapping[int, Epoch], stop: threading.Event) -> list[float]:
        self.optimizer.begin(epochs)
        self.losses.zero_()
        order = self._orders(epochs)
        samples = order.shape[1]
        sizes = [min(self.batch_size, samples - start) for start in range(0, samples, self.batch_size)]
        step = 0
        for width, count in _lengths(sizes):
            ready = self._prepare(epochs, width)
            for keep in self._masks(epochs, step, count, ready.work.width):
                if stop.is_set():
                    raise Interrupted
                ready.work.fill(order[:, step * self.batch_size :][:, :width])
                masks, scale = ready.treatment.keep, ready.treatment.scale
                if keep is not None and masks is not None and scale is not None:
                    torch.mul(keep, scale, out=masks)
                ready.step()
                step += 1
        return [float(loss) for loss in self.losses / len(sizes)]

    @one_thread()
    @torch.inference_mode()
    def evaluate(
        self, part: Part, stop: threading.Event | None = None, slots: Collection[int] | None = None
    ) -> list[int]:
        samples = on_device(self.data, part, self.device)
        widest = max(biases for _, biases, _, _ in self.shape.parts)
        width = aligned(min(max(64, EVALUATION_FLOATS // (self.slots * widest)), 2048))
        correct = torch.zeros(self.slots, dtype=torch.int64, device=self.device)
        finite = torch.ones(self.slots, dtype=torch.bool, device=self.device)
        for pixels, labels in zip(samples.pixels.split(width), samples.labels.split(width), strict=True):
            if stop is not None and stop.is_set():
                raise Interrupted
            logits = self._logits(_filled_up(pixels))[:, :, : len(pixels)]
            correct += (logits.argmax(1) == labels).sum(1)
            finite &= logits.isfinite().all(1).all(1)
        # All are computed, whatever is wanted: bits depend on how many there are.
        counted = [good and (slots is None or slot in slots) for slot, good in enumerate(finite.tolist())]
        return [int(n) if counts else -1 for n, counts in zip(correct, counted, strict=True)]

    def _logits(self, pixels: Tensor) -> Tensor:
        """[K, classes, samples] for pixels [samples, features] that all networks see."""
        first, bias = self.parameters.weights[0], self.parameters.biases[0]
        wide = times_transposed(first.view(-1, self.shape.features), pixels)
        below = self._joined(0, wide.view(self.slots, -1, len(pixels)).add_(bias))
        for layer, (units, _) in enumerate(self.shape.layers[1:], start=1):
            rows = (self.shape.dendrites[layer] + 1) * units
            above = torch.empty(self.slots, rows, len(pixels), device=self.device)
            weight, bias = self.parameters.weights[layer], self.parameters.biases[layer]
            below = self._joined(layer, layer_outputs(weight, below.relu_(), bias, above))
        return below

    def _joined(self, layer: int, sums: Tensor, out: Tensor | None = None) -> Tensor:
        """[K, units, samples] of a layer whose dendrites, if it has any, have joined their units."""
        if not self.shape.dendrites[layer]:
            return sums
        units = self.shape.layers[layer][0]
        out = sums.new_empty(self.slots, units, sums.shape[2]) if out is None else out
        tops, links = self.parameters.tops[layer], self.parameters.links[layer]
        join(sums.unflatten(1, (-1, units)), tops, links, self.shape.forward_function, out)
        return out

    def _parted(self, layer: int, work: Workspace, delta: Tensor) -> Tensor:
        """[K, rows, batch]: the way back through the dendrites, from the deltas of a layer's units."""
        if not self.shape.dendrites[layer]:
            return delta
        rows, deltas = ((-1, self.shape.layers[layer][0]), work.sum_deltas[layer])
        part(
            work.sums[layer].unflatten(1, rows),
            delta,
            self.parameters.tops[layer],
            self.parameters.links[layer],
            self.shape.forward_function,
            deltas.unflatten(1, rows),
            self.gradients.tops[layer],
            self.gradients.links[layer],
        )
        return deltas

    def _step(self, work: Workspace, treatment: Treatment) -> None:
        """One training step of all networks on `work.batch`."""
        images = on_device(self.data, "train", self.device)
        for pixels, batch in zip(work.pixels, work.batch, strict=True):
            torch.index_select(images.pixels, 0, batch, out=pixels)
        labels = images.labels[work.batch][self.run_of_slot].unsqueeze(1)  # [K, 1, B]
        self._forward(work, treatment)
        delta = self._loss(work.activations[-1], labels, work.shares)
        self._backward(work, treatment, delta)
        if treatment.decay is not None:
            for parameter in self.parameters.parts:
                parameter.mul_(treatment.decay)
        self.optimizer.step(treatment.learning_rate)

    def _forward(self, work: Workspace, treatment: Treatment) -> None:
        """Activations of every layer, the last one being the logits."""
        weights, biases = self.parameters.weights, self.parameters.biases
        for run, pixels in zip(self.runs, work.pixels, strict=True):
            # Networks that share a batch share the product: their units are rows of one matrix.
            rows = work.sums[0][run].view(-1, work.width)
            times_transposed(weights[0][run].view(-1, self.shape.features), pixels, rows)
        work.sums[0].add_(biases[0])
        self._joined(0, work.sums[0], work.activations[0])
        for layer, keep in enumerate(_per_layer(treatment.keep, self.shape), start=1):
            below = work.activations[layer - 1].relu_()
            if treatment.dropped is not None and keep is not None:
                _multiply(below, treatment.dropped, keep)
            layer_outputs(weights[layer], below, biases[layer], work.sums[layer])
            self._joined(layer, work.sums[layer], work.activations[layer])

    def _loss(self, logits: Tensor, labels: Tensor, shares: Tensor) -> Tensor:
        """Add the mean cross-entropy of each network to `losses`; return its gradient, [K, classes, B]."""
        log_probabilities = torch.log_softmax(logits, 1)
        self.losses -= log_probabilities.gather(1, labels).mul_(shares).sum((1, 2))
        delta = log_probabilities.exp_()
        delta.scatter_add_(1, labels, torch.full_like(labels, -1, dtype=delta.dtype))
        return delta.mul_(shares)

    def _backward(self, work: Workspace, treatment: Treatment, delta: Tensor) -> None:
        """Gradients of every layer, from the output down."""
        for layer in range(len(work.deltas), 0, -1):
            below = work.activations[layer - 1]
            delta = self._parted(layer, work, delta)
            gradient(delta, below, self.gradients.weights[layer])
            torch.sum(delta, 2, keepdim=True, out=self.gradients.biases[layer])
            propagated = propagate(self.parameters.weights[layer], delta, work.deltas[layer - 1])
            # A dropped activation is 0, as a dead one is: no mask is needed on the way back.
            delta = torch.ops.aten.threshold_backward.grad_input(propagated, below, 0, grad_input=propagated)
            if treatment.dropped is not None and treatment.scale is not None:
                _multiply(delta, treatment.dropped, treatment.scale)
        delta = self._parted(0, work, delta)
        for run, pixels in zip(self.runs, work.pixels, strict=True):
            rows = delta[run].view(-1, work.width)
            times_transposed(rows, pixels.t(), self.gradients.weights[0][run].view(-1, self.shape.features))
        torch.sum(delta, 2, keepdim=True, out=self.gradients.biases[0])

    def _orders(self, epochs: Mapping[int, Epoch]) -> Tensor:
        """[runs, samples]: the order that the slots of each run share; a resting run takes another's."""
        any_order = next(iter(epochs.values())).order
        orders = []
        for run in self.runs:
            shared = {id(epochs[s].order): epochs[s].order for s in range(run.start, run.stop) if s in epochs}
            if len(shared) > 1:
                raise ValueError("slots of one run were given different orders")
            orders.append(next(iter(shared.values()), any_order))
        return torch.from_numpy(np.stack(orders)).to(self.device)

    def _prepare(self, epochs: Mapping[int, Epoch], width: int) -> Ready:
        """A training step on batches of one width; made once for each way of treating the slots."""
        rates = {epoch.settings.learning_rate for epoch in epochs.values()}
        if len(rates) != 1:
            raise ValueError(f"one population trains at one learning rate, not at {sorted(rates)}")
        factors = [decay_factor(epochs[s].settings) if s in epochs else 1.0 for s in range(self.slots)]
        dropped = self._dropped(epochs)
        scales = [1 / (1 - epochs[slot].settings.dropout) for slot in dropped]
        rate = rates.pop()
        key = (width, rate, tuple(factors), tuple(dropped), tuple(scales))
        if key not in self.ready:
            units, device = sum(self.shape.architecture.hidden), self.device
            work = Workspace(self.buffers, width)
            treatment = Treatment(
                learning_rate=rate,
                decay=_column(factors, device).squeeze(2)
                if any(factor != 1.0 for factor in factors)
                else None,
                dropped=_slots(dropped, device) if dropped else None,
                keep=torch.empty(len(dropped), units, work.width, device=device) if dropped else None,
                scale=_column(scales, device) if dropped else None,
            )
            self.ready[key] = Ready(work, treatment, self._compiled(work, treatment))
        return self.ready[key]

    def _dropped(self, epochs: Mapping[int, Epoch]) -> list[int]:
        return sorted(slot for slot, epoch in epochs.items() if epoch.settings.dropout > 0)

    def _masks(
        self, epochs: Mapping[int, Epoch], first: int, count: int, width: int
    ) -> Iterator[Tensor | None]:
        dropped = self._dropped(epochs)
        if not dropped:
            yield from [None] * count
            return
        keys = [epochs[slot].dropout_key for slot in dropped]
        rates = [epochs[slot].settings.dropout for slot in dropped]
        yield from Masks(keys, rates, self.shape.architecture.hidden, self.device).steps(first, count, width)

    def _compiled(self, work: Workspace, treatment: Treatment) -> Callable[[], None]:
        """One training step, ready to be repeated: on CUDA a graph, launched as one operation."""

        def step() -> None:
            self._step(work, treatment)

        if self.device.type != "cuda":
            return step
        # Capturing wants a few steps done before, which must leave no trace.
        state = [self.losses, *self.optimizer.counters]
        state += [stack.flat for stack in (self.parameters, self.optimizer.mean, self.optimizer.square)]
        saved = [tensor.clone() for tensor in state]
        work.batch.zero_()
        side = torch.cuda.Stream(self.device)
        side.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(side):
            for _ in range(3):
                step()
        torch.cuda.current_stream(self.device).wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            step()
        for tensor, before in zip(state, saved, strict=True):
            tensor.copy_(before)
        return graph.replay


class TorchBackend:
    """Populations on one device."""

    name = "torch"
    depends_on_group = True

    def __init__(self, device: str = "cpu") -> None:
        self.device = torch.device(device)

    def population(
        self, shape: Shape, layout: Iterable[str], data: Split, batch_size: int
    ) -> TorchPopulation:
        return TorchPopulation(shape, layout, data, batch_size, self.device)

    def group_limit(self, shape: Shape, batch_size: int) -> int:
        units = sum(shape.architecture.hidden) + shape.classes
        per_slot = 4 * (6 * shape.size + 2 * batch_size * units)
        per_operation = batch_size * units // (shape.architecture.depth + 1)
        by_speed = max(12, min(60, OPERATION_FLOATS // per_operation))
        return max(1, min(by_speed, GROUP_BYTES // per_slot))

    def numerics(self) -> dict[str, Any]:
        numerics = {"backend": self.name, "torch": torch.__version__, "device": self.device.type}
        if self.device.type == "cuda":
            return numerics | {"accelerator": torch.cuda.get_device_name(self.device)}
        if self.device.type == "cpu":
            vector = torch.backends.cpu.get_cpu_capability()
            return numerics | {"vector": vector, "products": "oneDNN" if ONEDNN else "BLAS"}
        return numerics


_held: weakref.WeakKeyDictionary[Split, dict[tuple[str, str], Samples]] = weakref.WeakKeyDictionary()
_holding = threading.Lock()


def on_device(data: Split, part: str, device: torch.device) -> Samples:
    """A part of the data as a device sees it: prepared once, shared by all populations."""
    with _holding:
        parts = _held.setdefault(data, {})
        key = (part, str(device))
        if key not in parts:
            samples = getattr(data, part)
            pixels = torch.empty(samples.images.shape, device=device)
            # A thousand samples at a time: a device needs no second copy of all of them in this memory.
            for start in range(0, len(samples), 1000):
                some = slice(start, start + 1000)
                pixels[some].copy_(torch.from_numpy(data.inputs(samples.images[some])))
            parts[key] = Samples(pixels, torch.from_numpy(samples.labels).to(device))
        return parts[key]


def _filled_up(pixels: Tensor) -> Tensor:
    """[whole cache lines of samples, features], the first one repeated."""
    missing = aligned(len(pixels)) - len(pixels)
    return torch.cat([pixels, pixels[:1].expand(missing, -1)]) if missing else pixels


def _lengths(sizes: Sequence[int]) -> list[tuple[int, int]]:
    """[(256, 195), (80, 1)]: the widths of the batches of an epoch, and how many there are of each."""
    return [(width, sizes.count(width)) for width in dict.fromkeys(sizes)]


def _column(values: Sequence[float], device: torch.device) -> Tensor:
    return torch.tensor(values, dtype=torch.float32, device=device).view(-1, 1, 1)


def _slots(slots: list[int], device: torch.device) -> slice | Tensor:
    """An index of slots in ascending order: a slice, which costs nothing, where they are evenly spaced."""
    step = slots[1] - slots[0] if len(slots) > 1 else 1
    spaced = slice(slots[0], slots[-1] + 1, step)
    if list(range(spaced.start, spaced.stop, step)) == slots:
        return spaced
    return torch.tensor(slots, device=device)


def _multiply(values: Tensor, slots: slice | Tensor, factors: Tensor) -> None:
    """Multiply `values` [K, units, batch] in place, in R slots only, by `factors` [R, ...]."""
    if isinstance(slots, slice):
        values[slots].mul_(factors)
    else:
        values.index_copy_(0, slots, values[slots].mul_(factors))


def _per_layer(keep: Tensor | None, shape: Shape) -> Sequence[Tensor | None]:
    """The masks of all hidden units cut into layers."""
    hidden = shape.architecture.hidden
    return [None] * len(hidden) if keep is None else keep.split(list(hidden), dim=1)
