"""A .tar.gz read as a stream; nothing is ever unpacked to a path named in it.

Who made the archive is not known, so it is not to be trusted. One with a member that points
outside, a link, a device, a name given twice, or more than a size or a count allows is refused as a whole;
one that is cut short or whose checksum does not agree is damaged as a whole. Both are found out before
anything is taken from it.
"""

from __future__ import annotations

import gzip
import io
import os
import tarfile
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from frustration.errors import FrustrationError, InputError
from frustration.files import open_file

CHUNK = 2**16
HEADER_BYTES = 2**20
"""The most that tarfile may ask for at once: a member's data comes in chunks, so this bounds its headers."""

TEXT_BYTES = 2**26
"""The most that a record or a list of results may have: a record has about 260 bytes a loop."""


class ArchiveError(FrustrationError):
    """An archive from which nothing is taken; the sentence says why."""


class DamagedArchive(ArchiveError):
    """Cut short, or some bits have changed."""


class HostileArchive(ArchiveError):
    """Made to do something other than bring results, or too large to hold the results of a job."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What an archive may hold at most. That of a job with 5,880 trials has about 12,000 members."""

    members: int = 50_000
    member_bytes: int = 2**29
    total_bytes: int = 2**33
    """Unpacked, headers included."""
    packed_bytes: int = 2**33


LIMITS = Limits()


@dataclass(frozen=True)
class Member:
    """One file of an archive; its data can be read until the next one is asked for."""

    name: str
    """Without a leading `./`."""
    size: int
    _data: IO[bytes]

    @property
    def base(self) -> str:
        return self.name.rpartition("/")[2]

    def chunks(self) -> Iterator[bytes]:
        while chunk := self._data.read(CHUNK):
            yield chunk

    def content(self) -> bytes:
        """All of it, for a text; what is larger than any text of ours is refused."""
        if self.size > TEXT_BYTES:
            raise InputError(f"it has {self.size:,} bytes; {TEXT_BYTES:,} are allowed")
        return b"".join(self.chunks())


def members(path: Path, limits: Limits = LIMITS) -> Iterator[Member]:
    """Every file of an archive that was checked as a whole before the first one is handed out."""
    for _ in _walk(path, limits):
        pass
    yield from _walk(path, limits)


def opened(paths: Iterable[Path]) -> Iterator[Member]:
    """Files on the disk, as if they were the members of an archive."""
    for path in paths:
        with open_file(path) as file:
            yield Member(path.name, path.stat().st_size, file)


def _walk(path: Path, limits: Limits) -> Iterator[Member]:
    """Raises DamagedArchive or HostileArchive at the place where that is found out."""
    if path.stat().st_size > limits.packed_bytes:
        raise HostileArchive(f"it has more than {limits.packed_bytes:,} bytes")
    try:
        with open_file(path) as packed, gzip.GzipFile(fileobj=packed) as unpacked:
            stream = _Bounded(unpacked, limits.total_bytes)
            with tarfile.open(fileobj=stream, mode="r:") as archive:
                yield from _members(archive, limits)
            stream.drain()
    except ArchiveError:
        raise
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise DamagedArchive(f"it is cut short or some of its bits have changed ({error})") from None
    except (tarfile.TarError, ValueError, OverflowError) as error:
        raise DamagedArchive(f"it is not a whole tar archive ({error})") from None


def _members(archive: tarfile.TarFile, limits: Limits) -> Iterator[Member]:
    seen: set[str] = set()
    count = 0
    while (info := archive.next()) is not None:
        archive.members.clear()  # type: ignore[attr-defined]  # or it keeps every header it has seen
        count += 1
        if count > limits.members:
            raise HostileArchive(f"it has more than {limits.members:,} members")
        name = _safe_name(info.name)
        if info.isdir():
            continue
        if info.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or info.issparse():
            raise HostileArchive(f"its member {_shown(info.name)} is {_kind(info)}, not a plain file")
        if not 0 <= info.size <= limits.member_bytes:
            raise HostileArchive(
                f"its member {_shown(info.name)} has {info.size:,} bytes; {limits.member_bytes:,} are allowed"
            )
        if name in seen:
            raise HostileArchive(f"it has two members {_shown(name)}")
        seen.add(name)
        data = archive.extractfile(info)
        assert data is not None  # of a plain file there always is
        yield Member(name, info.size, data)


def _safe_name(name: str) -> str:
    """The name without `.` parts; one that could lead anywhere else than down is refused."""
    parts = name.replace("\\", "/").split("/")
    if name.startswith(("/", "\\")) or ".." in parts or "\0" in name or ":" in parts[0]:
        raise HostileArchive(f"its member {_shown(name)} points outside of the archive")
    return "/".join(part for part in parts if part not in ("", "."))


def _kind(info: tarfile.TarInfo) -> str:
    kinds = {
        tarfile.SYMTYPE: "a symbolic link",
        tarfile.LNKTYPE: "a hard link",
        tarfile.CHRTYPE: "a device",
        tarfile.BLKTYPE: "a device",
        tarfile.FIFOTYPE: "a pipe",
    }
    return "a sparse file" if info.issparse() else kinds.get(info.type, f"of the type {info.type!r}")


def _shown(name: str) -> str:
    return ascii(name if len(name) <= 80 else name[:77] + "...")


class _Bounded(io.RawIOBase):
    """The unpacked bytes, in order, up to a limit: all that tarfile sees of a file."""

    def __init__(self, file: gzip.GzipFile, limit: int) -> None:
        self._file, self._limit, self._at = file, limit, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= HEADER_BYTES:
            raise HostileArchive(f"a header in it wants {size:,} bytes")
        data = self._file.read(size)
        self._at += len(data)
        if self._at > self._limit:
            raise HostileArchive(f"unpacked it has more than {self._limit:,} bytes")
        return data

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Forward only, by reading: what is skipped counts as well."""
        if whence != os.SEEK_SET or offset < self._at:
            raise HostileArchive("its members do not follow one another")
        while self._at < offset and self.read(min(CHUNK, offset - self._at)):
            pass
        return self._at

    def drain(self) -> None:
        """Read to the end, where gzip's checksum is; after the members there is nothing but zeros."""
        while data := self.read(CHUNK):
            if data.strip(b"\0"):
                raise DamagedArchive("it has more data after its end")
