"""What an accuracy is measured against: ZeroR, and the number of images it was counted on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from frustration.dataset import Split, load
from frustration.dataset.catalogue import ENTRIES
from frustration.dataset.loading import load_from
from frustration.dataset.places import locate
from frustration.errors import FrustrationError


@dataclass(frozen=True, kw_only=True)
class ChanceLevel:
    """ZeroR (percent: the share of the largest class) and images of the parts of a data set."""

    zero_r_validation: float
    zero_r_test: float
    validation_images: int
    test_images: int
    features: int
    classes: int


MNIST: Final = ChanceLevel(
    zero_r_validation=11.02,
    zero_r_test=11.35,
    validation_images=10_000,
    test_images=10_000,
    features=784,
    classes=10,
)
"""As `analyze-dataset` counts them."""


@functools.cache
def chance_level(dataset: str, digest: str = "", train_fraction: float = 1.0) -> ChanceLevel | None:
    """That of a data set by name, from its files; None where they are not on this machine.

    `digest` and `train_fraction` tell whether a user's file is still the one that was trained on.
    """
    if dataset == "mnist":
        return MNIST
    try:
        split = _named(dataset) if dataset in ENTRIES else load(dataset).fraction(train_fraction)
    except FrustrationError:  # damaged files: no reason to lose the rest of the report
        return None
    if split is None or (dataset not in ENTRIES and split.digest != digest):
        return None
    return ChanceLevel(
        zero_r_validation=split.validation.zero_r,
        zero_r_test=split.test.zero_r,
        validation_images=len(split.validation),
        test_images=len(split.test),
        features=split.features,
        classes=split.classes,
    )


def _named(name: str) -> Split | None:
    """A data set of the catalogue; nothing is downloaded."""
    place = locate(ENTRIES[name], None)
    return load_from(ENTRIES[name], place) if place else None
