"""The data of a problem: its parts as batches, and a digest of them."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, TensorDataset, default_collate

from frustration.any_network import Parts
from frustration.engine.module.probe import seeded
from frustration.references import ProblemError, ProblemReference, explained

DIGESTED = 1_000
"""Samples of a data set that are looked at for its digest, evenly over it; tensors are read whole."""
PROBE_BATCH = 100

Batch = Any


class Samples:
    """One part, by number."""

    def __init__(self, whole: Any, collate: Any, what: str) -> None:
        self.what, self.collate = what, collate or default_collate
        if isinstance(whole, DataLoader):
            raise ProblemError(f"{what} is a DataLoader; give the data set in it, for batches are made here")
        if isinstance(whole, IterableDataset):
            raise ProblemError(f"{what} is an IterableDataset; a part has a length and is read by number")
        if isinstance(whole, TensorDataset):
            whole = whole.tensors
        if isinstance(whole, (np.ndarray, Tensor)):
            whole = (whole,)
        if hasattr(whole, "iloc"):
            raise ProblemError(
                f"{what} is a data frame; give arrays, as frame[columns].to_numpy() makes them"
            )
        self.tensors: tuple[Tensor, ...] | None = None
        self.dataset: Any = whole
        if isinstance(whole, tuple) and all(isinstance(one, (np.ndarray, Tensor)) for one in whole) and whole:
            self.tensors = tuple(torch.as_tensor(one) for one in whole)
            lengths = {len(one) for one in self.tensors}
            if len(lengths) > 1:
                raise ProblemError(f"{what}: its tensors have different lengths: {sorted(lengths)}")
        elif isinstance(whole, tuple) and any(isinstance(one, (np.ndarray, Tensor, list)) for one in whole):
            kinds = ", ".join(type(one).__name__ for one in whole)
            raise ProblemError(f"{what} is a tuple of {kinds}; give tensors or arrays of one length")
        elif not (hasattr(whole, "__len__") and hasattr(whole, "__getitem__")):
            raise ProblemError(
                f"{what} is a {type(whole).__name__}, not tensors or a data set with [i] and len"
            )
        if len(self) == 0:
            raise ProblemError(f"{what} is empty")

    def __len__(self) -> int:
        return len(self.tensors[0]) if self.tensors is not None else len(self.dataset)

    def batch(self, numbers: Sequence[int] | NDArray[np.int64]) -> Batch:
        if self.tensors is not None:
            chosen = torch.as_tensor(np.asarray(numbers))
            found = tuple(one[chosen] for one in self.tensors)
            return found if len(found) > 1 else found[0]
        return self.collate([self.dataset[int(number)] for number in numbers])

    def digest(self, whole: Any) -> None:
        whole.update(f"{len(self)}\n".encode())
        if self.tensors is not None:
            for tensor in self.tensors:
                _digest_tensor(whole, tensor)
            return
        for number in np.unique(np.linspace(0, len(self) - 1, min(len(self), DIGESTED)).round().astype(int)):
            _digest_sample(whole, self.dataset[int(number)])


class ProblemData:
    """The parts of a problem. It travels as a reference: another process asks the problem again."""

    features = classes = 0

    def __init__(self, reference: ProblemReference, train_fraction: float = 1.0) -> None:
        self.reference, self.train_fraction = reference, train_fraction
        problem = reference.problem()
        with explained(self._cannot_be("had")):
            parts = problem.data()
        if not isinstance(parts, Parts):
            raise ProblemError(
                f"problem {reference}: data returns frustration.Parts, not {type(parts).__name__}"
            )
        if parts.validation is None:
            raise ProblemError(f"problem {reference} has no validation part, on which networks are judged")
        with explained(self._cannot_be("read")):
            self.parts = {
                name: Samples(part, parts.collate, f"problem {reference}: {name}")
                for name in ("train", "validation", "test")
                if (part := getattr(parts, name)) is not None
            }
            self._digest = problem.digest()

    def _cannot_be(self, what: str) -> str:
        return f"the data of problem {self.reference} cannot be {what}"

    def __reduce__(self) -> tuple[Any, ...]:
        return data_of, (self.reference, self.train_fraction)

    @property
    def name(self) -> str:
        return self.reference.dataset

    @property
    def digest(self) -> str:
        if self._digest is None:
            whole = hashlib.sha256(b"frustration problem 1\n")
            with seeded(0), explained(self._cannot_be("read")):
                for name, samples in self.parts.items():
                    whole.update(name.encode())
                    samples.digest(whole)
            self._digest = whole.hexdigest()
        if self.train_fraction == 1.0:
            return self._digest
        return hashlib.sha256(f"{self._digest} {self.samples}".encode()).hexdigest()

    @property
    def samples(self) -> int:
        """To train on: the first of the training part."""
        return max(1, round(self.train_fraction * len(self.parts["train"])))

    def fraction(self, share: float) -> ProblemData:
        return self if share == self.train_fraction else data_of(self.reference, share)

    def probe(self, samples: int) -> list[Batch]:
        """The first training samples, in batches."""
        return list(self.batches("train", np.arange(self.probed(samples)), min(samples, PROBE_BATCH)))

    def probed(self, samples: int) -> int:
        return min(samples, self.samples)

    def batches(self, part: str, order: NDArray[np.int64], size: int) -> Iterator[Batch]:
        samples = self.parts[part]
        for start in range(0, len(order), size):
            yield samples.batch(order[start : start + size])

    def score(self, part: str, measured: float) -> float | None:
        return measured if math.isfinite(measured) else None


_data: dict[tuple[ProblemReference, float], ProblemData] = {}


def data_of(reference: ProblemReference, train_fraction: float = 1.0) -> ProblemData:
    """The data of a problem, made once per process."""
    key = reference, train_fraction
    if key not in _data:
        _data[key] = ProblemData(reference, train_fraction)
    return _data[key]


def to_device(batch: Batch, device: torch.device) -> Batch:
    """A batch of any form on a device."""
    if isinstance(batch, Tensor):
        return batch.to(device)
    if isinstance(batch, dict):
        return {name: to_device(one, device) for name, one in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(to_device(one, device) for one in batch)
    return batch.to(device) if hasattr(batch, "to") else batch


def _digest_tensor(whole: Any, tensor: Tensor) -> None:
    array = np.ascontiguousarray(tensor.detach().cpu().numpy())
    whole.update(f"{array.dtype.str} {array.shape}\n".encode())
    whole.update(array.data)


def _digest_sample(whole: Any, sample: Any) -> None:
    found = [torch.as_tensor(one) if isinstance(one, np.ndarray) else one for one in _leaves(sample)]
    for one in found:
        if isinstance(one, Tensor):
            _digest_tensor(whole, one)
        else:
            whole.update(repr(one).encode())


def _leaves(sample: Any) -> Iterator[Any]:
    if isinstance(sample, dict):
        for name in sorted(sample):
            yield name
            yield from _leaves(sample[name])
    elif isinstance(sample, (list, tuple)):
        for one in sample:
            yield from _leaves(one)
    else:
        yield sample
