"""The catalogue of data sets: files, pinned digests, addresses, licences and pixel statistics.

Plain data; nothing here opens a file. What is pinned, and how it was come by:

- MNIST, Fashion-MNIST, CIFAR-10: SHA-256 of every file's *unpacked* content, computed from the files.
  Repackagers change gzip headers, so a packed file is judged by what comes out of it.
- KMNIST's .gz files, EMNIST's and CIFAR-10's archives: SHA-256 of the file as published, as other public
  projects record it; we have not had these files in our hands.
- KMNIST and EMNIST unpacked: no digest is known. Magic number, dimensions, counts, length and label range are
  checked, and `Split.digest` says which bytes a trial saw.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from frustration.errors import InputError, did_you_mean


class DatasetError(InputError):
    """A data set is unknown, missing or damaged; the sentence names the file and what to do."""


@dataclass(frozen=True)
class Published:
    """A file as its publisher serves it, packed."""

    name: str
    urls: tuple[str, ...]
    limit: int  # bytes; a download that grows beyond it is broken off
    sha256: str = ""  # of the packed bytes; empty where the content alone is pinned


@dataclass(frozen=True)
class DataFile:
    """One file of a data set, which is in a folder as `name` or as `name`.gz."""

    name: str
    part: Literal["train", "test"]
    holds: Literal["images", "labels", "both"]  # "both": CIFAR's records of one label byte and the pixels
    count: int
    sha256: str = ""  # of the unpacked content; empty where it is not known
    published: Published | None = None  # None: it is published inside an archive only


@dataclass(frozen=True)
class Entry:
    """A data set. Pixels are fed in as (byte / 255 - mean) / std, both taken over the training images."""

    name: str
    title: str
    licence: str
    homepage: str
    classes: int
    shape: tuple[int, ...]  # of one image in the file: (rows, columns) or (channels, rows, columns)
    mean: float
    std: float
    files: tuple[DataFile, ...]
    archives: tuple[Published, ...] = ()  # each of them alone holds all files
    unpacks_to: str = ""  # the folder that unpacking an archive by hand creates
    system_folder: str = ""  # where a system package puts the files
    transposed: bool = False  # the file stores columns first
    validation: int = 10_000  # training images set aside

    @property
    def features(self) -> int:
        return math.prod(self.shape)

    def unpacked_size(self, file: DataFile) -> int:
        """Bytes of `file` unpacked. An IDX header is 4 bytes and 4 per dimension; CIFAR has none."""
        if file.holds == "images":
            return 4 + 4 * (1 + len(self.shape)) + file.count * self.features
        if file.holds == "labels":
            return 8 + file.count
        return file.count * (1 + self.features)


IDX_NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)


def _idx_file(name: str, count: int, sha256: str = "", published: Published | None = None) -> DataFile:
    """Part and contents follow from the customary name."""
    holds: Literal["images", "labels"] = "images" if "-images-" in name else "labels"
    return DataFile(name, "train" if "train" in name else "test", holds, count, sha256, published)


def _four_idx_files(
    addresses: tuple[str, ...], *, content: tuple[str, ...] = ("",) * 4, packed: tuple[str, ...] = ("",) * 4
) -> tuple[DataFile, ...]:
    """MNIST's four files of 60,000 and 10,000 images, each published as .gz under every address."""
    files = []
    for name, content_sha256, packed_sha256 in zip(IDX_NAMES, content, packed, strict=True):
        count = 60_000 if name.startswith("train") else 10_000
        limit = 48_000_000 if "images" in name else 100_000
        urls = tuple(f"{address}{name}.gz" for address in addresses)
        published = Published(f"{name}.gz", urls, limit, packed_sha256)
        files.append(_idx_file(name, count, content_sha256, published))
    return tuple(files)


