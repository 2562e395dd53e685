"""Part and Split: samples and labels in memory, the paper's split, the digest of what a trial saw."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from frustration.dataset.catalogue import DatasetError

SPLIT_SEED = 1337

Samples: TypeAlias = NDArray[np.uint8] | NDArray[np.float32]
"""[n, features]: the bytes of images, or numbers that are fed in as they are."""


def zero_r(counts: NDArray[np.int64]) -> float:
    """Percent correct of always naming the largest class. counts: [classes]."""
    return 100.0 * float(counts.max()) / float(counts.sum())


# The arrays stay writable although nobody may write to them: torch.from_numpy warns about any that are not.
@dataclass(frozen=True, eq=False)
class Part:
    """One of train, validation, test. images: [n, features], bytes or numbers; labels: [n], from 0 on."""

    images: Samples
    labels: NDArray[np.int64]
    classes: int

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def counts(self) -> NDArray[np.int64]:
        """Images per class, [classes]."""
        return np.bincount(self.labels, minlength=self.classes).astype(np.int64)

    @property
    def zero_r(self) -> float:
        """Share of the largest class in percent."""
        return zero_r(self.counts)

    def head(self, n: int) -> Part:
        """The first n images."""
        if not 1 <= n <= len(self):
            raise DatasetError(f"cannot take the first {n} images: 1 to {len(self)} are there")
        return Part(self.images[:n], self.labels[:n], self.classes)


@dataclass(frozen=True, eq=False)
class Columns:
    """What a user's own numbers were before they were standardised. mean, std: [features]."""

    features: tuple[str, ...]
    classes: tuple[str, ...]
    """By label."""
    mean: NDArray[np.float64]
    std: NDArray[np.float64]

    def inputs(self, rows: NDArray[Any]) -> NDArray[np.float32]:
        """[n, features]: what a network is fed for other rows of the same columns."""
        return ((np.asarray(rows, np.float64) - self.mean) / self.std).astype(np.float32)


@dataclass(frozen=True, eq=False)
class Split:
    """A data set as a trial sees it.

    pixel_values: [256], what a backend feeds in for each byte; None where the samples are numbers.
    """

    name: str
    train: Part
    validation: Part
    test: Part
    classes: int
    features: int
    pixel_values: NDArray[np.float32] | None
    digest: str
    columns: Columns | None = None
    """Of a user's own data; None for images."""

    @classmethod
    def of(
        cls,
        name: str,
        train: Part,
        validation: Part,
        test: Part,
        pixel_values: NDArray[np.float32] | None = None,
        columns: Columns | None = None,
    ) -> Split:
        """The split of these parts, with its digest."""
        digest = content_digest((train, validation, test), pixel_values)
        features = train.images.shape[1]
        return cls(name, train, validation, test, train.classes, features, pixel_values, digest, columns)

    def _of(self, train: Part, validation: Part, test: Part) -> Split:
        """Other parts of the same data set."""
        return Split.of(self.name, train, validation, test, self.pixel_values, self.columns)

    def inputs(self, images: Samples) -> NDArray[np.float32]:
        """[n, features]: what a network is fed for these samples of a part."""
        if self.pixel_values is None:
            return np.asarray(images, np.float32)
        return self.pixel_values[images]

    @property
    def training_counts(self) -> NDArray[np.int64]:
        """Images per class of the full training set (train and validation together), [classes]."""
        return self.train.counts + self.validation.counts

    @property
    def samples(self) -> int:
        """To train on."""
        return len(self.train)

    def probe(self, samples: int) -> NDArray[np.float32]:
        """[samples, features]: the first training images, as a network sees them."""
        return self.inputs(self.train.images[:samples])

    def score(self, part: str, correct: float) -> float | None:
        """Accuracy in percent, from how many are classified correctly; None from -1: outputs not finite."""
        whole: Part = getattr(self, part)
        return 100 * correct / len(whole) if correct >= 0 else None

    def fraction(self, share: float) -> Split:
        """The first round(share * n) training images: a smaller share is a subset of a larger one."""
        if not 0.0 < share <= 1.0:
            raise DatasetError(f"a share of the training images is above 0 and at most 1, not {share}")
        if share == 1.0:
            return self
        train = self.train.head(max(1, round(share * len(self.train))))
        return self._of(train, self.validation, self.test)

    def head(self, train: int, validation: int, test: int) -> Split:
        """The first images of each part."""
        return self._of(self.train.head(train), self.validation.head(validation), self.test.head(test))


def pixel_values(mean: float, std: float) -> NDArray[np.float32]:
    """[256] float32: (byte / 255 - mean) / std, each step in float32, as ToTensor and Normalize do."""
    byte = np.arange(256, dtype=np.float32)
    return (byte / np.float32(255) - np.float32(mean)) / np.float32(std)


def permutation(n: int, seed: int = SPLIT_SEED) -> NDArray[np.int64]:
    """[n], equal to torch.randperm(n, generator=torch.Generator().manual_seed(seed)) for n below 2^32 / 20.

    Torch's generator is the Mersenne Twister seeded as NumPy's RandomState is, and randperm swaps forward,
    taking each 32-bit draw modulo what is left. RandomState's streams are frozen, and so is this split.
    """
    draws = np.frombuffer(np.random.RandomState(seed).bytes(4 * max(0, n - 1)), "<u4")
    steps = (draws % np.arange(n, 1, -1, dtype=np.uint32)).tolist()
    order = list(range(n))  # each swap depends on those before: a list is faster here than an array
    for i, step in enumerate(steps):
        order[i], order[i + step] = order[i + step], order[i]
    return np.array(order, np.int64)


def divide(training: Part, validation: int) -> tuple[Part, Part]:
    """(train, validation) as in the paper: the last `validation` images of one permutation are set aside."""
    order = permutation(len(training))
    first, last = order[: len(order) - validation], order[len(order) - validation :]
    return (
        Part(training.images[first], training.labels[first], training.classes),
        Part(training.images[last], training.labels[last], training.classes),
    )


def content_digest(parts: tuple[Part, ...], values: NDArray[np.float32] | None) -> str:
    """SHA-256 over what training and scoring depend on: samples and labels in order, classes, pixel values.

    The name is left out: equal data under two names is equal data.
    """
    if values is None:
        whole = hashlib.sha256(b"frustration split 1, float32\n")
    else:
        whole = hashlib.sha256(b"frustration split 1\n")
        whole.update(values.astype("<f4").tobytes())
    for part in parts:
        shape = f"{len(part)} {part.images.shape[1]} {part.classes}\n"
        whole.update(shape.encode())
        little_endian = part.images.astype("<f4") if values is None else part.images
        whole.update(np.ascontiguousarray(little_endian).data)
        whole.update(part.labels.astype("<i8").tobytes())
    return whole.hexdigest()
