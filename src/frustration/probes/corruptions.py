"""Corrupted test images: six kinds, each with five strengths, all of them images of bytes again.

Draws do not depend on the strength: a stronger corruption is more of the same. Brightness is counted from
0 to 1; what leaves that range is cut off. docs/probes.md defines each.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from frustration.engine.population import Interrupted
from frustration.probes.draws import Draws
from frustration.streams import Stream

DIRECTIONS = ((-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1))
BLUR_REACH = 4
"""Standard deviations at which a blur ends."""

Corruption = Callable[[Tensor, Stream], Callable[[float], Tensor]]
"""Given bright [n, channels, rows, columns] in 0 to 1 and a stream, makes what corrupts by a strength."""


def corrupted(
    images: NDArray[np.uint8],
    shape: Sequence[int],
    draws: Draws,
    severities: Mapping[str, Sequence[float]],
    stop: threading.Event,
) -> Iterator[tuple[str, int, Tensor]]:
    """(name, number of the strength, bytes [images, features]) for every corruption and strength.

    images [n, features]; shape of one of them: (rows, columns) or (channels, rows, columns).
    """
    rows, columns = shape[-2:]
    bright = torch.from_numpy(images).view(len(images), -1, rows, columns).float() / 255
    for name, strengths in severities.items():
        by_strength = CORRUPTIONS[name](bright, draws.of_images(name, len(images)))
        for number, strength in enumerate(strengths):
            if stop.is_set():
                raise Interrupted
            result = by_strength(strength).clamp_(0, 1).mul_(255).round_().to(torch.uint8)
            yield name, number, result.view(len(images), -1)


def gaussian_noise(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: standard deviation of the noise on every pixel."""
    noise = torch.from_numpy(stream.normal(bright.numel()).astype(np.float32)).view(bright.shape)
    return lambda sigma: bright + sigma * noise


def impulse_noise(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: share of pixels that become black or white, half of them each ("salt and pepper")."""
    draw = torch.from_numpy(stream.uniform(bright.numel())).view(bright.shape)
    colour = torch.from_numpy(stream.uniform(bright.numel())).view(bright.shape).round_()
    return lambda share: torch.where(draw < share, colour, bright)


def shift(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: pixels by which an image moves in one of eight directions; what is left behind is black."""
    chosen = torch.from_numpy((stream.uniform(len(bright)) * len(DIRECTIONS)).astype(np.int64))

    def moved(pixels: float) -> Tensor:
        far = int(pixels)
        room = functional.pad(bright, (far, far, far, far))
        result = torch.empty_like(bright)
        rows, columns = bright.shape[2:]
        for number, (down, right) in enumerate(DIRECTIONS):
            top, left = far - down * far, far - right * far
            some = chosen == number
            result[some] = room[some, :, top : top + rows, left : left + columns]
        return result

    return moved


def blur(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: standard deviation of a Gaussian, in pixels; beyond the border its last pixel is repeated."""
    rows, columns = bright.shape[2:]

    def blurred(sigma: float) -> Tensor:
        across = bright @ _blurring(columns, sigma).t()
        return (across.transpose(2, 3) @ _blurring(rows, sigma).t()).transpose(2, 3).contiguous()

    return blurred


def _blurring(pixels: int, sigma: float) -> Tensor:
    """[pixels, pixels]: what one row of pixels is multiplied by."""
    reach = int(BLUR_REACH * sigma + 0.5)
    offsets = np.arange(-reach, reach + 1)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    matrix = np.zeros((pixels, pixels))
    for pixel in range(pixels):
        np.add.at(matrix[pixel], np.clip(pixel + offsets, 0, pixels - 1), kernel / kernel.sum())
    return torch.from_numpy(matrix.astype(np.float32))


def occlusion(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: side of a black rectangle as a share of the image's, somewhere inside the image."""
    rows, columns = bright.shape[2:]
    place_down, place_right = (torch.from_numpy(stream.uniform(len(bright))) for _ in range(2))

    def hidden(share: float) -> Tensor:
        down = _within(rows, share, place_down)[:, None, :, None]
        right = _within(columns, share, place_right)[:, None, None, :]
        return bright.masked_fill(down & right, 0.0)

    return hidden


def _within(pixels: int, share: float, place: Tensor) -> Tensor:
    """[n, pixels]: which pixels a stretch covers that begins at `place` [n], 0 to 1, of where it can."""
    length = round(share * pixels)
    begin = (place * (pixels - length + 1)).long()[:, None]
    at = torch.arange(pixels)
    return (at >= begin) & (at < begin + length)


def contrast(bright: Tensor, stream: Stream) -> Callable[[float], Tensor]:
    """Strength: what is left of every pixel's distance to the mean of its image."""
    mean = bright.mean((1, 2, 3), keepdim=True)
    return lambda left: mean + left * (bright - mean)


CORRUPTIONS: Mapping[str, Corruption] = {
    "gaussian_noise": gaussian_noise,
    "impulse_noise": impulse_noise,
    "shift": shift,
    "blur": blur,
    "occlusion": occlusion,
    "contrast": contrast,
}


def corruption_result(right: Mapping[tuple[str, int], int], settings: dict[str, Any]) -> dict[str, Any]:
    """The measure `corruptions` (docs/probes.md) of correct counts by (name, number of the strength)."""
    accuracy = {
        name: [100 * right[name, number] / settings["images"] for number in range(len(strengths))]
        for name, strengths in settings["severities"].items()
    }
    values = functools.reduce(lambda one, other: one + other, accuracy.values())
    return {"accuracy": accuracy, "mean": sum(values) / len(values)}
