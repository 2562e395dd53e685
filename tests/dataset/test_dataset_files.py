"""Damaged, foreign or oversized files are named in one sentence and never used."""

import gzip
import tracemalloc
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tiny_datasets import cifar_like, emnist_like, idx, images, labels, mnist_like, pack, write

from frustration.dataset import DatasetError, load, names
from frustration.dataset.catalogue import ENTRIES, FASHION_MNIST, MNIST
from frustration.dataset.loading import load_from
from frustration.dataset.places import locate, obtain, places

TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS = (file.name for file in MNIST.files)


def same_images(part, expected):
    """The set of images is the expected one: the split only reorders."""
    return sorted(map(bytes, part)) == sorted(map(bytes, expected.reshape(len(expected), -1)))


@pytest.mark.parametrize("packed", [True, False])
def test_packed_and_unpacked_files_give_the_same_data(tmp_path, packed):
    entry, contents = mnist_like()
    split = load_from(entry, write(tmp_path, contents, packed=packed))
    assert np.array_equal(split.test.images, images(8).reshape(8, 15))
    assert split.test.labels.tolist() == labels(8).tolist()
    assert same_images([*split.train.images, *split.validation.images], images(20))
    assert (len(split.train), len(split.validation)) == (15, 5)


def test_a_repacked_file_with_pinned_content_is_accepted(tmp_path):
    entry, contents = mnist_like(pin="content")
    write(tmp_path, contents)
    (tmp_path / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(contents[TEST_IMAGES], 1, mtime=99))
    assert len(load_from(entry, tmp_path).test) == 8


def test_a_repacked_file_of_which_only_the_packed_digest_is_known_is_refused(tmp_path):
    entry, contents = mnist_like(pin="packed")
    write(tmp_path, contents)
    assert len(load_from(entry, tmp_path).test) == 8
    (tmp_path / f"{TEST_IMAGES}.gz").write_bytes(gzip.compress(contents[TEST_IMAGES], 1, mtime=99))
    with pytest.raises(
        DatasetError, match=rf"{TEST_IMAGES}.gz is not what was published: expected a file with SHA-256"
    ):
        load_from(entry, tmp_path)
    write(
        tmp_path, {TEST_IMAGES: contents[TEST_IMAGES]}, packed=False
    )  # unpacked, its structure is what is judged
    assert len(load_from(entry, tmp_path).test) == 8


def flip_a_bit(data: bytes) -> bytes:
    middle = len(data) // 2
    return data[:middle] + bytes([data[middle] ^ 4]) + data[middle + 1 :]


DAMAGE = {
    "truncated": (lambda data: data[:-7], "expected 316 bytes, found 309 bytes"),
    "longer": (lambda data: data + b"\0", "expected 316 bytes, found more"),
    "bit flipped": (flip_a_bit, "expected content with SHA-256"),
    "labels instead": (lambda data: idx(labels(20)) + bytes(288), "expected magic number 2051, found 2049"),
    "other count": (lambda data: idx(images(19)), "expected 20 x 3 x 5, found 19 x 3 x 5"),
    "other shape": (lambda data: idx(images(20, (5, 3))), "expected 20 x 3 x 5, found 20 x 5 x 3"),
    "an error page": (lambda data: b"<html>404 not found</html>", "expected magic number 2051"),
    "empty": (lambda data: b"", "expected an IDX header of 16 bytes, found 0 bytes"),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("packed", [True, False])
def test_a_damaged_file_is_named_with_what_was_expected_and_found(tmp_path, damage, packed):
    spoil, sentence = DAMAGE[damage]
    entry, contents = mnist_like()
    write(tmp_path, contents | {TRAIN_IMAGES: spoil(contents[TRAIN_IMAGES])}, packed=packed)
    with pytest.raises(DatasetError) as caught:
        load_from(entry, tmp_path)
    message = str(caught.value)
    assert sentence in message
    assert str(tmp_path / TRAIN_IMAGES) in message
    assert "delete it to have it downloaded again" in message
    assert "\n" not in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "spoil", [lambda data: data[:-20], flip_a_bit, lambda data: b"no gzip at all", lambda data: b""]
)
def test_a_damaged_gzip_stream_is_named(tmp_path, spoil):
    entry, contents = mnist_like()
    path = write(tmp_path, contents) / f"{TRAIN_IMAGES}.gz"
    path.write_bytes(spoil(path.read_bytes()))
    with pytest.raises(DatasetError, match=str(path)):
        load_from(entry, tmp_path)


