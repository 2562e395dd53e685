import argparse
from itertools import chain

import torch
from torch import nn
from tqdm import tqdm


class Tagger(nn.Module):
    """Classifies a sentence by the last state of an LSTM."""

    def __init__(self, vocab, dim):
        super().__init__()
        self.embed = nn.Embedding(vocab, dim, padding_idx=0)
        self.project = nn.Linear(dim, dim)
        self.lstm = nn.LSTM(dim, dim, batch_first=True)
        self.classifier = nn.Linear(dim, 2)

    def forward(self, tokens):
        e = torch.tanh(self.project(self.embed(tokens)))
        out, (h, c) = self.lstm(e)
        return self.classifier(h[-1])


def run_epoch(model, batches, criterion, optimizer=None):
    """One pass over the data; without an optimizer it only evaluates."""
    training = optimizer is not None
    model.train(training)
    hits = total = 0
    with torch.set_grad_enabled(training):
        for tokens, labels in batches:
            logits = model(tokens)
            if training:
                optimizer.zero_grad()
                criterion(logits, labels).backward()
                optimizer.step()
            hits += (logits.argmax(-1) == labels).sum().item()
            total += len(labels)
    return hits / total


def parse_args():
    p = argparse.ArgumentParser()
    p.add_argument("--epochs", type=int, default=30)
    p.add_argument("--lr", type=float, default=5e-3)
    p.add_argument("--dim", type=int, default=8)
    p.add_argument("--seed", type=int, default=0)
    return p.parse_args()


def main():
    args = parse_args()
    torch.manual_seed(args.seed)
    tokens = torch.randint(1, 12, (96, 5))
    labels = (tokens[:, 0] > 5).long()
    train_batches = list(zip(tokens[:64].split(16), labels[:64].split(16)))
    dev_batches = list(zip(tokens[64:].split(16), labels[64:].split(16)))

    model = Tagger(12, args.dim)
    criterion = nn.CrossEntropyLoss()
    params = chain(model.named_parameters())
    groups = [
        {"params": [p for n, p in params if "bias" not in n], "weight_decay": 1e-4},
        {"params": [p for n, p in model.named_parameters() if "bias" in n], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=args.lr)

    best = 0.0
    for epoch in tqdm(range(args.epochs), desc="epochs"):
        train_acc = run_epoch(model, train_batches, criterion, optimizer)
        dev_acc = run_epoch(model, dev_batches, criterion)
        if best < dev_acc:
            best = dev_acc
        print(f"{epoch}: train {train_acc:.3f} dev {dev_acc:.3f}")


if __name__ == "__main__":
    main()
