"""A LightningModule on scikit-learn's digits."""

import argparse
import logging

import lightning
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, TensorDataset

from frustration.loops.lightning import RatchetCallback

logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)


def loaders() -> tuple[DataLoader, DataLoader, DataLoader]:
    """Training, validation and test part."""
    data = load_digits()
    images = torch.tensor(data.data / 16, dtype=torch.float32)
    labels = torch.tensor(data.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    train, validation, test = (TensorDataset(images[p], labels[p]) for p in order.split([1197, 300, 300]))
    return DataLoader(train, 64, shuffle=True), DataLoader(validation, 300), DataLoader(test, 300)


class Classifier(lightning.LightningModule):
    def __init__(self, lr: float) -> None:
        super().__init__()
        self.lr = lr
        self.network = nn.Sequential(nn.Linear(64, 12), nn.ReLU(), nn.Linear(12, 10))

    def training_step(self, batch, index):
        x, y = batch
        return functional.cross_entropy(self.network(x), y)

    def validation_step(self, batch, index):
        x, y = batch
        self.log("val_acc", (self.network(x).argmax(1) == y).float().mean())

    def test_step(self, batch, index):
        x, y = batch
        self.log("test_acc", (self.network(x).argmax(1) == y).float().mean())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=self.lr)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--epochs", type=int, default=60)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--mode", default="hidden")
    args = parser.parse_args()
    torch.manual_seed(0)
    train, validation, test = loaders()
    module = Classifier(args.lr)
    ratchet = RatchetCallback("val_acc", network="network", mode=args.mode)
    trainer = lightning.Trainer(
        callbacks=[ratchet],
        max_epochs=args.epochs,
        accelerator="cpu",
        logger=False,
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
    )
    trainer.fit(module, train, validation)

    print(f"accepted: {sum(ratchet.ratchet.accepted)} of {len(ratchet.ratchet.accepted)} loops")
    score = trainer.test(module, test, verbose=False)[0]["test_acc"]
    parameters = sum(p.numel() for p in module.parameters())
    print(f"test {score:.4f} with {parameters} parameters")


if __name__ == "__main__":
    main()
