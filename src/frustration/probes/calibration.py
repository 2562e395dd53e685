"""Whether a network knows how sure it may be."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor


def calibration(outputs: Tensor, labels: Tensor, bins: int) -> dict[str, Any]:
    """The measure `calibration` (docs/probes.md) of logits [images, classes] and labels [images]."""
    log_probabilities = outputs.double().log_softmax(1)
    confidence = log_probabilities.exp().amax(1)
    correct = outputs.argmax(1) == labels
    nll = -float(log_probabilities.gather(1, labels[:, None]).mean())
    count, mean_confidence, accuracy = binned(confidence, correct, bins)
    return {
        "accuracy": 100 * int(correct.sum()) / len(labels),
        "nll": nll if math.isfinite(nll) else None,
        "ece": 100 * expected_calibration_error(confidence, correct, bins),
        "bin_count": count.tolist(),
        "bin_confidence": _percent(mean_confidence),
        "bin_accuracy": _percent(accuracy),
    }


def expected_calibration_error(confidence: Tensor, correct: Tensor, bins: int) -> float:
    """Mean over images [n] of |accuracy - confidence| of their bin, 0 to 1."""
    count, mean_confidence, accuracy = binned(confidence, correct, bins)
    gaps = (accuracy - mean_confidence).abs().nan_to_num(0.0)
    return float((gaps * count).sum() / count.sum())


def binned(confidence: Tensor, correct: Tensor, bins: int) -> tuple[Tensor, Tensor, Tensor]:
    """[bins] each: images, mean confidence, share correct (NaN where empty).

    Bins are equally wide and closed above, as in Guo et al. (2017): (0, 1/bins], …, (1 - 1/bins, 1].
    """
    place = (confidence.double() * bins).ceil().long().clamp(1, bins) - 1
    count = torch.bincount(place, minlength=bins)
    mean_confidence = torch.bincount(place, confidence.double(), bins) / count
    accuracy = torch.bincount(place, correct.double(), bins) / count
    return count, mean_confidence, accuracy


def _percent(shares: Tensor) -> list[float | None]:
    return [None if math.isnan(share) else 100 * share for share in shares.tolist()]
