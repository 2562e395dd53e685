"""The split is the paper's, and the digest says which data a trial saw."""

import gzip
import subprocess
import sys
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import random_split

from frustration.dataset import DatasetError, Part, Split, load
from frustration.dataset.split import permutation, pixel_values

MNIST_FOLDER = Path(__file__).parents[2] / "dataset" / "mnist"


@pytest.fixture(scope="module")
def mnist() -> Split:
    return load("mnist", MNIST_FOLDER)


@pytest.mark.parametrize("n", [1, 2, 10_001, 50_000, 60_000, 112_800])
def test_the_permutation_is_torch_randperm(n):
    for seed in (0, 1337, 2**32 - 1):
        expected = torch.randperm(n, generator=torch.Generator().manual_seed(seed))
        assert np.array_equal(permutation(n, seed), expected.numpy())


def test_mnist_is_split_as_random_split_splits_it(mnist):
    with gzip.open(MNIST_FOLDER / "train-images-idx3-ubyte.gz") as stream:
        images = np.frombuffer(stream.read()[16:], np.uint8).reshape(60_000, 784)
    with gzip.open(MNIST_FOLDER / "train-labels-idx1-ubyte.gz") as stream:
        labels = np.frombuffer(stream.read()[8:], np.uint8)
    generator = torch.Generator().manual_seed(1337)
    train, validation = random_split(range(60_000), [50_000, 10_000], generator=generator)
    for part, subset in ((mnist.train, train), (mnist.validation, validation)):
        assert np.array_equal(part.images, images[subset.indices])
        assert np.array_equal(part.labels, labels[subset.indices])


def test_mnist_has_the_published_counts_and_zero_rates(mnist):
    assert mnist.training_counts.tolist() == [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949]
    assert mnist.test.counts.tolist() == [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    rates = [round(part.zero_r, 2) for part in (mnist.train, mnist.validation, mnist.test)]
    assert rates == [11.28, 11.02, 11.35]
    assert (mnist.classes, mnist.features) == (10, 784)
    assert mnist.train.images.dtype == np.uint8
    assert mnist.train.labels.dtype == np.int64


def test_pixel_values_are_the_bits_of_totensor_and_normalize(mnist):
    bytes_as_tensor = torch.arange(256, dtype=torch.uint8).to(torch.float32).div(255)
    mean, std = torch.tensor([0.1307]), torch.tensor([0.3081])
    expected = bytes_as_tensor.sub_(mean).div_(std).numpy()
    assert mnist.pixel_values.tobytes() == expected.tobytes()


def test_the_digest_of_mnist_is_golden(mnist):
    assert mnist.digest == "e98edadcd1b3fed55259f4fe63e64655d114e8c36fbd561ebca8335bae4b4c13"


def small_split(**changes) -> Split:
    """30 random images; `changes` replace the arrays of the training part."""
    generator = np.random.default_rng(0)
    parts = []
    for n in (20, 6, 4):
        images = generator.integers(0, 256, (n, 7), dtype=np.uint8)
        parts.append(Part(images, np.arange(n, dtype=np.int64) % 3, 3))
    parts[0] = replace(parts[0], **changes)
    return Split.of("small", *parts, pixel_values(0.1307, 0.3081))


def test_the_digest_sees_every_pixel_label_order_and_the_normalisation():
    split = small_split()
    pixel, label = split.train.images.copy(), split.train.labels.copy()
    pixel[3, 5] ^= 1
    label[7] = (label[7] + 1) % 3
    variants = [
        small_split(images=pixel),
        small_split(labels=label),
        small_split(images=split.train.images[::-1], labels=split.train.labels[::-1]),
        Split.of("small", split.train, split.validation, split.test, pixel_values(0.1307, 0.3082)),
        Split.of("small", split.train, split.test, split.validation, split.pixel_values),
        split.head(19, 6, 4),
    ]
    assert len({split.digest, *(variant.digest for variant in variants)}) == 1 + len(variants)


def test_the_digest_is_of_content_not_of_name_or_memory_layout():
    split = small_split()
    same = Split.of("other name", split.train, split.validation, split.test, split.pixel_values)
    assert same.digest == split.digest
    assert small_split(images=np.asfortranarray(split.train.images)).digest == split.digest


def test_fractions_are_nested_and_leave_validation_and_test_alone():
    split = small_split()
    shares = (0.1, 0.25, 0.5, 1.0)
    fractions = [split.fraction(share) for share in shares]
    assert [len(fraction.train) for fraction in fractions] == [2, 5, 10, 20]
    for smaller, larger in pairwise(fractions):
        assert np.array_equal(smaller.train.images, larger.train.images[: len(smaller.train)])
        assert smaller.validation is split.validation
        assert smaller.test is split.test
    assert len({fraction.digest for fraction in fractions}) == len(shares)
    assert fractions[-1].digest == split.digest


@pytest.mark.parametrize("share", [0.0, -0.5, 1.01, float("nan")])
def test_an_impossible_share_is_refused(share):
    with pytest.raises(DatasetError, match="above 0 and at most 1"):
        small_split().fraction(share)


def test_a_head_of_everything_is_the_same_data_and_more_is_refused():
    split = small_split()
    assert split.head(20, 6, 4).digest == split.digest
    with pytest.raises(DatasetError, match="1 to 6"):
        split.head(20, 7, 4)


def test_arrays_can_be_shared_with_torch_without_a_warning(mnist, recwarn):
    for part in (mnist.train, mnist.validation, mnist.test):
        torch.from_numpy(part.images)
        torch.from_numpy(part.labels)
    assert not recwarn.list


def test_neither_library_nor_command_imports_torch():
    modules = "frustration.dataset, frustration.commands.analyze_dataset"
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
