"""Load a data set by name: train, validation and test samples in memory."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from frustration.dataset.catalogue import Entry, entry_of
from frustration.dataset.contents import read_all
from frustration.dataset.formats import parse
from frustration.dataset.places import obtain
from frustration.dataset.split import Part, Split, divide, pixel_values
from frustration.dataset.tables import Reference, load_file


def load(name: str = "mnist", folder: Path | None = None) -> Split:
    """The data set of that name, from `folder` or where docs/datasets.md says, downloaded if need be.

    Or a user's file: "data.npz", "data.csv:label", "data.parquet:label".
    """
    if reference := Reference.parse(name):
        return load_file(replace(reference, path=(folder or Path()) / reference.path))
    entry = entry_of(name)
    return load_from(entry, obtain(entry, folder))


def check_name(name: str) -> None:
    """Raise DatasetError where `load` would not know what is meant; no file is looked for."""
    if Reference.parse(name) is None:
        entry_of(name)


def file_stem(name: str) -> str:
    """A data set's name as the beginning of the name of a file."""
    reference = Reference.parse(name)
    return reference.stem if reference else re.sub(r"[^\w.-]+", "-", name)


def load_from(entry: Entry, place: Path) -> Split:
    """The data set that `entry` describes, from a folder with all its files; every load verifies them."""
    contents = read_all(entry, place)
    parts: dict[str, Part] = {}
    for part in ("train", "test"):
        parsed = [parse(entry, file, *contents[file.name]) for file in entry.files if file.part == part]
        images = np.concatenate([images for images, _ in parsed if images is not None])
        labels = np.concatenate([labels for _, labels in parsed if labels is not None])
        parts[part] = Part(images, labels, entry.classes)
    train, validation = divide(parts["train"], entry.validation)
    return Split.of(entry.name, train, validation, parts["test"], pixel_values(entry.mean, entry.std))
