"""What can be said of a data set in numbers: class counts, ZeroR, density, digest, and where it lies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frustration.dataset.catalogue import ENTRIES, Entry, entry_of
from frustration.dataset.contents import missing_from
from frustration.dataset.loading import load_from
from frustration.dataset.places import download_folder, how_to_get, locate, obtain
from frustration.dataset.split import Split, zero_r


def summary(name: str, folder: Path | None = None) -> dict[str, Any]:
    """All of it for one data set, ready for JSON; ZeroR is a percentage of images, density of pixels."""
    entry = entry_of(name)
    place = obtain(entry, folder)
    split = load_from(entry, place)
    return {
        "name": entry.name,
        "title": entry.title,
        "licence": entry.licence,
        "folder": str(place),
        "classes": split.classes,
        "features": split.features,
        "pixel_density_percent": pixel_density(split),
        "mean": entry.mean,
        "std": entry.std,
        "digest": split.digest,
        "parts": {
            part: {"images": int(counts.sum()), "counts": counts.tolist(), "zero_r_percent": zero_r(counts)}
            for part, counts in {
                "train": split.train.counts,
                "validation": split.validation.counts,
                "test": split.test.counts,
                "full train": split.training_counts,
            }.items()
        },
    }


def pixel_density(split: Split) -> float:
    """Percent of the pixels of the full training set (train and validation) that are not 0."""
    both = split.train.images, split.validation.images
    return 100.0 * sum(int(np.count_nonzero(images)) for images in both) / sum(images.size for images in both)


def listing(folder: Path | None = None) -> list[dict[str, str]]:
    """Every data set: name, title, licence, where it lies or how to get it. Nothing is read or fetched."""
    return [
        {
            "name": entry.name,
            "title": entry.title,
            "licence": entry.licence,
            "where": whereabouts(entry, folder),
        }
        for entry in ENTRIES.values()
    ]


def whereabouts(entry: Entry, folder: Path | None = None) -> str:
    """The folder, if it holds every file; else what a load would do, and how to do it by hand."""
    place = locate(entry, folder)
    target = place or download_folder(entry, folder)
    missing = missing_from(entry, target)
    if not missing:
        return str(target)
    published = [file.published for file in missing if file.published]
    return f"downloaded when first used; or {how_to_get(entry, published, target)}"
