"""A convolutional network with BatchNorm on scikit-learn's digits."""

import argparse

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional


def digits() -> list[tuple[torch.Tensor, torch.Tensor]]:
    """Training, validation and test part."""
    data = load_digits()
    images = torch.tensor(data.images / 16, dtype=torch.float32)[:, None]
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    return [(images[part], labels[part]) for part in order.split([1197, 300, 300])]


class CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.c2, self.b2 = nn.Conv2d(4, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.out = nn.Linear(32, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.b1(self.c1(x))), 2)
        x = functional.max_pool2d(functional.relu(self.b2(self.c2(x))), 2)
        return self.out(x.flatten(1))


@torch.no_grad()
def accuracy(network: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> float:
    network.eval()
    return (network(images).argmax(1) == labels).float().mean().item()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--lr", type=float, default=3e-3)
    args = parser.parse_args()
    torch.manual_seed(0)
    (images, labels), validation, test = digits()

    network = CNN()
    optimizer = torch.optim.AdamW(network.parameters(), lr=args.lr)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10, gamma=0.7)
    for epoch in range(1, args.epochs + 1):
        network.train()
        for batch in torch.randperm(len(labels)).split(64):
            optimizer.zero_grad()
            functional.cross_entropy(network(images[batch]), labels[batch]).backward()
            optimizer.step()
        scheduler.step()
        score = accuracy(network, *validation)
        print(f"epoch {epoch}: validation {score:.4f}")

    parameters = sum(p.numel() for p in network.parameters())
    print(f"test {accuracy(network, *test):.4f} with {parameters} parameters")


if __name__ == "__main__":
    main()
