"""Small networks of every kind, and data for them."""

import torch
from torch import nn
from torch.nn import functional


class CNN(nn.Module):
    """Two convolutions with BatchNorm, then two linear layers; 8 x 8 images in one channel."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.c1, self.b1 = nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4)
        self.c2, self.b2 = nn.Conv2d(4, 6, 3, padding=1), nn.BatchNorm2d(6)
        self.fc, self.out = nn.Linear(6 * 2 * 2, 5), nn.Linear(5, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.b1(self.c1(x))), 2)
        x = functional.max_pool2d(functional.relu(self.b2(self.c2(x))), 2)
        return self.out(functional.relu(self.fc(x.flatten(1))))


class BlockCNN(nn.Module):
    """BatchNorm inside a block that grows as one."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.block = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4))
        self.after = nn.BatchNorm2d(4)
        self.out = nn.Linear(4 * 4 * 4, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(functional.max_pool2d(functional.relu(self.after(self.block(x))), 2).flatten(1))


class Residual(nn.Module):
    """A stem, one residual block, a head."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 4, 3, padding=1)
        self.inner, self.back = nn.Conv2d(4, 6, 3, padding=1), nn.Conv2d(6, 4, 3, padding=1)
        self.head = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.relu(self.stem(x))
        x = x + self.back(functional.relu(self.inner(x)))
        return self.head(functional.relu(x).mean((2, 3)))


class Grouped(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.c1 = nn.Conv2d(1, 6, 3)
        self.c2 = nn.Conv2d(6, 4, 3, groups=2)
        self.out = nn.Linear(4, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.out(functional.relu(self.c2(functional.relu(self.c1(x)))).mean((2, 3)))


class Transformer(nn.Module):
    """One encoder layer over sequences of 4 numbers x 8 features."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 12, dropout=0.0, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 1)
        self.out = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor, padding: torch.Tensor | None = None) -> torch.Tensor:
        return self.out(self.encoder(x, src_key_padding_mask=padding).mean(1))


class Attention(nn.Module):
    """Two heads over sequences of 4 numbers x 8 features, with a module for each projection."""

    heads = 2

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.q, self.k, self.v, self.o = (nn.Linear(8, 8) for _ in range(4))
        self.out = nn.Linear(8, classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            layer(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for layer in (self.q, self.k, self.v)
        )
        mixed = torch.softmax(q @ k.transpose(-1, -2), -1) @ v
        return self.out(torch.relu(self.o(mixed.transpose(1, 2).flatten(2))).mean(1))


def mlp(activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(5, 6), activation(), nn.Linear(6, 4), activation(), nn.Dropout(0.1), nn.Linear(4, 3)
    )


def normal(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def lora() -> nn.Module:
    """An MLP whose linear layers carry LoRA adapters of rank 3; its own weights are frozen."""
    from peft import LoraConfig, get_peft_model

    base = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 4))
    return get_peft_model(base, LoraConfig(r=3, target_modules=["0", "2"], init_lora_weights=False))
