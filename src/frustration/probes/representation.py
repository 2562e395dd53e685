"""What hidden layers are made of: units that are never on, activations that are 0, directions in use."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from frustration.probes.forward import Images, hidden
from frustration.probes.networks import Layer

NOTHING = 1e-7
"""Singular values below this share of the largest are rounding errors: they are square roots of eigenvalues
that are exact to about 1e-16."""


def representation(layers: Sequence[Layer], images: Images) -> dict[str, Any]:
    """The measure `representation` of one network (docs/probes.md)."""
    found: dict[str, Any] = {"units": [], "dead": [], "zero": [], "effective_rank": []}
    for activations in hidden(layers, images.pixels):
        off = activations == 0
        found["units"].append(len(activations))
        found["dead"].append(int(off.all(1).sum()))
        found["zero"].append(100 * int(off.sum()) / off.numel())
        found["effective_rank"].append(effective_rank(activations.t()))
    return found


def effective_rank(matrix: Tensor) -> float:
    """Of the centred rows of matrix [samples, units]: exp of the entropy of the singular values, made to sum
    to 1 (Roy and Vetterli 2007). 0 where all rows are equal, at most the rank."""
    rows = matrix.double()
    centred = rows - rows.mean(0)
    if float(centred.norm()) <= NOTHING * float(rows.norm()):
        return 0.0
    squares = torch.linalg.eigvalsh(centred.t() @ centred)
    values = squares.clamp(min=0).sqrt()
    values = values[values > NOTHING * values.max()]
    shares = values / values.sum()
    return float(torch.exp(-(shares * shares.log()).sum()))
