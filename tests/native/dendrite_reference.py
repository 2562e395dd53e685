"""Networks with dendrites, trained by autograd and torch.optim.AdamW from their equations."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional

from frustration.dataset import Split
from frustration.engine.population import Epoch
from frustration.network import Shape, Vector
from frustration.streams import dropout_keep

FUNCTIONS = {
    "sigmoid": torch.sigmoid,
    "relu": torch.relu,
    "tanh": torch.tanh,
    "leaky_relu": functional.leaky_relu,
    "softplus": functional.softplus,
}


@dataclass(frozen=True)
class Grown:
    """A shape whose linear layer l has `dendrites[l]` per unit."""

    shape: Shape
    dendrites: Sequence[int]
    function: str = "sigmoid"

    def cut(self, flat: torch.Tensor) -> list[list[torch.Tensor]]:
        """By layer: W [K + 1, N, inputs], b [K + 1, N], T [K, N] and D [K (K - 1) / 2, N], views."""
        layers, start = [], 0
        for (units, inputs), count in zip(self.shape.layers, self.dendrites, strict=True):
            shapes = (
                (count + 1, units, inputs),
                (count + 1, units),
                (count, units),
                (count * (count - 1) // 2, units),
            )
            layers.append([])
            for shape in shapes:
                size = int(np.prod(shape))
                layers[-1].append(flat[start : start + size].view(shape))
                start += size
        assert start == len(flat)
        return layers

    @property
    def size(self) -> int:
        return sum(
            (count + 1) * units * (inputs + 1) + units * (count + count * (count - 1) // 2)
            for (units, inputs), count in zip(self.shape.layers, self.dendrites, strict=True)
        )

    def layer(self, parts: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
        """y [samples, N] for x [samples, inputs]."""
        weights, biases, to_top, between = parts
        y = functional.linear(x, weights[0], biases[0])
        activations: list[torch.Tensor] = []
        row = 0
        for k in range(1, len(weights)):
            z = functional.linear(x, weights[k], biases[k])
            for a in activations:
                z = z + between[row] * a
                row += 1
            activations.append(FUNCTIONS[self.function](z))
            y = y + to_top[k - 1] * activations[-1]
        return y

    def logits(self, flat, pixels, epoch: Epoch | None = None, step: int = 0) -> torch.Tensor:
        *hidden, output = self.cut(flat)
        x = pixels
        for layer, parts in enumerate(hidden):
            x = torch.relu(self.layer(parts, x))
            if epoch is not None and epoch.regime.dropout:
                p = epoch.regime.dropout
                keep = dropout_keep(epoch.dropout_key, step, layer, x.shape[1], len(x), p)
                x = torch.where(torch.from_numpy(keep.T), x / (1 - p), 0.0)
        return self.layer(output, x)

    def pixels(self, data: Split, images, dtype) -> torch.Tensor:
        return torch.from_numpy(data.pixel_values[images]).to(dtype)

    def train(self, data: Split, epoch: Epoch, weights: Vector, batch: int, steps: int, dtype=torch.float64):
        """The losses of the first steps of an epoch, and the flat weights after them."""
        flat = torch.tensor(weights, dtype=dtype, requires_grad=True)
        regime = epoch.regime
        optimizer = torch.optim.AdamW([flat], lr=regime.learning_rate, weight_decay=regime.weight_decay)
        losses = []
        for step, start in enumerate(range(0, len(epoch.order), batch)[:steps]):
            rows = epoch.order[start : start + batch]
            logits = self.logits(flat, self.pixels(data, data.train.images[rows], dtype), epoch, step)
            loss = functional.cross_entropy(logits, torch.from_numpy(data.train.labels[rows]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
        return np.array(losses), flat.detach().numpy()

    def correct(self, data: Split, weights: Vector) -> int:
        """How many validation images are classified correctly, in float64."""
        flat = torch.tensor(weights, dtype=torch.float64)
        logits = self.logits(flat, self.pixels(data, data.validation.images, torch.float64))
        return int((logits.argmax(1).numpy() == data.validation.labels).sum())
