"""Accuracy against the share of hidden units that are silenced."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from frustration.network import Shape
from frustration.probes.draws import Draws
from frustration.probes.forward import Images, correct, correct_silenced
from frustration.probes.networks import Layer


def knockout(
    layers: Sequence[Layer],
    shape: Shape,
    images: Images,
    draws: Draws,
    settings: dict[str, Any],
    stop: threading.Event,
) -> dict[str, Any]:
    """The measure `knockout` of one network (docs/probes.md)."""
    units = sum(shape.architecture.hidden)
    silenced = [numbers_silenced(fraction, units) for fraction in settings["fractions"]]
    places = draws.of_units(shape.architecture, settings["draws"])
    # What silences nothing or everything is the same for every draw, and so are fractions that come to
    # the same number: each mask is counted once.
    some = sorted({count for count in silenced if 0 < count < units})
    by_count = {0: np.repeat(_clean(layers, images, stop), len(places))}
    if units:
        masks = [places >= count for count in some]
        masks.append(np.zeros((1, units), bool))
        keep = torch.from_numpy(np.concatenate(masks).astype(np.float32))
        keeps = keep.split(list(shape.architecture.hidden), dim=1)
        counts = correct_silenced(layers, images, [k.contiguous() for k in keeps], shape, stop).numpy()
        by_count |= dict(zip(some, counts[:-1].reshape(-1, len(places)), strict=True))
        by_count[units] = np.repeat(counts[-1], len(places))
    by_draw = np.array([by_count[count] for count in silenced])
    accuracy, std = summary(by_draw, len(images))
    return {
        "units": units,
        "silenced": silenced,
        "accuracy": accuracy,
        "std": std,
        "by_draw": percent(by_draw, len(images)),
        "area": area(accuracy, [count / units if units else 0.0 for count in silenced]),
    }


def numbers_silenced(fraction: float, units: int) -> int:
    """The nearest whole number of units, halves up."""
    return int(np.floor(fraction * units + 0.5))


def area(accuracy: Sequence[float], shares: Sequence[float]) -> float:
    """Area under accuracy over shares [levels] from 0 to 1: the mean over all shares. Without hidden units
    all shares are 0 and every accuracy is the same."""
    if shares[-1] == 0:
        return float(accuracy[0])
    return float(np.trapezoid(accuracy, shares))


def summary(counts: NDArray[np.int64], images: int) -> tuple[list[float], list[float]]:
    """Mean and standard deviation (ddof 0) of correct counts [levels, draws] over draws, in percent."""
    # From whole numbers, so that equal draws give their own accuracy to the last digit.
    mean = 100 * counts.sum(1) / (images * counts.shape[1])
    return mean.tolist(), (100 * counts.std(1) / images).tolist()


def percent(counts: NDArray[np.int64], images: int) -> Any:
    """Correct counts as lists of percentages, of the shape of `counts`."""
    return (100 * counts / images).tolist()


def _clean(layers: Sequence[Layer], images: Images, stop: threading.Event) -> NDArray[np.int64]:
    counts: NDArray[np.int64] = correct(layers, images, stop).numpy()
    return counts
