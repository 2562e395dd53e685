"""A plain PyTorch loop: a small network on MNIST."""

import argparse
import gzip
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from frustration.loops import Growth

MNIST = Path(__file__).parents[2] / "dataset" / "mnist"


def mnist(split: str, samples: int) -> tuple[torch.Tensor, torch.Tensor]:
    with gzip.open(MNIST / f"{split}-images-idx3-ubyte.gz") as file:
        images = np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784)[:samples]
    with gzip.open(MNIST / f"{split}-labels-idx1-ubyte.gz") as file:
        labels = np.frombuffer(file.read(), np.uint8, offset=8)[:samples]
    return torch.from_numpy(images / np.float32(255)), torch.from_numpy(labels.astype(np.int64))


def train(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: torch.Tensor, labels: torch.Tensor
) -> None:
    network.train()
    for batch in torch.randperm(len(labels)).split(64):
        optimizer.zero_grad()
        functional.cross_entropy(network(images[batch]), labels[batch]).backward()
        optimizer.step()


@torch.no_grad()
def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    network.eval()
    return (network(images).argmax(1) == labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--samples", type=int, default=60_000)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--patience", type=int, default=5, help="epochs without a new best before it grows")
    args = parser.parse_args()
    torch.manual_seed(0)
    images, labels = mnist("train", args.samples)
    held_out = len(labels) // 6
    validation, images, labels = (images[:held_out], labels[:held_out]), images[held_out:], labels[held_out:]

    network = nn.Sequential(nn.Linear(784, 16), nn.ReLU(), nn.Linear(16, 10))
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.lr)
    growth = Growth(network, n_epochs_to_switch=args.patience)
    growth.set_optimizer(optimizer)
    for epoch in range(1, args.epochs + 1):
        train(network, optimizer, images, labels)
        score = accuracy(network, *validation)
        print(f"epoch {epoch}: validation {score:.4f}")
        outcome = growth.add_score(score)
        if outcome.grown:
            print(f"  {outcome.why}")
        if outcome.complete:
            break

    parameters = sum(p.numel() for p in network.parameters())
    print(f"test {accuracy(network, *mnist('t10k', args.samples)):.4f} with {parameters} parameters")


if __name__ == "__main__":
    main()
