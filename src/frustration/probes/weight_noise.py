"""Accuracy with noise on every weight and bias, in proportion to its own size.

In proportion, because a network computes the same when a unit's incoming weights are doubled and its
outgoing ones halved: noise of one size for a whole matrix would depend on that choice. And a weight that
is 0 stays 0.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import torch

from frustration.network import Shape, Vector
from frustration.probes.draws import Draws
from frustration.probes.forward import CHUNK, Images, correct
from frustration.probes.knockout import percent, summary
from frustration.probes.networks import layers_of

FLOATS = 1 << 22
"""How many activations of one layer all noisy copies may have at a time; weights four times as many."""


def weight_noise(
    shape: Shape,
    weights: Vector,
    images: Images,
    draws: Draws,
    settings: dict[str, Any],
    stop: threading.Event,
) -> dict[str, Any]:
    """The measure `weight_noise` of one network (docs/probes.md); weights [size]."""
    count, sigmas = settings["draws"], settings["sigmas"]
    clean, scale = torch.from_numpy(weights), torch.tensor(sigmas, dtype=torch.float32)[:, None]
    found = []
    for start in range(0, count, per_batch := _draws_at_once(shape, len(sigmas))):
        numbers = range(start, min(count, start + per_batch))
        noise = np.stack([draws.of_weights(shape.architecture, draw, len(weights)) for draw in numbers])
        # [draws, sigmas, size]: one draw, at all its sizes, side by side
        noisy = clean * (1 + scale * torch.from_numpy(noise)[:, None])
        right = correct(layers_of(shape, noisy.flatten(0, 1)), images, stop)
        found.append(right.view(len(noise), len(sigmas)))
    by_draw = torch.cat(found).t().numpy()
    accuracy, std = summary(by_draw, len(images))
    return {
        "accuracy": accuracy,
        "std": std,
        "by_draw": percent(by_draw, len(images)),
        "area": float(np.mean(accuracy)),
    }


def _draws_at_once(shape: Shape, levels: int) -> int:
    widest = max(*shape.architecture.hidden, shape.classes, 1)
    return max(1, min(FLOATS // (levels * CHUNK * widest), 4 * FLOATS // (levels * shape.size)))
