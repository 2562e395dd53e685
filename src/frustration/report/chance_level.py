"""What an accuracy is measured against: ZeroR, and the number of images it was counted on."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Final

from frustration.dataset.catalogue import ENTRIES
from frustration.errors import FrustrationError


@dataclass(frozen=True, kw_only=True)
class ChanceLevel:
    """ZeroR (percent: the share of the largest class) and images of the parts of a data set."""

    zero_r_validation: float
    zero_r_test: float
    validation_images: int
    test_images: int
    train_images: int


MNIST: Final = ChanceLevel(
    zero_r_validation=11.02,
    zero_r_test=11.35,
    validation_images=10_000,
    test_images=10_000,
    train_images=50_000,
)
"""As `analyze-dataset` counts them."""


@functools.cache
def yardstick(dataset: str) -> ChanceLevel | None:
    """That of a data set by name, from its files; None where they are not on this machine."""
    if dataset == "mnist":
        return MNIST
    if dataset not in ENTRIES:
        return None
    from frustration.dataset.loading import load_from
    from frustration.dataset.places import locate

    entry = ENTRIES[dataset]
    place = locate(entry, None)
    if place is None:
        return None
    try:
        split = load_from(entry, place)
    except FrustrationError:  # damaged files: no reason to lose the rest of the report
        return None
    return ChanceLevel(
        zero_r_validation=split.validation.zero_r,
        zero_r_test=split.test.zero_r,
        validation_images=len(split.validation),
        test_images=len(split.test),
        train_images=len(split.train),
    )
