"""Data sets: by name, verified and split as in the paper, or a user's own. Nothing here imports torch."""

from frustration.dataset.catalogue import DatasetError, names
from frustration.dataset.loading import check_name, file_stem, load
from frustration.dataset.own import make_split
from frustration.dataset.split import Part, Split

__all__ = ["DatasetError", "Part", "Split", "check_name", "file_stem", "load", "make_split", "names"]