@pytest.mark.parametrize("damage", [flip_a_bit, lambda data: data[: len(data) // 2], lambda data: data[:4]])
@pytest.mark.parametrize("number", range(4))
def test_real_mnist_with_one_spoilt_file_is_refused(tmp_path, damage, number):
    for file in MNIST.files:
        source = obtain(MNIST) / f"{file.name}.gz"
        (tmp_path / source.name).symlink_to(source)
    spoilt = tmp_path / f"{MNIST.files[number].name}.gz"
    data = spoilt.read_bytes()
    spoilt.unlink()
    spoilt.write_bytes(damage(data))
    with pytest.raises(DatasetError, match=str(spoilt)):
        load("mnist", tmp_path)


def test_a_label_beyond_the_classes_is_refused(tmp_path):
    entry, contents = mnist_like(pin="packed")
    wrong = labels(8)
    wrong[3] = 10
    write(tmp_path, contents | {TEST_LABELS: idx(wrong)}, packed=False)
    with pytest.raises(DatasetError, match="expected labels 0 to 9, found a label 10"):
        load_from(entry, tmp_path)


def test_a_decompression_bomb_is_left_after_one_byte_too_many(tmp_path):
    entry, contents = mnist_like()
    write(tmp_path, contents)
    with gzip.open(tmp_path / f"{TRAIN_IMAGES}.gz", "wb", 1) as bomb:
        bomb.write(contents[TRAIN_IMAGES])
        for _ in range(100):
            bomb.write(bytes(1_000_000))
    with memory_below(5_000_000), pytest.raises(DatasetError, match="expected 316 bytes, found more"):
        load_from(entry, tmp_path)


@contextmanager
def memory_below(limit: int) -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()


def test_emnist_is_read_from_its_archive_and_stands_upright(tmp_path):
    entry, archive, _ = emnist_like()
    (tmp_path / "gzip.zip").write_bytes(archive)
    split = load_from(entry, tmp_path)
    assert np.array_equal(split.test.images, images(8, (4, 4)).reshape(8, 16))
    assert same_images([*split.train.images, *split.validation.images], images(20, (4, 4)))
    assert split.classes == 47


def test_emnist_unpacked_by_hand_is_found_in_the_folder_that_unzip_makes(tmp_path):
    entry, archive, contents = emnist_like()
    (tmp_path / "gzip.zip").write_bytes(archive)
    from_archive = load_from(entry, tmp_path)
    (tmp_path / "gzip.zip").unlink()
    write(tmp_path / "gzip", contents)
    assert locate(entry, tmp_path) == tmp_path
    assert load_from(entry, tmp_path).digest == from_archive.digest


def test_member_paths_of_an_archive_are_never_used_as_paths(tmp_path):
    entry, archive, _ = emnist_like(prefix="../../outside/")
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    (folder / "gzip.zip").write_bytes(archive)
    before = sorted(tmp_path.rglob("*"))
    assert len(load_from(entry, folder).test) == 8
    assert sorted(tmp_path.rglob("*")) == before


def test_an_archive_that_is_not_the_published_one_is_refused(tmp_path):
    entry, archive, _ = emnist_like()
    (tmp_path / "gzip.zip").write_bytes(archive + b"\0")
    with pytest.raises(
        DatasetError, match=r"gzip.zip is not what was published: expected a file with SHA-256"
    ):
        load_from(entry, tmp_path)


def test_an_archive_without_a_wanted_file_is_refused(tmp_path):
    entry, archive, _ = emnist_like()
    (tmp_path / "gzip.zip").write_bytes(archive)
    renamed = replace(entry, files=(replace(entry.files[0], name="something-else"), *entry.files[1:]))
    with pytest.raises(DatasetError, match=r"expected an archive with something-else, found none"):
        load_from(renamed, tmp_path)


def test_cifar_records_are_read_from_the_archive_and_from_loose_files_alike(tmp_path):
    entry, archive, contents = cifar_like()
    (tmp_path / "cifar-10-binary.tar.gz").write_bytes(archive)
    from_archive = load_from(entry, tmp_path)
    expected = np.frombuffer(contents["test_batch.bin"], np.uint8).reshape(-1, 13)
    assert np.array_equal(from_archive.test.images, expected[:, 1:])
    assert from_archive.test.labels.tolist() == expected[:, 0].tolist()
    assert len(from_archive.train) + len(from_archive.validation) == 4 + 5 + 6 + 7 + 8
    write(tmp_path / "loose", contents, packed=False)
    assert load_from(entry, tmp_path / "loose").digest == from_archive.digest


def test_a_torn_archive_is_named_even_if_its_digest_were_right(tmp_path):
    for maker, name in ((emnist_like, "gzip.zip"), (cifar_like, "cifar-10-binary.tar.gz")):
        entry, archive, _ = maker()
        torn = archive[: len(archive) // 2]
        (tmp_path / name).write_bytes(torn)
        unpinned = replace(entry, archives=(replace(entry.archives[0], sha256=""),))
        with pytest.raises(DatasetError, match=f"{name} is not what was published: expected a whole archive"):
            load_from(unpinned, tmp_path)


def test_the_first_folder_with_any_of_the_files_is_used_and_its_damage_is_not_skipped(tmp_path, monkeypatch):
    entry, contents = mnist_like()
    monkeypatch.setenv("FRUSTRATION_DATASETS", str(tmp_path / "mine"))
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "dataset" / "tiny", contents)
    assert obtain(entry) == tmp_path / "dataset" / "tiny"
    write(tmp_path / "mine" / "tiny", contents | {TRAIN_LABELS: flip_a_bit(contents[TRAIN_LABELS])})
    with pytest.raises(DatasetError, match=str(tmp_path / "mine")):
        load_from(entry, obtain(entry))


def test_folders_are_searched_in_the_documented_order(tmp_path, monkeypatch):
    monkeypatch.setenv("FRUSTRATION_DATASETS", str(tmp_path / "mine"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    found = [str(place) for place in places(FASHION_MNIST)]
    assert found[:2] == [str(tmp_path / "mine/fashion-mnist"), str(tmp_path / "dataset/fashion-mnist")]
    assert found[-3].endswith("frustration/bundled/fashion-mnist")
    assert found[-2:] == [
        "/usr/share/datasets/fashion-mnist",
        str(tmp_path / "cache/frustration/datasets/fashion-mnist"),
    ]
    assert places(FASHION_MNIST, tmp_path) == [tmp_path]


def test_an_unknown_name_gets_the_nearest_one_and_the_list():
    with pytest.raises(
        DatasetError,
        match=r'no data set "fashon" \(did you mean fashion-mnist\?\); there are mnist, ',
    ):
        load("fashon")
    assert names() == ["mnist", "fashion-mnist", "kmnist", "emnist-balanced", "cifar-10"]


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=names())
def test_every_entry_can_be_verified_and_downloaded_over_https(entry):
    published = entry.archives or [file.published for file in entry.files]
    for item, file in zip(published, entry.files, strict=False):
        assert all(url.startswith("https://") for url in item.urls)
        assert item.urls
        assert item.sha256 or file.sha256
    assert sum(file.count for file in entry.files if file.part == "train") > entry.validation


def test_a_pack_of_the_helper_is_stable():
    assert pack(b"x") == pack(b"x")  # the digests of the tiny data sets rest on it


def test_zip_members_of_a_hostile_archive_cannot_exceed_the_known_size(tmp_path):
    entry, _, contents = emnist_like()
    with zipfile.ZipFile(tmp_path / "gzip.zip", "w") as archive:
        for name, data in contents.items():
            archive.writestr(f"gzip/{name}.gz", pack(data + bytes(10_000_000)))
    unpinned = replace(entry, archives=(replace(entry.archives[0], sha256=""),))
    with memory_below(5_000_000), pytest.raises(DatasetError, match="found more"):
        load_from(unpinned, tmp_path)


@pytest.mark.skipif(
    not Path(FASHION_MNIST.system_folder).is_dir(),
    reason=f"{FASHION_MNIST.system_folder} is not there; apt-get install dataset-fashion-mnist",
)
def test_fashion_mnist_comes_from_debians_package():
    assert Path(FASHION_MNIST.system_folder) in places(FASHION_MNIST)
    split = load("fashion-mnist", Path(FASHION_MNIST.system_folder))
    assert split.digest == "7ace8afc8f7e2703cd28c4888a34ec6b1af696e8e7dec73179c8ceed2cbe3839"
