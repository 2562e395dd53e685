"""Images by name (MNIST, Fashion-MNIST, CIFAR-10), for a CNN and for a small ResNet.

train --problem images:CNN --ablation-mode none hidden --trials 2 --until 20 --lr 1e-3
train --problem images:ResNet --set dataset=cifar-10 width=16 --until 30 --lr 1e-3
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

import frustration
from frustration.dataset import Split

CHANCE = {"mnist": 11.35, "fashion-mnist": 10.31, "kmnist": 11.0, "cifar-10": 11.0}
"""What naming the largest class scores, on validation or test, whichever is more. The last two are bounds:
their ten classes are of one size, and a part of 10,000 images has 11 % of one with a probability below 0.002.
"""


class Images(frustration.Problem):
    """What both have in common: a data set by name, split as everywhere in this package."""

    dataset: str = "mnist"

    @property
    def metric(self) -> frustration.Metric:  # type: ignore[override]  # it depends on a field
        return frustration.Metric(chance=CHANCE.get(self.dataset))

    def data(self) -> frustration.Parts:
        split = frustration.load_dataset(self.dataset)
        return frustration.Parts(
            train=self._part(split, "train"),
            validation=self._part(split, "validation"),
            test=self._part(split, "test"),
        )

    @property
    def channels(self) -> int:
        return 3 if self.dataset.startswith("cifar") else 1

    def _part(self, split: Split, name: str) -> tuple[Tensor, Tensor]:
        part = getattr(split, name)
        pixels = torch.from_numpy(split.inputs(part.images))
        side = round((pixels.shape[1] / self.channels) ** 0.5)
        return pixels.view(-1, self.channels, side, side), torch.from_numpy(part.labels)


class CNN(Images):
    """Two convolutions with BatchNorm, then one hidden layer."""

    width: int = 8
    hidden: int = 32

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(self.channels, self.width, 3, padding=1),
            nn.BatchNorm2d(self.width),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(self.width, 2 * self.width, 3, padding=1),
            nn.BatchNorm2d(2 * self.width),
            nn.ReLU(),
            nn.AdaptiveAvgPool2d(7),
            nn.Flatten(),
            nn.Linear(2 * self.width * 49, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, 10),
        )


class Block(nn.Module):
    """Two convolutions beside a shortcut."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(outputs)
        self.conv2 = nn.Conv2d(outputs, outputs, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Identity() if stride == 1 else nn.Conv2d(inputs, outputs, 1, stride, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.bn2(self.conv2(torch.relu(self.bn1(self.conv1(x)))))
        return torch.relu(inner + self.shortcut(x))


class ResNet(Images):
    """A stem and three stages of residual blocks; hidden units are those inside a block."""

    width: int = 8
    blocks: int = 1
    """A stage."""

    def build(self) -> nn.Module:
        layers: list[nn.Module] = [nn.Conv2d(self.channels, self.width, 3, padding=1, bias=False)]
        layers += [nn.BatchNorm2d(self.width), nn.ReLU()]
        inputs = self.width
        for stage in range(3):
            outputs = self.width * 2**stage
            for block in range(self.blocks):
                layers.append(Block(inputs, outputs, 2 if stage and not block else 1))
                inputs = outputs
        return nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, 10))
