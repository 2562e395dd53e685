"""Small problems for tests; they are imported by the name of this file too."""

import torch
from networks import CNN, Transformer, mlp, normal
from torch import nn

import frustration


def labelled(x: torch.Tensor) -> torch.Tensor:
    flat = x.flatten(1)
    return (flat @ normal(2, flat.shape[1], 4)).argmax(1)


def parts(x: torch.Tensor, y: torch.Tensor) -> frustration.Parts:
    return frustration.Parts(
        train=(x[:120], y[:120]), validation=(x[120:180], y[120:180]), test=(x[180:], y[180:])
    )


class TinyCNN(frustration.Problem):
    noise: float = 0.0

    def build(self) -> nn.Module:
        return CNN()

    def data(self) -> frustration.Parts:
        x = normal(1, 240, 1, 8, 8)
        return parts(x + self.noise, labelled(x))


class TinyTransformer(frustration.Problem):
    def build(self) -> nn.Module:
        return Transformer()

    def data(self) -> frustration.Parts:
        x = normal(1, 240, 4, 8)
        return parts(x, labelled(x))


class TinyLora(frustration.Problem):
    """Adapters of rank 3 on a frozen MLP."""

    def build(self) -> nn.Module:
        from networks import lora

        return lora()

    def data(self) -> frustration.Parts:
        x = normal(1, 240, 6)
        return parts(x, labelled(x))


class Regression(frustration.Problem):
    """Lower is better, nothing is a percentage, and the optimizer is not AdamW."""

    metric = frustration.Metric("mean squared error", unit="", better="lower")

    def build(self) -> nn.Module:
        return mlp()

    def data(self) -> frustration.Parts:
        x = normal(3, 120, 5)
        return parts_of_numbers(x, torch.tanh(x @ normal(4, 5, 3)))

    def loss(self, network, batch):
        inputs, targets = batch
        return nn.functional.mse_loss(network(inputs), targets)

    def score(self, network, batches) -> float:
        losses = [float(self.loss(network, batch)) for batch in batches]
        return sum(losses) / len(losses)

    def optimizer(self, parameters, settings):
        return torch.optim.SGD(
            parameters, lr=settings.learning_rate, momentum=0.9, weight_decay=settings.weight_decay
        )


def parts_of_numbers(x: torch.Tensor, y: torch.Tensor) -> frustration.Parts:
    return frustration.Parts(
        train=(x[:80], y[:80]), validation=(x[80:100], y[80:100]), test=(x[100:], y[100:])
    )
