"""SimpleMLP as a PyTorch module: what a checkpoint's LKG loads into."""

from __future__ import annotations

import torch
from torch import nn

from frustration.architecture import Architecture


class SimpleMLP(nn.Module):
    """Hidden blocks of Linear, ReLU, Dropout, then a Linear to the classes.

    `SimpleMLP("[4*4, 2*8]").load_state_dict(safetensors.torch.load_file("models/mnist_lkg.safetensors"))`
    """

    def __init__(
        self, architecture: str | Architecture, features: int = 784, classes: int = 10, dropout: float = 0.0
    ) -> None:
        super().__init__()
        if isinstance(architecture, str):
            architecture = Architecture.parse(architecture)
        *hidden, (outputs, inputs) = architecture.shapes(features, classes)
        blocks: list[nn.Module] = []
        for units, below in hidden:
            blocks += [nn.Linear(below, units), nn.ReLU(), nn.Dropout(dropout)]
        self.layer_stack = nn.Sequential(*blocks, nn.Linear(inputs, outputs))

    @property
    def linear_layers(self) -> list[nn.Linear]:
        return [layer for layer in self.layer_stack if isinstance(layer, nn.Linear)]

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Logits [samples, classes] of images [samples, features] or [samples, height, width]."""
        logits: torch.Tensor = self.layer_stack(images.flatten(1))
        return logits