MNIST = Entry(
    name="mnist",
    title="handwritten digits",
    licence="CC BY-SA 3.0, Yann LeCun and Corinna Cortes",
    homepage="https://yann.lecun.com/exdb/mnist/",
    classes=10,
    shape=(28, 28),
    mean=0.1307,
    std=0.3081,
    files=_four_idx_files(
        (
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
        ),
        content=(
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
)

FASHION_MNIST = Entry(
    name="fashion-mnist",
    title="clothes",
    licence="MIT, Zalando SE",
    homepage="https://github.com/zalandoresearch/fashion-mnist",
    classes=10,
    shape=(28, 28),
    mean=0.28604,
    std=0.35302,
    files=_four_idx_files(
        (
            "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
        ),
        content=(
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
    system_folder="/usr/share/datasets/fashion-mnist",  # Debian and Ubuntu: dataset-fashion-mnist
)

KMNIST = Entry(
    name="kmnist",
    title="cursive Japanese characters",
    licence="CC BY-SA 4.0, ROIS-DS Center for Open Data in the Humanities",
    homepage="https://codh.rois.ac.jp/kmnist/",
    classes=10,
    shape=(28, 28),
    mean=0.1918,
    std=0.3483,
    files=_four_idx_files(
        ("https://codh.rois.ac.jp/kmnist/dataset/kmnist/",),
        packed=(
            "51467d22d8cc72929e2a028a0428f2086b092bb31cfb79c69cc0a90ce135fde4",
            "e38f9ebcd0f3ebcdec7fc8eabdcdaef93bb0df8ea12bee65224341c8183d8e17",
            "edd7a857845ad6bb1d0ba43fe7e794d164fe2dce499a1694695a792adfac43c5",
            "20bb9a0ef54c7db3efc55a92eef5582c109615df22683c380526788f98e42a1c",
        ),
    ),
)

EMNIST_BALANCED = Entry(
    name="emnist-balanced",
    title="handwritten digits and letters",
    licence="none stated; NIST asks to cite Cohen et al. 2017",
    homepage="https://www.nist.gov/itl/products-and-services/emnist-dataset",
    classes=47,
    shape=(28, 28),
    mean=0.1751,
    std=0.3332,
    files=tuple(
        _idx_file(f"emnist-balanced-{part}-{kind}-ubyte", count)
        for part, count in (("train", 112_800), ("test", 18_800))
        for kind in ("images-idx3", "labels-idx1")
    ),
    archives=(
        Published(
            "gzip.zip",
            ("https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",),
            600_000_000,
            "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e",
        ),
        Published(
            "emnist-gzip.zip",  # the authors' own packing of the same files
            ("https://rds.westernsydney.edu.au/Institutes/MARCS/BENS/EMNIST/emnist-gzip.zip",),
            600_000_000,
            "909a2a39c5e86bdd7662425e9b9c4a49bb582bf8d0edad427f3c3a9d0c6f7259",
        ),
    ),
    unpacks_to="gzip",
    transposed=True,
)

CIFAR_10_CONTENT = {
    "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
    "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
    "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
    "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
    "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
    "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
}

CIFAR_10 = Entry(
    name="cifar-10",
    title="colour photographs",
    licence="none stated; Alex Krizhevsky asks to cite his report of 2009",
    homepage="https://www.cs.toronto.edu/~kriz/cifar.html",
    classes=10,
    shape=(3, 32, 32),
    mean=0.47336,  # over all three channels: one table of 256 pixel values then serves
    std=0.25157,
    files=tuple(
        DataFile(name, "test" if name.startswith("test") else "train", "both", 10_000, sha256)
        for name, sha256 in CIFAR_10_CONTENT.items()
    ),
    archives=(
        Published(
            "cifar-10-binary.tar.gz",
            ("https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",),
            200_000_000,
            "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        ),
    ),
    unpacks_to="cifar-10-batches-bin",
)

ENTRIES = {entry.name: entry for entry in (MNIST, FASHION_MNIST, KMNIST, EMNIST_BALANCED, CIFAR_10)}


def names() -> list[str]:
    """The names that `load` accepts."""
    return list(ENTRIES)


def entry_of(name: str) -> Entry:
    """The entry of that name, or one sentence with the nearest name and all others."""
    if name in ENTRIES:
        return ENTRIES[name]
    hint = did_you_mean(name.lower(), names())
    raise DatasetError(f'there is no data set "{name}"{hint}; there are {", ".join(names())}')
