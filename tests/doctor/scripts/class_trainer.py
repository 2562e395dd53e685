"""A trainer as a class, in the way of many research repositories."""
import torch
import torch.nn as nn
import torch.optim as optim


class Net(nn.Module):
    def __init__(self, d_in, d_hidden, n_classes):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(d_in, d_hidden), nn.ReLU())
        self.head = nn.Linear(d_hidden, n_classes)

    def forward(self, x):
        return self.head(self.body(x))


class Trainer:
    def __init__(self, model, config):
        self.config = config
        self.device = torch.device(config["device"])
        self.model = model.to(self.device)
        self.optimizer = optim.Adam(self.model.parameters(), lr=config["lr"])
        self.scheduler = optim.lr_scheduler.StepLR(self.optimizer, step_size=config["step"])
        self.criterion = nn.CrossEntropyLoss()
        self.best_f1 = 0.0

    def train_epoch(self, data):
        self.model.train()
        for x, y in data:
            self.optimizer.zero_grad()
            self.criterion(self.model(x), y).backward()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self, data):
        self.model.eval()
        tp = fp = fn = 0
        for x, y in data:
            pred = self.model(x).argmax(1)
            tp += int(((pred == 1) & (y == 1)).sum())
            fp += int(((pred == 1) & (y == 0)).sum())
            fn += int(((pred == 0) & (y == 1)).sum())
        f1 = 2 * tp / max(1, 2 * tp + fp + fn)
        return {"f1": f1, "tp": tp}

    def fit(self, train_data, val_data):
        for epoch in range(self.config["epochs"]):
            self.train_epoch(train_data)
            metrics = self.validate(val_data)
            self.scheduler.step()
            if metrics["f1"] > self.best_f1:
                self.best_f1 = metrics["f1"]
            print(epoch, metrics)


if __name__ == "__main__":
    torch.manual_seed(0)
    x = torch.randn(80, 4)
    y = (x[:, 0] > 0).long()
    batches = list(zip(x.split(16), y.split(16)))
    trainer = Trainer(Net(4, 8, 2), {"device": "cpu", "lr": 0.01, "step": 10, "epochs": 12})
    trainer.fit(batches[:4], batches[4:])
