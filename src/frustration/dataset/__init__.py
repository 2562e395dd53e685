"""Data sets: found or downloaded, verified, split as in the paper. Nothing here imports torch."""

from frustration.dataset.catalogue import DatasetError, names
from frustration.dataset.loading import load
from frustration.dataset.split import Part, Split

__all__ = ["DatasetError", "Part", "Split", "load", "names"]
