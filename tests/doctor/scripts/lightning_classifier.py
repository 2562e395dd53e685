import lightning as L
import torch
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, TensorDataset


class LitClassifier(L.LightningModule):
    def __init__(self, hidden_dim=8, learning_rate=1e-2):
        super().__init__()
        self.save_hyperparameters()
        self.l1 = nn.Linear(12, self.hparams.hidden_dim)
        self.l2 = nn.Linear(self.hparams.hidden_dim, 3)

    def forward(self, x):
        return self.l2(torch.relu(self.l1(x)))

    def training_step(self, batch, batch_idx):
        x, y = batch
        loss = F.cross_entropy(self(x), y)
        self.log("train_loss", loss)
        return loss

    def validation_step(self, batch, batch_idx):
        x, y = batch
        logits = self(x)
        self.log("valid_loss", F.cross_entropy(logits, y))
        self.log("valid_acc", (logits.argmax(1) == y).float().mean(), prog_bar=True)

    def configure_optimizers(self):
        optimizer = torch.optim.Adam(self.parameters(), lr=self.hparams.learning_rate)
        return [optimizer], [torch.optim.lr_scheduler.StepLR(optimizer, 10)]


def main():
    L.seed_everything(42)
    x = torch.randn(96, 12)
    y = x[:, :3].argmax(1)
    train = DataLoader(TensorDataset(x[:64], y[:64]), batch_size=16, shuffle=True)
    val = DataLoader(TensorDataset(x[64:], y[64:]), batch_size=16)

    model = LitClassifier()
    checkpoint = ModelCheckpoint(monitor="valid_acc", mode="max")
    trainer = L.Trainer(max_epochs=20, accelerator="cpu", logger=False, callbacks=[checkpoint])
    trainer.fit(model, train, val)
    trainer.validate(model, val)


if __name__ == "__main__":
    main()
