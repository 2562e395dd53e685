"""Many masks or many weights at once: how many test images each of them gets right."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from frustration.dataset import Part, Split
from frustration.dataset.split import Samples
from frustration.engine.population import Interrupted
from frustration.network import Shape
from frustration.probes.networks import Layer

CHUNK = 1_000
"""Images at a time."""
FLOATS = 1 << 20
"""How many activations one layer may have at a time, over all copies: 4 MB, which a cache holds."""


@dataclass(frozen=True, eq=False)
class Images:
    """Test images as networks see them. pixels: [images, features]; labels: [images]."""

    pixels: Tensor
    labels: Tensor

    @classmethod
    def of(cls, part: Part, split: Split) -> Images:
        return cls(to_pixels(part.images, split), torch.from_numpy(part.labels))

    def __len__(self) -> int:
        return len(self.labels)

    def head(self, count: int) -> Images:
        return Images(self.pixels[:count], self.labels[:count])

    def chunks(self) -> Iterator[tuple[Tensor, Tensor]]:
        """([1, features, some], [some]): pixels and labels, the images of one step last."""
        for pixels, labels in zip(self.pixels.split(CHUNK), self.labels.split(CHUNK), strict=True):
            yield pixels.t()[None], labels


def to_pixels(images: Samples, split: Split) -> Tensor:
    """[images, features]: what networks are fed for samples of the same shape."""
    return torch.from_numpy(split.inputs(images))


def logits(layers: Sequence[Layer], below: Tensor) -> Tensor:
    """[copies, classes, images] of pixels [1, features, images]."""
    for layer in layers[:-1]:
        below = layer(below).relu_()
    return layers[-1](below)


def hidden(layers: Sequence[Layer], pixels: Tensor) -> Iterator[Tensor]:
    """[units, images] after the ReLU of one hidden layer after another; pixels [images, features]."""
    below = pixels.t()[None]
    for layer in layers[:-1]:
        below = layer(below).relu_()
        yield below[0]


def correct(layers: Sequence[Layer], images: Images, stop: threading.Event) -> Tensor:
    """[K]: how many images each of K networks gets right."""
    return _summed(images, stop, lambda pixels, labels: right(logits(layers, pixels), labels))


def correct_silenced(
    layers: Sequence[Layer], images: Images, keeps: Sequence[Tensor], shape: Shape, stop: threading.Event
) -> Tensor:
    """[copies]: how many images one network gets right under each of many masks.

    keeps: [copies, units] for every hidden layer, 0 where a unit's output is silenced.
    """
    widest = max(*shape.architecture.hidden[1:], shape.classes, 1)
    at_once = max(1, FLOATS // (CHUNK * widest))

    def found(pixels: Tensor, labels: Tensor) -> Tensor:
        first = layers[0](pixels).relu_()  # no mask has touched it yet
        masks = zip(*(keep.split(at_once) for keep in keeps), strict=True)
        return torch.cat([right(_above_first(layers, first, some), labels) for some in masks])

    return _summed(images, stop, found)


def _above_first(layers: Sequence[Layer], below: Tensor, keeps: Sequence[Tensor]) -> Tensor:
    """Logits [copies, classes, images], from the first hidden layer on."""
    keep = keeps[0]
    for layer, above in zip(layers[1:-1], keeps[1:], strict=True):
        below, keep = layer(below, keep).relu_(), above
    return layers[-1](below, keep)


def _summed(images: Images, stop: threading.Event, count: Callable[[Tensor, Tensor], Tensor]) -> Tensor:
    """The sum of `count` over chunks of images; raises Interrupted when `stop` is set."""
    counts = []
    for pixels, labels in images.chunks():
        if stop.is_set():
            raise Interrupted
        counts.append(count(pixels, labels))
    return torch.stack(counts).sum(0)


def right(outputs: Tensor, labels: Tensor) -> Tensor:
    """[copies]: how many of outputs [copies, classes, images] have their largest value, the first of equal
    ones, at the label.

    Torch's argmax over a dimension in the middle takes 40 times as long as this (measured).
    """
    largest = outputs.amax(1)
    if int((outputs == largest[:, None]).sum()) != largest.numel():  # somewhere two classes are level
        return (outputs.argmax(1) == labels).sum(1)
    chosen = outputs.gather(1, labels.expand(len(outputs), 1, -1))[:, 0]
    return (chosen >= largest).sum(1)
