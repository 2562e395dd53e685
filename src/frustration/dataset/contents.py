"""The bytes of data files: plain, .gz or in archives, read as streams up to a known size.

Nothing is unpacked to disk, no member path of an archive is used as a path, and no stream is read further
than one byte beyond the size that the catalogue knows: a decompression bomb ends there.
"""

from __future__ import annotations

import gzip
import hashlib
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path, PurePosixPath
from typing import IO

from frustration.dataset.catalogue import DataFile, DatasetError, Entry, Published
from frustration.dataset.formats import check_structure, damaged
from frustration.files import open_file

UNREADABLE = (EOFError, gzip.BadGzipFile, zlib.error, zipfile.BadZipFile, tarfile.TarError)


def loose_path(entry: Entry, file: DataFile, folder: Path) -> Path | None:
    """The path of `file` in `folder`, plain or as .gz, or where unpacking the archive put it."""
    folders = [folder, folder / entry.unpacks_to] if entry.unpacks_to else [folder]
    candidates = (place / name for place in folders for name in (file.name, f"{file.name}.gz"))
    return next((path for path in candidates if path.is_file()), None)


def archive_in(entry: Entry, folder: Path) -> tuple[Published, Path] | None:
    """The archive of the data set that is in `folder`, if any."""
    found = ((archive, folder / archive.name) for archive in entry.archives)
    return next(((archive, path) for archive, path in found if path.is_file()), None)


def missing_from(entry: Entry, folder: Path) -> list[DataFile]:
    """The files that `folder` does not hold in any form."""
    if archive_in(entry, folder):
        return []
    return [file for file in entry.files if loose_path(entry, file, folder) is None]


def read_all(entry: Entry, folder: Path) -> dict[str, tuple[bytes, str]]:
    """name -> (unpacked content, where it was read) of every file; `folder` holds all of them."""
    loose = {file.name: loose_path(entry, file, folder) for file in entry.files}
    contents = {
        file.name: (read_loose(entry, file, path, packed=path.suffix == ".gz"), str(path))
        for file in entry.files
        if (path := loose[file.name])
    }
    archive = archive_in(entry, folder)
    if archive and len(contents) < len(entry.files):
        published, path = archive
        wanted = [file for file in entry.files if file.name not in contents]
        for name, data in read_archive(entry, wanted, published, path).items():
            contents[name] = (data, f"{name} in {path}")
    return contents


def read_loose(entry: Entry, file: DataFile, path: Path, *, packed: bool) -> bytes:
    """Unpacked content of one file, compared with whatever digest is known of it."""
    limit = entry.unpacked_size(file) + 1
    try:
        with open_file(path) as raw:
            if packed and not file.sha256 and file.published:
                check_packed(raw, file.published, path)
            if not packed:
                return raw.read(limit)
            with gzip.GzipFile(fileobj=raw) as stream:
                return stream.read(limit)
    except UNREADABLE as error:
        raise damaged(str(path), "a whole gzip file", str(error)) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error


def check_packed(raw: BufferedReader, published: Published, path: Path) -> None:
    """Compares the bytes as they are with the published digest, then rewinds."""
    if published.sha256 and (found := hashlib.file_digest(raw, "sha256").hexdigest()) != published.sha256:
        raise damaged(str(path), f"a file with SHA-256 {published.sha256}", found)
    raw.seek(0)


def read_archive(entry: Entry, wanted: list[DataFile], published: Published, path: Path) -> dict[str, bytes]:
    """name -> unpacked content of the wanted files; the archive must be the published one, byte for byte."""
    by_name = {name: file for file in wanted for name in (file.name, f"{file.name}.gz")}
    contents: dict[str, bytes] = {}
    try:
        with open_file(path) as raw:
            check_packed(raw, published, path)
            members = _zip_members(raw) if path.suffix == ".zip" else _tar_members(raw)
            for name, stream in members:
                if file := by_name.get(PurePosixPath(name).name):
                    contents[file.name] = _unpack(stream, name, entry.unpacked_size(file) + 1)
                    if len(contents) == len(wanted):
                        break
    except UNREADABLE as error:
        raise damaged(str(path), "a whole archive", str(error)) from error
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror or error}") from error
    if absent := [file.name for file in wanted if file.name not in contents]:
        raise damaged(str(path), f"an archive with {absent[0]}", "none")
    return contents


def _unpack(stream: IO[bytes], name: str, limit: int) -> bytes:
    if not name.endswith(".gz"):
        return stream.read(limit)
    with gzip.GzipFile(fileobj=stream) as unpacked:
        return unpacked.read(limit)


def _zip_members(raw: BufferedReader) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(raw) as archive:
        for info in archive.infolist():
            if not info.is_dir():
                with archive.open(info) as stream:
                    yield info.filename, stream


def _tar_members(raw: BufferedReader) -> Iterator[tuple[str, IO[bytes]]]:
    with tarfile.open(fileobj=raw, mode="r|gz") as archive:
        for member in archive:
            if member.isreg() and (stream := archive.extractfile(member)):
                yield member.name, stream


def verify_published(entry: Entry, published: Published, path: Path) -> None:
    """Checks a published file that is at `path` under any name; DatasetError says what is wrong."""
    file = next((file for file in entry.files if file.published == published), None)
    if file is None:
        with open_file(path) as raw:
            check_packed(raw, published, path)
        return
    check_structure(entry, file, read_loose(entry, file, path, packed=True), str(path))
