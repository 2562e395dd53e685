"""Handwritten digits of 8 x 8 pixels, 1,797 of them, as scikit-learn brings them: a CNN trains in seconds.

train --problem digits:Digits --ablation-mode none hidden --trials 4 --until 20 --lr 1e-3 --batch-size 64
"""

from __future__ import annotations

import torch
from torch import nn

import frustration


class Digits(frustration.Problem):
    """Two convolutions with BatchNorm and a hidden layer; 10 classes."""

    metric = frustration.Metric(chance=14.0)
    """42 of the 300 images to validate on are fours; to test on, 36 sevens."""
    channels: int = 8
    hidden: int = 16

    def build(self) -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, self.channels, 3, padding=1),
            nn.BatchNorm2d(self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Conv2d(self.channels, 2 * self.channels, 3, padding=1),
            nn.BatchNorm2d(2 * self.channels),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.Flatten(),
            nn.Linear(2 * self.channels * 2 * 2, self.hidden),
            nn.ReLU(),
            nn.Linear(self.hidden, 10),
        )

    def data(self) -> frustration.Parts:
        from sklearn.datasets import load_digits

        digits = load_digits()
        x = torch.from_numpy(digits.images).float().unsqueeze(1) / 16
        y = torch.from_numpy(digits.target).long()
        order = torch.randperm(len(y), generator=torch.Generator().manual_seed(0))
        train, validation, test = order.split([1_197, 300, 300])
        return frustration.Parts(
            train=(x[train], y[train]), validation=(x[validation], y[validation]), test=(x[test], y[test])
        )

    def widened(self, parameters: int) -> Digits:
        """The hidden layer and the channels wider by one factor."""
        best = min(range(self.channels, 8 * self.channels), key=lambda c: abs(self._size(c) - parameters))
        return Digits(channels=best, hidden=round(self.hidden * best / self.channels))

    def _size(self, channels: int) -> int:
        hidden = round(self.hidden * channels / self.channels)
        convolutions = channels * (9 + 3) + 2 * channels * (9 * channels + 3)
        return convolutions + (8 * channels + 1) * hidden + (hidden + 1) * 10
