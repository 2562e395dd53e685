"""Every random draw of a probe, from named streams that know nothing of the mode.

The key is (seed, trial, purpose, number of the draw) and, but for what is done to images, the
architecture. So all modes of one trial number lose the same units, and all architectures see the same images.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from frustration.architecture import Architecture
from frustration.streams import Stream


class Draws:
    """The draws of one trial number."""

    def __init__(self, seed: int, trial: int) -> None:
        self.seed, self.trial = seed, trial

    def of_units(self, architecture: Architecture, draws: int) -> NDArray[np.int64]:
        """[draws, hidden units]: the place of each unit in the order in which units are silenced."""
        units = sum(architecture.hidden)
        places = np.empty((draws, units), np.int64)
        for draw in range(draws):
            order = self._stream("knockout", draw, architecture).permutation(units)
            places[draw, order] = np.arange(units)
        return places

    def of_weights(self, architecture: Architecture, draw: int, size: int) -> NDArray[np.float32]:
        """[size] standard normal numbers, one for every weight and bias."""
        return self._stream("weight_noise", draw, architecture).normal(size).astype(np.float32)

    def of_images(self, corruption: str, count: int) -> Stream:
        """What one kind of corruption draws from, whatever its strength. `count`: of images, which matters,
        because numbers are drawn for all images at once."""
        return self._stream(f"{corruption} images={count}", 0, None)

    def _stream(self, purpose: str, draw: int, architecture: Architecture | None) -> Stream:
        name = f"frustration-probe-1 seed={self.seed} trial={self.trial} purpose={purpose} draw={draw}"
        if architecture is not None:
            name += f" architecture={architecture}"
        return Stream(hashlib.blake2b(name.encode(), digest_size=16).digest())
