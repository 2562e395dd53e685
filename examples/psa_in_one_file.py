"""Persistent Stochastic Ablation in one file: the paper's loop in plain PyTorch.

    python examples/psa_in_one_file.py --architecture "[1*32]" --ablation-mode hidden --meta-loops 10

copy the Last Known Good (LKG) -> intervene -> train one epoch -> evaluate -> accept or discard -> record

The data set and the random numbers come from the package; everything else is below. Its curve and its weights
equal those of `train --backend reference` to the bit.
"""

from __future__ import annotations

import argparse
import copy
import itertools
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import frustration
from frustration.dataset import Part, Split
from frustration.streams import Stream, Streams, dropout_keep

MODES = ("none", "decay", "dropout", "full", "hidden", "output")
LEARNING_RATE = 1e-4
BATCH_SIZE = 256
WEIGHT_DECAY = 1e-4  # of `decay`
DROPOUT = 0.1  # of `dropout`

Weights = dict[str, torch.Tensor]
Loader = DataLoader[tuple[torch.Tensor, ...]]


# --- The network and its data ---


class Dropout(nn.Module):
    """Inverted dropout, with masks that depend on the trial, the loop and the step only."""

    def __init__(self, layer: int) -> None:
        super().__init__()
        self.layer, self.key, self.step = layer, 0, 0

    def begin(self, key: int) -> None:
        self.key, self.step = key, 0

    def forward(self, activations: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return activations
        samples, units = activations.shape
        keep = torch.from_numpy(dropout_keep(self.key, self.step, self.layer, units, samples, DROPOUT).T)
        self.step += 1
        return torch.where(keep, activations * (1 / (1 - DROPOUT)), 0.0)


def build(
    architecture: frustration.Architecture, features: int, classes: int, dropout: bool = False
) -> nn.Sequential:
    """Linear and ReLU for every hidden layer, then Linear."""
    widths = (features, *architecture.hidden)
    layers: list[nn.Module] = []
    for layer, (inputs, outputs) in enumerate(itertools.pairwise(widths)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
        layers += [Dropout(layer)] if dropout else []
    return nn.Sequential(*layers, nn.Linear(widths[-1], classes))


@torch.no_grad()
def initialise(model: nn.Sequential, stream: Stream) -> None:
    """Weights and biases uniform in ±1 / sqrt(inputs), as nn.Linear starts."""
    for linear in linear_layers(model):
        bound = np.float32(1 / np.sqrt(linear.in_features))
        for parameter in (linear.weight, linear.bias):
            values = (stream.uniform(parameter.numel()) * np.float32(2) - np.float32(1)) * bound
            parameter.copy_(torch.from_numpy(values).view_as(parameter))


def linear_layers(model: nn.Sequential) -> list[nn.Linear]:
    return [layer for layer in model if isinstance(layer, nn.Linear)]


def tensors(part: Part, data: Split) -> TensorDataset:
    """Normalised inputs [n, features] and labels [n]."""
    return TensorDataset(torch.from_numpy(data.inputs(part.images)), torch.from_numpy(part.labels))


# --- The steps of a loop ---


@torch.no_grad()
def ablate(model: nn.Sequential, mode: str, stream: Stream) -> None:
    """Zero the incoming weights and the bias of a random unit; in `hidden` its outgoing weights too."""
    linear = linear_layers(model)
    if mode == "hidden":  # all hidden units are equally likely
        units = [(n, unit) for n, layer in enumerate(linear[:-1]) for unit in range(layer.out_features)]
        layer, unit = units[stream.integer(len(units))]
        linear[layer + 1].weight[:, unit] = 0
    elif mode == "output":
        layer, unit = -1, stream.integer(linear[-1].out_features)
    else:  # `full`: all layers are equally likely, then all units of that layer
        layer = stream.integer(len(linear))
        unit = stream.integer(linear[layer].out_features)
    linear[layer].weight[unit] = 0
    linear[layer].bias[unit] = 0


def train(
    model: nn.Module, loader: Loader, learning_rate: float = LEARNING_RATE, weight_decay: float = 0.0
) -> float:
    """One epoch with a fresh optimizer; the mean loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=learning_rate, weight_decay=weight_decay)
    model.train()
    losses = []
    for inputs, labels in loader:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(inputs), labels)
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return sum(losses) / len(losses)


@torch.no_grad()
def accuracy(model: nn.Module, loader: Loader) -> float:
    """In percent; NaN where an output is not finite."""
    model.eval()
    correct = samples = 0
    for inputs, labels in loader:
        logits = model(inputs)
        if not torch.isfinite(logits).all():
            return math.nan
        correct += int((logits.argmax(1) == labels).sum())
        samples += len(labels)
    return 100 * correct / samples


# --- The meta-loop ---


@dataclass(frozen=True)
class Loop:
    """What is recorded of a loop."""

    loop: int
    loss: float
    accuracy: float
    accepted: bool


def run(
    architecture: frustration.Architecture,
    mode: str,
    data: Split,
    meta_loops: int,
    seed: int = 0,
    trial: int = 0,
    learning_rate: float = LEARNING_RATE,
    batch_size: int = BATCH_SIZE,
) -> tuple[list[Loop], Weights, float]:
    """One trial: its curve, its LKG, and the test accuracy of that in percent."""
    streams = Streams(seed, trial, architecture)
    model = build(architecture, data.features, data.classes, dropout=mode == "dropout")
    initialise(model, streams.stream("init", loop=1))
    training = tensors(data.train, data)
    validation = DataLoader(tensors(data.validation, data), batch_size=len(data.validation))
    testing = DataLoader(tensors(data.test, data), batch_size=len(data.test))

    lkg, bounty = copy.deepcopy(model.state_dict()), -math.inf
    curve = []
    for loop in range(1, meta_loops + 1):
        model.load_state_dict(lkg)

        if mode in ("full", "hidden", "output") and loop > 1:
            ablate(model, mode, streams.stream("ablation", loop))
        for layer in model:
            if isinstance(layer, Dropout):
                layer.begin(streams.dropout_key(loop))

        order = streams.order(loop, len(training)).tolist()
        batches = DataLoader(training, batch_size, sampler=order)
        loss = train(model, batches, learning_rate, WEIGHT_DECAY if mode == "decay" else 0.0)

        score = accuracy(model, validation)
        accepted = math.isfinite(loss) and score > bounty
        if accepted:
            lkg, bounty = copy.deepcopy(model.state_dict()), score

        curve.append(Loop(loop, loss, score, accepted))

    model.load_state_dict(lkg)
    return curve, lkg, accuracy(model, testing)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*32]", type=frustration.Architecture.parse)
    parser.add_argument("--ablation-mode", default="hidden", choices=MODES)
    parser.add_argument("--meta-loops", default=10, type=int)
    parser.add_argument("--seed", default=0, type=int)
    parser.add_argument("--trial", default=0, type=int)
    args = parser.parse_args()
    torch.set_num_threads(1)  # sums of several threads round in other ways
    data = frustration.load_dataset("mnist")
    curve, _, test = run(args.architecture, args.ablation_mode, data, args.meta_loops, args.seed, args.trial)
    for at in curve:
        print(f"loop {at.loop}: loss {at.loss:.4f}, {at.accuracy:.2f} % {'accepted' if at.accepted else ''}")
    print(f"test {test:.2f} %")


if __name__ == "__main__":
    main()
