"""The plain loop: one trial as one would write it in PyTorch. Every ratio in these benchmarks refers to it.

python benchmarks/plain.py [--architecture "[1*16]"] [--epochs 1]
"""

from __future__ import annotations

import argparse
import itertools

import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

import frustration
from frustration.dataset import Part, Split

LEARNING_RATE = 1e-4
BATCH_SIZE = 256
VALIDATION_BATCH_SIZE = 1000


def build(architecture: frustration.Architecture, features: int, classes: int) -> nn.Sequential:
    """Linear and ReLU for every hidden layer, then Linear."""
    layers: list[nn.Module] = []
    for inputs, outputs in itertools.pairwise((features, *architecture.hidden)):
        layers += [nn.Linear(inputs, outputs), nn.ReLU()]
    widest = architecture.hidden[-1] if architecture.hidden else features
    return nn.Sequential(*layers, nn.Linear(widest, classes))


def tensors(part: Part, data: Split) -> TensorDataset:
    """Normalised inputs [n, features] and labels [n]."""
    return TensorDataset(torch.from_numpy(data.inputs(part.images)), torch.from_numpy(part.labels))


def train(model: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]]) -> float:
    """One epoch with a fresh optimizer; the mean loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=LEARNING_RATE, weight_decay=0.0)
    model.train()
    total = 0.0
    for pixels, labels in loader:
        optimizer.zero_grad()
        loss = functional.cross_entropy(model(pixels), labels)
        loss.backward()
        optimizer.step()
        total += loss.item()
    return total / len(loader)


@torch.no_grad()
def accuracy(model: nn.Module, loader: DataLoader[tuple[torch.Tensor, ...]]) -> float:
    """In percent."""
    model.eval()
    correct = samples = 0
    for pixels, labels in loader:
        correct += int((model(pixels).argmax(1) == labels).sum())
        samples += len(labels)
    return 100 * correct / samples


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--architecture", default="[1*16]", type=frustration.Architecture.parse)
    parser.add_argument("--epochs", default=1, type=int)
    args = parser.parse_args()
    data = frustration.load_dataset("mnist")
    training = DataLoader(tensors(data.train, data), batch_size=BATCH_SIZE, shuffle=True)
    validation = DataLoader(tensors(data.validation, data), batch_size=VALIDATION_BATCH_SIZE)
    model = build(args.architecture, data.features, data.classes)
    for epoch in range(args.epochs):
        loss = train(model, training)
        print(f"epoch {epoch + 1}: loss {loss:.4f}, validation accuracy {accuracy(model, validation):.2f} %")


if __name__ == "__main__":
    main()
