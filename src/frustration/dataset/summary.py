"""A data set in numbers: class counts, ZeroR, density, digest, and its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from frustration.dataset.catalogue import ENTRIES, Entry, entry_of
from frustration.dataset.contents import missing_from
from frustration.dataset.loading import load, load_from
from frustration.dataset.places import download_folder, how_to_get, locate, obtain
from frustration.dataset.split import Split, zero_r
from frustration.dataset.tables import Reference


def summary(name: str, folder: Path | None = None) -> dict[str, Any]:
    """All of it for one data set, ready for JSON; ZeroR is a percentage of samples, density of pixels."""
    if Reference.parse(name):
        return _of_file(load(name, folder))
    entry = entry_of(name)
    place = obtain(entry, folder)
    split = load_from(entry, place)
    return {
        "name": entry.name,
        "title": entry.title,
        "licence": entry.licence,
        "folder": str(place),
        "pixel_density_percent": pixel_density(split),
        "mean": entry.mean,
        "std": entry.std,
        **_of_any(split),
    }


def _of_file(split: Split) -> dict[str, Any]:
    """A user's file: its columns in place of pixels."""
    columns = split.columns
    described: dict[str, Any] = {}
    if columns:
        moments = zip(columns.features, columns.mean.tolist(), columns.std.tolist(), strict=True)
        described = {
            "class_names": list(columns.classes),
            "columns": [{"name": name, "mean": mean, "std": std} for name, mean, std in moments],
        }
    return {"name": split.name, **described, **_of_any(split)}


def _of_any(split: Split) -> dict[str, Any]:
    return {
        "classes": split.classes,
        "features": split.features,
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
    """Every data set: name, title, licence, its folder or how to get it. Nothing is read or fetched."""
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
